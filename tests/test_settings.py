"""The user's settings: read, changed in place, never half-written."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb import settings
from ldb.errors import BadInput, BadName, NotFound, StoreFailed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".ldb" / "config"


def values(path: Path) -> dict[str, str]:
    return dict(settings.load(path).values)


def test_missing_file_has_no_settings(path: Path) -> None:
    assert values(path) == {}
    assert settings.load(path).get("core.instance") is None
    assert settings.load(path).get("core.instance", "x") == "x"


def test_set_makes_folder_and_file(path: Path) -> None:
    settings.set_value(path, "core.instance", "/data/team ldb")
    assert path.read_text() == "[core]\ninstance = /data/team ldb\n"
    assert values(path) == {"core.instance": "/data/team ldb"}


def test_only_the_owner_can_read_it(path: Path) -> None:
    settings.set_value(path, "storage.s3://bucket/a.b.secret", "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    settings.set_value(path, "core.instance", "y")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_comments_and_order_stay(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(
        "# mine\n[core]\n; where\ninstance = a\n\ncache_dir=  b\n\n[other]\nx = 1\n# end\n"
    )
    settings.set_value(path, "core.instance", "new")
    settings.set_value(path, "core.added", "1")
    settings.unset_value(path, "other.x")
    assert path.read_text() == (
        "# mine\n[core]\n; where\ninstance = new\n\ncache_dir=  b\nadded = 1\n\n[other]\n# end\n"
    )


def test_value_over_several_lines_is_replaced_whole(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("[core]\na = 1\n  2\n  3\nb = 4\n")
    assert values(path) == {"core.a": "1\n2\n3", "core.b": "4"}
    settings.set_value(path, "core.a", "x")
    assert path.read_text() == "[core]\na = x\nb = 4\n"


def test_a_linked_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles"
    real.write_text("[core]\ninstance = a\n")
    path.parent.mkdir()
    path.symlink_to(real)
    settings.set_value(path, "core.instance", "b")
    assert path.is_symlink()
    assert real.read_text() == "[core]\ninstance = b\n"


def test_unset(path: Path) -> None:
    with pytest.raises(NotFound):
        settings.unset_value(path, "core.instance")
    assert not path.parent.exists()
    settings.set_value(path, "core.instance", "a")
    settings.unset_value(path, "core.instance")
    assert values(path) == {}
    with pytest.raises(NotFound):
        settings.unset_value(path, "core.instance")


@pytest.mark.parametrize(
    "key", ["", "instance", ".instance", "core.", "core.a b", "a\nb.c", "a]b.c", " a.b", "core.=x"]
)
def test_bad_keys(path: Path, key: str) -> None:
    with pytest.raises(BadName):
        settings.set_value(path, key, "x")
    assert not path.exists()


@pytest.mark.parametrize("value", ["a\nb", " a", "a ", "a\x00", "a\rb", "a\x85b", "a\u2028b"])
def test_bad_values(path: Path, value: str) -> None:
    with pytest.raises(BadInput):
        settings.set_value(path, "core.instance", value)
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "no section\n",
        "[core]\njust a word\n",
        "[a]\nx=1\nx=2\n",
        "[a]\n[a]\n",
        "[unclosed\nx = 1\n",
    ],
)
def test_a_broken_file_is_named_and_not_patched(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(BadInput, match="config"):
        settings.load(path)
    with pytest.raises(BadInput, match="config"):
        settings.set_value(path, "core.instance", "x")
    assert path.read_text() == text


def test_bytes_that_are_no_text(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"[core]\ninstance = \xff\n")
    with pytest.raises(BadInput, match="UTF-8 text at byte 18"):
        settings.load(path)


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreFailed):
        settings.load(path)


def test_a_file_where_the_folder_should_be(path: Path) -> None:
    path.parent.write_text("")
    with pytest.raises(StoreFailed):
        settings.set_value(path, "core.instance", "x")


@pytest.mark.parametrize(
    ("word", "meant"), [("true", True), ("Yes", True), ("1", True), ("off", False), ("0", False)]
)
def test_flag(path: Path, word: str, meant: bool) -> None:
    settings.set_value(path, "core.auto", word)
    assert settings.load(path).flag("core.auto", not meant) is meant
    assert settings.load(path).flag("core.other", meant) is meant


def test_flag_that_is_neither(path: Path) -> None:
    settings.set_value(path, "core.auto", "maybe")
    with pytest.raises(BadInput, match=r"core\.auto"):
        settings.load(path).flag("core.auto", True)


def _set(path: Path, number: int) -> None:
    settings.set_value(path, f"many.k{number}", str(number))


def test_writers_at_once_lose_nothing(path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_set, [path] * 40, range(40)))
    assert values(path) == {f"many.k{number}": str(number) for number in range(40)}
    assert os.listdir(path.parent) == ["config"]


keys = st.builds(
    "{}.{}".format,
    st.sampled_from(["core", "a.b", "s3://x/y", "DEFAULT", "ü", "a=b", "#c", "x[y"]),
    st.sampled_from(["k", "K", "key-1", "rem"]),
)
texts = (
    st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=12)
    .map(str.strip)
    .filter(str.isprintable)
)


@given(st.lists(st.tuples(keys, st.none() | texts), max_size=12))
def test_any_changes_agree_with_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("s") / "config"
    expected: dict[str, str] = {}
    for key, value in changes:
        if value is not None:
            settings.set_value(path, key, value)
            expected[key] = value
        elif key in expected:
            settings.unset_value(path, key)
            del expected[key]
        assert values(path) == expected


def test_nearest_instance_wins(path: Path) -> None:
    settings.set_value(path, "core.instance", "configured")
    user = settings.load(path)

    def where(option: str | None, env: str | None, workspace: str | None) -> tuple[str, str]:
        found = settings.choose_instance(option=option, env=env, workspace=workspace, settings=user)
        assert found is not None
        return found.where, found.why

    assert where("o", "e", "w") == ("o", "--instance")
    assert where(None, "e", "w") == ("e", "LDB_DIR")
    assert where(None, "", "w") == ("w", "this workspace")
    assert where(None, None, None) == ("configured", f"core.instance in {path}")


def test_no_instance_anywhere(path: Path) -> None:
    user = settings.load(path)
    found = settings.choose_instance(option=None, env=None, workspace=None, settings=user)
    assert found is None
