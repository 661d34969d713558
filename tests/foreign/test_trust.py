"""Which instances are trusted by themselves, what is remembered of others, and what changes it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ldb.backends.cached import CachedBackend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.backends.objectcache import CacheSettings
from ldb.errors import BadInput
from ldb.foreign import files
from ldb.foreign.files import Code, kind_of, read_code
from ldb.foreign.trust import (
    grant,
    grant_transforms,
    is_trusted,
    judge,
    not_own,
    remember_made,
    revoke,
    revoke_transforms,
)
from ldb.instance import Instance, create, open_instance
from ldb.settings import load, set_value

SOURCE = "CUSTOM_FUNCTIONS = {}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "trust"


@pytest.fixture
def own(instance: Instance, config: Path) -> Instance:
    """An instance that this user made, with some code."""
    remember_made(config, instance)
    put(instance, "ldb_user_functions/a.py")
    return instance


def put(instance: Instance, name: str, text: str = SOURCE) -> Path:
    path = Path(instance.url, "custom_code", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def trusted(instance: Instance, config: Path) -> bool:
    return judge(instance, load(config)).trusted


def test_ones_own_instance_is_trusted(own: Instance, config: Path) -> None:
    assert trusted(own, config)
    put(own, "ldb_user_functions/b.py")
    assert trusted(own, config)


def test_an_instance_that_one_did_not_make_is_not(instance: Instance, config: Path) -> None:
    put(instance, "ldb_user_functions/a.py")
    found = judge(instance, load(config))
    assert (found.trusted, found.why) == (False, "you did not make this instance")


def test_a_copy_elsewhere_is_not(own: Instance, config: Path, tmp_path: Path) -> None:
    """An archive of one's own instance comes back changed: its id says nothing."""
    shutil.copytree(own.url, tmp_path / "copy")
    copy = open_instance(LocalBackend(tmp_path / "copy"))
    assert copy.id == own.id
    assert not trusted(copy, config)
    assert "not here" in not_own(copy, load(config))


@pytest.mark.parametrize(
    "where", ["", "custom_code", "custom_code/ldb_user_functions/a.py", "objects"]
)
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_may_write_to_is_not(
    own: Instance, config: Path, where: str, mode: int
) -> None:
    path = Path(own.url, where)
    path.mkdir(exist_ok=True) if where == "objects" else None
    path.chmod(path.stat().st_mode | mode)
    found = judge(own, load(config))
    assert (found.trusted, found.why) == (False, f"others may write to {path}")


def test_a_folder_above_counts_too(own: Instance, config: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert not trusted(own, config)
    tmp_path.chmod(0o1777)  # as /tmp is: nobody can take away what is another's
    assert trusted(own, config)


def test_a_link_to_code_makes_it_not_ones_own(own: Instance, config: Path, tmp_path: Path) -> None:
    path = put(own, "ldb_user_functions/b.py")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.py")
    assert not trusted(own, config)
    assert "ldb_user_functions/b.py" not in read_code(own.backend).files


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_files_of_another_user_are_not(own: Instance, config: Path) -> None:
    path = put(own, "ldb_user_functions/b.py")
    os.chown(path, 12345, -1)
    assert judge(own, load(config)).why == f"{path} belongs to another user (12345)"


def test_an_instance_in_a_store_is_never_ones_own(config: Path) -> None:
    instance = create(MemoryBackend("shared"))
    remember_made(config, instance)
    instance.backend.create("custom_code/ldb_user_functions/a.py", b"x")
    assert not trusted(instance, config)
    grant(config, instance, read_code(instance.backend))
    assert trusted(instance, config)


def test_code_in_a_store_is_read_anew_whatever_is_cached(config: Path, tmp_path: Path) -> None:
    """What lies in an instance never changes, and is cached for ever: but for code."""
    store = MemoryBackend("team")
    create(store)
    key = "custom_code/ldb_user_functions/a.py"
    store.create(key, b"first")
    cached = CachedBackend(store, CacheSettings(str(tmp_path / "cache"), 1 << 20))
    instance = open_instance(cached)
    found = judge(instance, load(config))
    grant(config, instance, found.code)
    assert trusted(instance, config)
    store.delete([key])
    store.create(key, b"other")
    again = judge(open_instance(cached), load(config))
    assert not again.trusted
    assert again.code.files == {"ldb_user_functions/a.py": b"other"}


def test_trust_holds_for_what_was_seen(instance: Instance, config: Path) -> None:
    put(instance, "ldb_user_functions/a.py")
    put(instance, "ldb_user_filters/f.sh")
    grant(config, instance, judge(instance, load(config)).code)
    assert trusted(instance, config)
    put(instance, "ldb_user_functions/a.py", "import os\n")
    put(instance, "ldb_user_functions/b.py")
    found = judge(instance, load(config))
    states = {path: found.state(path) for path in found.code.files}
    assert not found.trusted
    assert states == {
        "ldb_user_functions/a.py": "changed",
        "ldb_user_functions/b.py": "new",
        "ldb_user_filters/f.sh": "trusted",
    }
    grant(config, instance, found.code)
    assert trusted(instance, config)
    Path(instance.url, "custom_code/ldb_user_functions/b.py").unlink()
    assert not trusted(instance, config)


def test_trust_is_for_one_instance(instance: Instance, config: Path, tmp_path: Path) -> None:
    put(instance, "ldb_user_functions/a.py")
    grant(config, instance, read_code(instance.backend))
    other = create(LocalBackend(tmp_path / "other"))
    put(other, "ldb_user_functions/a.py")
    assert not trusted(other, config)


def test_trust_can_be_taken_back(own: Instance, config: Path) -> None:
    grant(config, own, read_code(own.backend))
    assert revoke(config, own)
    assert not trusted(own, config)
    assert not revoke(config, own)


@pytest.mark.parametrize("text", ["nonsense", "[1]", '"x"', "null", "{}"])
def test_a_setting_that_means_nothing_trusts_nothing(
    instance: Instance, config: Path, text: str
) -> None:
    put(instance, "ldb_user_functions/a.py")
    set_value(config, f"instance.{instance.id}.code", text)
    assert not trusted(instance, config)


def test_an_id_cannot_reach_other_settings(instance: Instance, config: Path) -> None:
    for name in ("x]\n[core", "x\ny"):
        odd = replace(instance, id=name)
        with pytest.raises(BadInput):
            grant(config, odd, Code({}))
        assert not judge(odd, load(config)).why.startswith("you made")
    assert not config.exists()


def test_too_much_code_is_refused(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 3)
    monkeypatch.setattr(files, "MAX_BYTES", 5 << 20)
    for number in range(3):
        put(instance, f"{number}.py", "")
    assert len(read_code(instance.backend).files) == 3
    put(instance, "1.py", " " * (5 << 20) + " ")
    with pytest.raises(BadInput, match="more than 3 files or 5 MiB of code"):
        read_code(instance.backend)
    put(instance, "1.py", "")
    put(instance, "4.py", "")
    with pytest.raises(BadInput, match="more than 3 files"):
        read_code(instance.backend)


def test_what_files_are_for() -> None:
    code = Code(
        dict.fromkeys(
            (
                "ldb_user_functions/a.py",
                "ldb_user_functions/a.txt",
                "ldb_user_functions/lib/b.py",
                "ldb_user_filters/Sort.py",
                "ldb_user_filters/sort",
                "ldb_user_filters/.py",
                "ldb_user_filters/lib/c",
            ),
            b"",
        )
    )
    assert code.functions() == ["ldb_user_functions/a.py"]
    assert code.filters() == {"sort": "ldb_user_filters/Sort.py"}
    assert [
        kind_of(path) for path in ("ldb_user_functions/x.py", "ldb_user_filters/x", "x.py")
    ] == [
        "functions",
        "filter",
        "file",
    ]


def test_code_is_laid_out_for_its_user_alone(tmp_path: Path) -> None:
    Code({"a/b/c.sh": b"1", "d": b"2"}).lay_out(str(tmp_path))
    found = tmp_path / "a" / "b" / "c.sh"
    assert (found.read_bytes(), found.stat().st_mode & 0o777) == (b"1", 0o700)
    with pytest.raises(FileExistsError):
        Code({"d": b"3"}).lay_out(str(tmp_path))


def test_transforms_are_trusted_one_by_one(config: Path) -> None:
    blur = ["convert", "-blur", "{data}"]
    assert not is_trusted(load(config), load(config), blur)
    grant_transforms(config, [blur])
    assert is_trusted(load(config), load(config), blur)
    assert not is_trusted(load(config), load(config), [*blur, "x"])
    assert revoke_transforms(config, [blur])
    assert not is_trusted(load(config), load(config), blur)
    assert not revoke_transforms(config, [blur])


def test_ones_own_transforms_are_trusted(config: Path) -> None:
    set_value(config, "transform.blur.run", '["convert", "-blur"]')
    assert is_trusted(load(config), load(config), ["convert", "-blur"])
    assert not is_trusted(load(config), load(config), ["convert"])
