"""`ldb import-legacy`: the instance that LDB 0.7.0 made (tests/legacy/make.sh) is all there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from docs.generate import FOLDER
from tests.cli.porcelain.conftest import Pets
from tests.cli.porcelain.test_examples import examples
from tests.cli.porcelain.test_pages import BLOCK

FIXTURE = Path(__file__).resolve().parents[2] / "legacy/instance.tar.gz"
DATA = "/srv/pets/data"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The old instance, unpacked."""
    folder = tmp_path / "old"
    with tarfile.open(FIXTURE) as tar:
        for member in tar.getmembers():
            data = tar.extractfile(member)
            if data is not None:
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data.read())
    return folder


@pytest.fixture
def pets(ldb: object, tmp_path: Path) -> Pets:
    """An empty instance of this version."""
    world = Pets(ldb, tmp_path / "data", tmp_path / "work")  # type: ignore[arg-type]
    world.ok("init", str(tmp_path / "instance"))
    return world


def oid(content: str) -> str:
    return "id:" + hashlib.md5(content.encode()).hexdigest()


def values(pets: Pets, *args: str) -> list[Any]:
    """What `eval -j` prints."""
    return [
        json.loads(line)
        for line in pets.ok("eval", "-j", "--indent", "none", *args).out.splitlines()
    ]


def taken_in(pets: Pets, old: Path, code: int = 1) -> str:
    """Import; code 1, as the folder of the old storage location is not there."""
    result = pets("import-legacy", str(old))
    assert result.code == code, result
    return result.err


def test_everything_is_there(pets: Pets, old: Path) -> None:
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    said = taken_in(pets, old)
    assert "ds:cats.v3: 3 new versions" in said
    assert "ds:dogs.v1: 1 new version" in said
    assert "7 data objects, 0 of them known before" in said
    assert f"storage location file://{DATA}" in said
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    log = pets.json("log", "ds:cats")
    assert [each["message"] for each in log] == ["", "a fat cat", "the cats"]
    assert [each["version"] for each in log] == ["ds:cats.v3", "ds:cats.v2", "ds:cats.v1"]
    told = json.loads(next(old.glob("objects/dataset_versions/*/*")).read_text())["commit_info"]
    assert told["created_by"] in {each["author"] for each in log}
    assert pets.ok("fsck").out == ""


def test_datasets(pets: Pets, old: Path) -> None:
    taken_in(pets, old)
    assert pets.names("ds:cats.v1") == {"again", "c2", "c3"}
    assert pets.names("ds:cats") == {"again", "c2", "d2"}
    assert pets.names("ds:dogs") == {"d1", "d2", "d3"}
    show = ("--jshow", "@")
    assert values(pets, "ds:cats.v1", "--query", "n == `1`", *show) == [{"class": "cat", "n": 1}]
    assert values(pets, "ds:cats.v2", "--query", "n == `1`", *show) == [
        {"class": "cat", "fat": True, "n": 1}
    ]
    assert "+ " + oid("dog 2") in pets.ok("diff", "ds:cats.v2", "ds:cats.v3").out


def test_index(pets: Pets, old: Path) -> None:
    taken_in(pets, old)
    assert len(pets.ok("list", "ds:root").out.splitlines()) == 7
    assert pets.names("ds:root", "--tag", "nice") == {"again", "d1"}
    assert pets.names(f"{DATA}/dogs") == {"d1", "d2", "d3", "lone"}
    show = "[size, type, annotation_versions, alternate_paths[].path, fs.mode]"
    (value,) = values(pets, oid("cat 1"), "--file-show", show)
    paths = [f"{DATA}/cats/again.jpg", f"{DATA}/cats/c1.jpg"]
    assert value[:4] == [5, "jpg", 2, paths]
    (value,) = values(pets, oid("lonely"), "--file-show", "annotation_versions")
    assert value == 0


def test_transforms(pets: Pets, old: Path) -> None:
    taken_in(pets, old)
    root = pets.ok("rev-parse", "ds:cats:dataset").out.strip()
    rows = dict(line.split("\t", 1) for line in pets.ok("ls-map", root).out.splitlines())
    own = rows[oid("cat 2")[3:]].split("\t")[1]
    assert json.loads(pets.ok("cat-file", "-p", own).out) == {
        "grey": ["python", "grey.py"], "self": None,
    }  # fmt: skip
    assert rows[oid("cat 1")[3:]].split("\t")[1] in ("-", "0" * 64)


def test_twice_is_the_same(pets: Pets, old: Path) -> None:
    taken_in(pets, old)
    before = pets.ok("ds", "list", "-a").out, pets.ok("rev-parse", "ds:root").out
    assert "nothing new" in taken_in(pets, old)
    assert (pets.ok("ds", "list", "-a").out, pets.ok("rev-parse", "ds:root").out) == before


def test_location_that_is_there(pets: Pets, old: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    folder.mkdir()
    storage = old / "storage"
    storage.write_text(storage.read_text().replace(DATA, str(folder)))
    assert f"storage location file://{folder}" in taken_in(pets, old, 0)
    (told,) = pets.json("storage", "list")
    assert [each["url"] for each in told] == [f"file://{folder}"] or str(folder) in str(told)


def test_clouds(pets: Pets, old: Path) -> None:
    """Paths as fsspec's file systems name them; options may be secret and are left."""
    storage = json.loads((old / "storage").read_text())
    where = {"path": "bucket/pets", "protocol": "s3", "options": {"secret": "abc"}}
    storage["locations"] = [{**storage["locations"][0], **where}]
    (old / "storage").write_text(json.dumps(storage))
    name = oid("dog 1")[3:]
    meta = old / "data_object_info" / name[:3] / name[3:] / "meta"
    value = json.loads(meta.read_text())
    value["fs"] |= {"protocol": ["s3", "s3a"], "path": "bucket/pets/d1.png"}
    value["alternate_paths"] = [{"fs_id": "", "path": "c/d1.png", "protocol": ["abfs", "az"]}]
    meta.write_text(json.dumps(value))
    said = taken_in(pets, old)
    assert "s3://bucket/pets is left to you (its options are not taken over)" in said
    assert "abc" not in said
    (paths,) = values(pets, oid("dog 1"), "--file-show", "alternate_paths[].path")
    assert paths == ["az://c/d1.png", "s3://bucket/pets/d1.png"]


def test_damage_is_told_and_the_rest_is_read(pets: Pets, old: Path) -> None:
    name = oid("dog 1")[3:]
    (old / "data_object_info" / name[:3] / name[3:] / "meta").write_text("{")
    note = next(
        each for each in old.glob("objects/annotations/*/*/user") if '"n": 2}' in each.read_text()
    )
    note.write_text('{"n": }')
    said = taken_in(pets, old)
    assert f"data object {name}: " in said
    assert "annotation" in said
    assert "ds:dogs.v1: 1 data object(s) that its index lacks" in said
    assert pets.names("ds:dogs") == {"d2", "d3"}
    shutil.rmtree(old / "objects/collections")
    assert "dataset cats: " in taken_in(pets, old)


def test_other_history(pets: Pets, old: Path) -> None:
    data = pets.data
    data.mkdir()
    (data / "x.jpg").write_text("x")
    pets.ok("add-storage", str(data))
    pets.ok("index", str(data))
    pets.ok("stage", "ds:dogs")
    pets.ok("add", "ds:root")
    pets.ok("commit")
    assert "ds:dogs" in pets.fails(4, "import-legacy", str(old))
    assert len(pets.ok("list", "ds:root").out.splitlines()) == 1


def test_examples(pets: Pets, old: Path, home: Path) -> None:
    storage = old / "storage"
    pets.data.mkdir()
    storage.write_text(storage.read_text().replace(DATA, str(pets.data)))
    shutil.copytree(old, home / ".ldb/private_instance", dirs_exist_ok=True)
    shutil.copytree(old, pets.folder / "old/instance")
    for words in examples("import-legacy"):
        pets.ok(*words)


def test_page(pets: Pets, old: Path) -> None:
    """The session in the page is what is printed, but for the location, which is not there."""
    page = (FOLDER / "import-legacy.md").read_text("utf-8")
    shutil.copytree(old, pets.folder / "old/instance")
    lines = taken_in(pets, pets.folder / "old/instance").splitlines()
    shown = BLOCK.findall(page)[0].splitlines()
    assert shown[1:-1] == [line for line in lines if not line.startswith(("warning", "hint"))]
    assert shown[-1] == f"storage location file://{DATA}"


def test_what_is_none(pets: Pets, tmp_path: Path) -> None:
    assert "`ldb ds export`" in pets.fails(2, "import-legacy", str(tmp_path / "instance"))
    pets.fails(3, "import-legacy", str(tmp_path))
    pets.fails(3, "import-legacy", str(tmp_path / "nowhere"))
