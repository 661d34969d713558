"""`ldb ds export` and `import`: a dataset goes to another instance and is the same there."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import CATS, PETS, Pets


@pytest.fixture
def history(cats: Pets) -> Pets:
    """ds:cats of three versions, the second a deletion; with an older annotation in it."""
    cats.ok("ds", "del", "ds:cats")
    cats.annotate("kit", {"class": "cat", "fat": True})
    cats.ok("add", "ds:root", "--path", "rex")
    cats.ok("add", cats.id("owl"))
    cats.ok("commit", "-m", "more", "ds:cats")
    return cats


@pytest.fixture
def abroad(pets: Pets, tmp_path: Path) -> Pets:
    """An empty instance, and an empty folder."""
    other = pets.at(tmp_path / "abroad/work")
    other.ok("init", str(tmp_path / "abroad/instance"))
    (other.folder / ".ldb").mkdir()
    return Abroad(other.ldb, other.data, other.folder, str(tmp_path / "abroad/instance"))


class Abroad(Pets):
    """Runs commands on another instance."""

    def __init__(self, ldb: object, data: Path, folder: Path, instance: str) -> None:
        super().__init__(ldb, data, folder)  # type: ignore[arg-type]
        self.instance = instance

    def __call__(self, *args: str):  # type: ignore[no-untyped-def]
        return self.ldb("-C", str(self.folder), "--instance", self.instance, *args)


def log(pets: Pets, name: str) -> list[dict[str, object]]:
    return [*pets.json("log", name)]


@pytest.mark.parametrize("where", ["cats.tar", "cats/"])
def test_all_versions(history: Pets, abroad: Pets, where: str) -> None:
    target = str(history.folder.parent) + "/" + where
    assert "2 versions, 4 data objects" in history.ok("ds", "export", "ds:cats", target).err
    (told,) = abroad.json("ds", "import", target)
    assert told == {
        "datasets": [{"version": "ds:cats.v3", "new_versions": 2}],
        "new_objects": 4, "new_annotations": 0, "data_objects": 0,
    }  # fmt: skip
    assert log(abroad, "ds:cats") == log(history, "ds:cats")
    for name in ("ds:cats", "ds:cats.v1"):
        assert abroad.ok("list", name).out == history.ok("list", name).out
        words = ("eval", name, "--jshow", "@", "--json")
        assert abroad.ok(*words).out == history.ok(*words).out
    assert abroad.names("ds:root", "--query", "fat") == {"kit"}, "today's annotation is there too"
    assert len(abroad.ok("list", str(history.data / "cats")).out.splitlines()) == 2
    assert abroad.ok("fsck").out == ""
    before = abroad.ok("ds", "list", "-a").out
    (again,) = abroad.json("ds", "import", target)
    assert again["datasets"] == [{"version": "ds:cats.v3", "new_versions": 0}]
    assert abroad.ok("ds", "list", "-a").out == before
    assert len(log(abroad, "ds:root")) == 1
    assert not list(history.folder.parent.glob(".cats*")), "nothing is left beside it"


def test_what_came_later_is_added(cats: Pets, abroad: Pets) -> None:
    target = str(cats.folder.parent / "cats.tar")
    cats.ok("ds", "export", "ds:cats", target)
    abroad.ok("ds", "import", target)
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    assert "is there already" in cats.fails(2, "ds", "export", "ds:cats", target)
    cats.ok("ds", "export", "ds:cats", target, "-f")
    assert "ds:cats.v2: 1 new version" in abroad.ok("ds", "import", target).err
    assert abroad.names("ds:cats") == CATS | {"rex"}


def test_other_history_is_a_conflict(cats: Pets, abroad: Pets) -> None:
    target = str(cats.folder.parent / "cats.tar")
    cats.ok("ds", "export", "ds:cats", target)
    abroad.ok("ds", "import", target)
    cats.ok("stage", "ds:cats")
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    abroad.ok("merge", "ds:cats", "ds:cats", "--into", "ds:other")
    abroad.ok("ds", "del", "ds:cats")
    cats.ok("ds", "export", "ds:cats", target, "-f")
    before = abroad.ok("ds", "list", "-a").out, abroad.ok("list", "-s", "ds:root").out
    assert "--as ds:NEW" in abroad.fails(4, "ds", "import", target)
    assert (abroad.ok("ds", "list", "-a").out, abroad.ok("list", "-s", "ds:root").out) == before
    for _ in range(2):
        abroad.ok("ds", "import", target, "--as", "ds:theirs")
    assert abroad.names("ds:theirs") == CATS | {"rex"}
    assert abroad.names("ds:theirs.v1") == CATS
    assert [each["version"] for each in log(abroad, "ds:theirs")] == [
        "ds:theirs.v2", "ds:theirs.v1",
    ]  # fmt: skip
    assert abroad.ok("fsck").out == ""


def test_one_version(history: Pets, abroad: Pets) -> None:
    target = str(history.folder.parent / "one.tar")
    history.ok("ds", "export", "ds:cats.v1", target)
    abroad.ok("ds", "import", target)
    (only,) = log(abroad, "ds:cats")
    assert (only["version"], only["message"], only["parents"]) == ("ds:cats.v1", "the cats", [])
    assert abroad.names("ds:cats") == CATS
    assert "nothing new" in abroad.ok("ds", "import", target).err
    history.fails(4, "ds", "import", target)
    assert abroad.ok("fsck").out == ""


@pytest.mark.parametrize("where", ["pets.tar", "pets/"])
def test_with_data(history: Pets, abroad: Pets, where: str) -> None:
    target = str(history.folder.parent) + "/" + where
    (told,) = history.json("ds", "export", "ds:cats", target, "--with-data")
    assert told["data_objects"] == 4
    said = abroad.ok("ds", "import", target).err
    assert "it carries 4 data objects" in said
    files = abroad.folder.parent / "files"
    assert "add-storage" in abroad.fails(2, "ds", "import", target, "--data", str(files))
    files.mkdir()
    abroad.ok("add-storage", str(files))
    assert "wrote 4 data objects" in abroad.ok("ds", "import", target, "--data", str(files)).err
    assert sorted(each.read_text() for each in files.iterdir()) == sorted(
        path for path in PETS if Path(path).stem in {"tom", "kit", "rex", "owl"}
    )
    assert "wrote 0 data objects" in abroad.ok("ds", "import", target, "--data", str(files)).err
    assert len(abroad.names("ds:root", "--path", str(files))) == 4
    assert abroad.ok("fsck").out == ""


def test_known_objects_keep_what_they_have(history: Pets, abroad: Pets) -> None:
    other = abroad.folder.parent / "mine"
    other.mkdir()
    (other / "mine.jpg").write_text("cats/tom.jpg")
    (other / "mine.json").write_text('{"class": "mine"}')
    abroad.ok("add-storage", str(other))
    abroad.ok("index", str(other))
    abroad.ok("tag", "-a", "own", "ds:root")
    target = str(history.folder.parent / "cats.tar")
    history.ok("ds", "export", "ds:cats", target)
    (told,) = abroad.json("ds", "import", target)
    assert (told["new_objects"], told["new_annotations"]) == (3, 1)
    tom = history.id("tom")
    (value,) = abroad.json(
        "eval", tom, "--show", "class", "--file-show", "[tags, annotation_versions]"
    )
    assert json.dumps(value).count("mine") == 1
    assert '["own"],2' in json.dumps(value, separators=(",", ":"))
    assert abroad.names("ds:cats", "--query", "class == 'mine'") == set()


def test_another_hash(cats: Pets, abroad: Pets, tmp_path: Path) -> None:
    target = str(tmp_path / "cats.tar")
    cats.ok("ds", "export", "ds:cats", target)
    cats.ok("init", str(tmp_path / "sha"), "--object-hash", "sha256")
    result = cats.ldb("--instance", str(tmp_path / "sha"), "ds", "import", target)
    assert result.code == 4
    assert "expected sha256, found md5" in result.err


def test_usage(cats: Pets, tmp_path: Path) -> None:
    cats.fails(2, "ds", "export", "ds:root", str(tmp_path / "x"))
    cats.fails(3, "ds", "export", "ds:nothing", str(tmp_path / "x"))
    cats.fails(3, "ds", "import", str(tmp_path / "x"))
    cats.fails(3, "ds", "import", str(cats.data))
    cats.fails(2, "ds", "export", "ds:cats", str(cats.data) + "/")
    cats.fails(4, "ds", "export", "ds:cats", str(cats.data), "-f")
    cats.fails(2, "ds", "export", "ds:cats", str(cats.data) + "/", "-f")
    assert (cats.data / "cats/tom.jpg").exists()


def test_missing_data(own_pets: Pets) -> None:
    own_pets.ok("stage", "ds:pets")
    own_pets.ok("add", "ds:root")
    own_pets.ok("commit")
    (own_pets.data / "cats/tom.jpg").unlink()
    target = own_pets.folder.parent / "pets.tar"
    said = own_pets.fails(1, "ds", "export", "ds:pets", str(target), "--with-data")
    assert "tom" in said
    assert not target.exists()


# -- somebody else's file ----------------------------------------------------------------


def parcel(cats: Pets) -> Path:
    target = cats.folder.parent / "cats.tar"
    cats.ok("ds", "export", "ds:cats", str(target), "--with-data")
    return target


def rewritten(path: Path, change: str) -> Path:
    """The file with one thing wrong."""
    out = path.with_name("bad.tar")
    with tarfile.open(path) as old, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as new:
        for member in old.getmembers():
            data = old.extractfile(member)
            assert data is not None
            raw = data.read()
            if change == "pack" and member.name.endswith(".pack"):
                raw = raw[:200] + bytes([raw[200] ^ 1]) + raw[201:]
            if change == "data" and member.name.startswith("data/"):
                raw = bytes(len(raw))
            if change == "refs" and "refs/index" in member.name:
                continue
            from io import BytesIO

            member.size = len(raw)
            new.addfile(member, BytesIO(raw))
            if change == "twice":
                new.addfile(member, BytesIO(raw))
        extra = {
            "up": "../evil",
            "root": "/etc/evil",
            "code": "code/x.py",
            "inside": "instance/../x",
        }
        if change in extra:
            new.addfile(tarfile.TarInfo(extra[change]))
        if change == "link":
            link = tarfile.TarInfo("instance/objects/link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            new.addfile(link)
        if change == "long":
            new.addfile(tarfile.TarInfo("instance/" + "x" * 9000))
    return out


@pytest.mark.parametrize(
    "change", ["pack", "refs", "twice", "up", "root", "code", "inside", "link", "long"]
)
def test_a_file_with_something_wrong(cats: Pets, abroad: Pets, change: str) -> None:
    bad = rewritten(parcel(cats), change)
    before = sorted(each.name for each in abroad.folder.parent.rglob("*"))
    assert str(bad) in abroad.fails(5, "ds", "import", str(bad))
    assert sorted(each.name for each in abroad.folder.parent.rglob("*")) == before


def test_data_that_is_not_the_object(cats: Pets, abroad: Pets) -> None:
    bad = rewritten(parcel(cats), "data")
    files = abroad.folder.parent / "files"
    files.mkdir()
    abroad.ok("add-storage", str(files))
    abroad.fails(5, "ds", "import", str(bad), "--data", str(files))
    assert list(files.iterdir()) == []


def test_cut_anywhere(cats: Pets, abroad: Pets) -> None:
    whole = parcel(cats).read_bytes()
    cut = cats.folder.parent / "cut.tar"
    for size in (0, 100, 512, 5000, len(whole) // 2, len(whole) - 10240):
        cut.write_bytes(whole[:size])
        abroad.fails(5, "ds", "import", str(cut))
    assert abroad.ok("ds", "list").out == ""


def test_code_of_an_instance_stays_where_it_is(cats: Pets, abroad: Pets, tmp_path: Path) -> None:
    target = str(tmp_path / "out") + "/"
    cats.ok("ds", "export", "ds:cats", target)
    shutil.copytree(tmp_path / "out", tmp_path / "more")
    (tmp_path / "more/instance/custom_code").mkdir()
    (tmp_path / "more/instance/custom_code/x.py").write_text("boom")
    abroad.ok("ds", "import", str(tmp_path / "more"))
    assert not list((tmp_path / "abroad").rglob("*.py"))
