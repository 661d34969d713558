"""Instance and data in one bucket: every command that changes or carries a dataset, in one life.

What each command does is told by its own tests; here it is that a bucket makes no difference.
Each is run twice, and the second run has nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ldb
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.formats.boxes.labels import box, image, png

pytestmark = [pytest.mark.cloud, pytest.mark.slow]

COUNT = 12
SECRETS = (servers.SECRET, servers.AZURE_KEY)
UPPER = """
import json, sys
given = json.load(sys.stdin)
open("up.txt", "wb").write(open(given["data"], "rb").read().upper())
"""


def content(number: int) -> bytes:
    return b"image %d" % number


def note(number: int, **more: Any) -> dict[str, Any]:
    """What is said of an image: every third is a dog, four of them are of one film."""
    label = "cat" if number % 3 else "dog"
    return {"label": label, "number": number, "film": number // 4, **more}


def id_of(number: int) -> str:
    return hashlib.md5(content(number)).hexdigest()


class Life:
    """Runs commands on an instance in a bucket, whose data lies beside it."""

    def __init__(self, ldb: Ldb, bucket: Bucket, folder: Path) -> None:
        self._ldb, self.bucket, self.folder = ldb, bucket, folder
        self.instance, self.data = f"{bucket.url}/team/ldb", f"{bucket.url}/data"
        self.work = Path(os.getcwd())

    def put(self, values: Mapping[str, bytes]) -> None:
        """Store objects below the data."""
        self.bucket.fill({f"data/{name}": value for name, value in values.items()})

    def run(self, *words: str, code: int = 0) -> str:
        done = self._ldb(*words)
        os.chdir(self.work)
        said = done.out + done.err
        assert done.code == code, (words, said)
        assert "Traceback" not in said
        assert not [each for each in SECRETS if each in said]
        return said

    def json(self, *words: str) -> list[Any]:
        done = self._ldb(*words, "--json")
        os.chdir(self.work)
        assert done.code == 0, (words, done)
        return [json.loads(line) for line in done.out.splitlines()]

    def numbers(self, *words: str) -> set[int]:
        """The images that `list` prints."""
        found = {each["id"]: each for each in self.json("list", *words)}
        known = {id_of(number): number for number in range(4 * COUNT)}
        return {known[each] for each in found}

    def newest(self, name: str) -> int:
        """The number of a dataset's newest version."""
        return int(self.json("log", name)[0]["version"].rpartition(".v")[2])


@pytest.fixture(params=["hot_s3", "gs", "az"])
def life(
    request: pytest.FixtureRequest, ldb: Ldb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Life]:
    bucket: Bucket = request.getfixturevalue(f"{request.param}_bucket")
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    found = Life(ldb, bucket, tmp_path)
    found.run("init", found.instance)
    for number in range(COUNT):
        found.put({
            f"pets/{number}.jpg": content(number),
            f"pets/{number}.json": json.dumps(note(number)).encode(),
        })  # fmt: skip
    found.run("add-storage", found.data)
    yield found
    assert "all sound" in found.run("fsck")
    for key in bucket.raw.list("team/"):
        assert not [each for each in SECRETS if each.encode() in bucket.raw.get(key)], key


def test_life(life: Life) -> None:
    indexed(life)
    tagged(life)
    transformed(life)
    synced(life)
    verified(life)
    pulled(life)
    refreshed(life)
    merged(life)
    split_and_thinned(life)
    renamed(life)
    carried(life)


def indexed(life: Life) -> None:
    said = life.run("index", f"{life.data}/pets")
    assert f"data objects: {COUNT} found, {COUNT} new" in said
    again = life.run("index", f"{life.data}/pets")
    assert f"data objects: {COUNT} found, 0 new" in again
    assert "paths:        0 new, 0 gone" in again
    life.run("stage", "ds:pets", "pets")
    life.run("-C", "pets", "add", "ds:root")
    assert f"ds:pets.v1: {COUNT} data objects" in life.run("-C", "pets", "commit")
    assert "nothing to commit" in life.run("-C", "pets", "commit")
    assert life.numbers("ds:pets") == set(range(COUNT))


def tagged(life: Life) -> None:
    few = ("ds:pets", "--query", "number < `3`")
    before = life.newest("ds:root")
    assert "other tags for 3 data objects" in life.run("tag", "-a", "small,young", *few)
    assert "no tag to change" in life.run("tag", "-a", "small,young", *few)
    one = f"{life.data}/pets/1.jpg"
    assert "other tags for 1 data object" in life.run("tag", "-r", "young", one)
    assert "no tag to change" in life.run("tag", "-r", "young", one)
    assert life.newest("ds:root") == before + 2
    assert life.numbers("ds:pets", "--tag", "small") == {0, 1, 2}
    assert life.numbers("ds:root", "--tag", "young") == {0, 2}
    assert life.numbers("--no-tag", "young", f"{life.data}/pets") == set(range(COUNT)) - {0, 2}


def transformed(life: Life) -> None:
    program = life.folder / "up"
    program.write_text(f"#!{sys.executable}\n{UPPER}")
    program.chmod(0o755)
    life.run("config", "set", "transform.up.run", json.dumps([str(program)]))
    dogs = ("-C", "pets", "transform", "-a", "up", "--query", "label == 'dog'")
    assert "other transforms for 4 of 4" in life.run(*dogs)
    assert "other transforms for 0 of 4" in life.run(*dogs)
    assert f"ds:pets.v2: {COUNT} data objects" in life.run("-C", "pets", "commit")
    assert "4 outputs of transforms" in life.run("-C", "pets", "instantiate")
    for number in range(COUNT):
        there = f"{number}-{id_of(number)}"
        assert (life.work / "pets" / f"{there}.jpg").read_bytes() == content(number)
        assert json.loads((life.work / "pets" / f"{there}.json").read_text()) == note(number)
        output = life.work / "pets" / f"{there}.up.up.txt"
        assert output.exists() == (number % 3 == 0)
        if output.exists():
            assert output.read_bytes() == content(number).upper()
    again = life.run("-C", "pets", "instantiate")
    assert "wrote 0 data objects and 0 annotations" in again
    assert "28 files there already" in again


def synced(life: Life) -> None:
    (life.work / "pets" / f"4-{id_of(4)}.json").write_text(json.dumps(note(4, edited=True)))
    (life.work / "pets" / f"5-{id_of(5)}.jpg").unlink()
    said = life.run("-C", "pets", "sync")
    assert "read 1 edited annotation" in said
    assert "removed 1, updated 1; the draft has 11 data objects" in said
    assert "nothing to change" in life.run("-C", "pets", "sync")
    assert "ds:pets.v3: 11 data objects" in life.run("-C", "pets", "commit")
    assert life.numbers("ds:pets", "--query", "edited") == {4}
    assert life.numbers("ds:pets.v2", "--query", "edited") == set()
    assert 5 not in life.numbers("ds:pets")


def verified(life: Life) -> None:
    assert "11 paths of 11 data objects, 11 ok" in life.run("verify", "ds:pets")
    life.put({"pets/9.jpg": b"overwritten"})
    life.bucket.raw.delete("data/pets/10.jpg")
    for more in ((), ("--quick",)):
        said = life.run("verify", "ds:pets", *more, code=5)
        assert re.search(r"changed +\S+/pets/9\.jpg", said)
        assert re.search(r"missing +\S+/pets/10\.jpg", said)
        assert "9 ok, 1 changed, 1 missing" in said
    life.put({"pets/9.jpg": content(9), "pets/10.jpg": content(10)})
    assert "11 ok" in life.run("verify", "ds:pets")
    life.run("index", f"{life.data}/pets")
    assert "11 ok" in life.run("verify", "ds:pets", "--quick")


def pulled(life: Life) -> None:
    life.put({"pets/7.json": json.dumps(note(7, checked=True)).encode()})
    assert "annotations:  12 found, 1 new" in life.run("index", f"{life.data}/pets")
    assert "1 of 11 data objects updated" in life.run("-C", "pets", "pull")
    assert "0 of 11 data objects updated" in life.run("-C", "pets", "pull")
    assert "ds:pets.v4: 11 data objects" in life.run("-C", "pets", "commit")
    assert life.numbers("ds:pets", "--query", "checked") == {7}
    assert "2 of 11 data objects updated" in life.run("-C", "pets", "pull", "v1")
    life.run("stage", "-f", "ds:pets", "pets")
    (counted,) = life.json("stats", "ds:pets", "--by", "label")
    assert counted["objects"] == 11
    assert {each["value"]: each["count"] for each in counted["by"]["values"]} == {
        "cat": 7,
        "dog": 4,
    }


def refreshed(life: Life) -> None:
    life.put({"pets/20.jpg": content(20), "pets/20.json": json.dumps(note(20)).encode()})
    assert "what its recipe gives today" in life.run("refresh", "ds:pets", "--dry-run")
    life.run("index", f"{life.data}/pets")
    said = life.run("refresh", "ds:pets")
    assert "ds:pets.v5: 12 data objects (+1 -0 ~0 from ds:pets.v4)" in said
    assert "ds:pets.v5 is what its recipe gives today" in life.run("refresh", "ds:pets")
    assert life.numbers("ds:pets") == {*range(COUNT), 20} - {5}


def merged(life: Life) -> None:
    life.run("stage", "ds:pets.v4", "mine")
    life.run("-C", "mine", "del", "--query", "number == `1`")
    life.run("-C", "mine", "commit", "ds:mine")
    assert "ds:pets.v6: 11 data objects (+0 -1 ~0" in life.run("merge", "ds:pets", "ds:mine")
    assert "nothing to merge" in life.run("merge", "ds:pets", "ds:mine")
    life.run("-C", "mine", "del", "--query", "number == `2`")
    life.run("-C", "mine", "commit", "ds:mine")
    life.run("stage", "-f", "ds:pets", "pets")
    life.run("-C", "pets", "transform", "-a", "up", f"id:{id_of(2)}")
    life.run("-C", "pets", "commit")
    said = life.run("merge", "ds:pets", "ds:mine", code=4)
    assert f"conflict id:{id_of(2)}" in said
    assert life.newest("ds:pets") == 7
    assert "ds:pets.v8: 10 data objects" in life.run("merge", "ds:pets", "ds:mine", "--theirs")
    assert life.numbers("ds:pets") == {*range(COUNT), 20} - {1, 2, 5}


def split_and_thinned(life: Life) -> None:
    halves = ("split", "ds:pets", "train=.5", "test=.5", "--by", "film")
    assert "as before" not in life.run(*halves)
    parts = [life.numbers(f"ds:pets-{part}") for part in ("train", "test")]
    assert parts[0] | parts[1] == life.numbers("ds:pets")
    assert not {each // 4 for each in parts[0]} & {each // 4 for each in parts[1]}
    assert life.run(*halves).count("as before") == 2
    life.run("stage", "ds:pets", "thin")
    assert "the draft has 4" in life.run("-C", "thin", "dedup", "--by", "film")
    assert "removed 0 data objects" in life.run("-C", "thin", "dedup", "--by", "film")
    life.put({"pets/copy.jpg": content(2)})
    life.run("index", f"{life.data}/pets")
    said = life.run("dedup", "ds:root", "--copies")
    assert re.findall(r"\S+/(?:2|copy)\.jpg", said) == [
        f"{life.data}/pets/2.jpg", f"{life.data}/pets/copy.jpg"
    ]  # fmt: skip


def renamed(life: Life) -> None:
    life.run("ds", "rename", "ds:mine", "ds:ours")
    life.run("ds", "rename", "ds:mine", "ds:ours", code=3)
    (listed,) = life.json("ds", "list")
    names = {each["version"].partition(".")[0] for each in listed}
    assert names == {"ds:pets", "ds:pets-train", "ds:pets-test", "ds:ours"}
    assert life.numbers("ds:ours") == life.numbers("ds:mine.v2")


def carried(life: Life) -> None:
    """To an instance in a folder, and to another one in the bucket."""
    alone = str(life.folder / "alone")
    other = f"{life.bucket.url}/team/other"
    for where in (alone, other):
        life.run("init", where)
    life.run("ds", "export", "ds:pets", "pets.tar")
    life.run("ds", "export", "ds:pets", "pets.tar", code=2)
    there = ("--instance", alone)
    assert "8 new versions" in life.run(*there, "ds", "import", "pets.tar")
    assert "nothing new" in life.run(*there, "ds", "import", "pets.tar")
    assert told(life, *there) == told(life)
    life.run(*there, "instantiate", "ds:pets", "-t", "from-alone")
    # on from there, and back
    life.run(*there, "stage", "ds:pets", "away")
    life.run("-C", "away", "del", "--query", "label == 'dog'")
    assert "ds:pets.v9: 6 data objects" in life.run("-C", "away", "commit")
    life.run(*there, "ds", "export", "ds:pets", "back.tar", "--with-data")
    assert "ds:pets.v9: 1 new version" in life.run("ds", "import", "back.tar")
    assert "ds:pets.v9: nothing new" in life.run("ds", "import", "back.tar")
    assert told(life) == told(life, *there)
    # with its data, to where the bucket's data is not known
    there = ("--instance", other)
    life.run(*there, "add-storage", str(life.folder))
    data = str(life.folder / "brought")
    said = life.run(*there, "ds", "import", "back.tar", "--data", data)
    assert "9 new versions" in said
    brought = {path.stem: path.read_bytes() for path in Path(data).rglob("*.jpg")}
    assert brought == {id_of(each): content(each) for each in (*range(COUNT), 20)}
    assert told(life, *there) == told(life)
    # a bucket is not written to by these
    files = sorted(os.listdir(life.work))
    for words in (
        ("ds", "export", "ds:pets", f"{life.data}/pets.tar"),
        ("ds", "import", f"{life.data}/pets.tar"),
        ("ds", "import", "back.tar", "--data", f"{life.data}/brought"),
        ("instantiate", "ds:pets", "-t", f"{life.data}/out"),
        ("stage", "ds:pets", f"{life.data}/out"),
    ):
        assert "not a path on this machine" in life.run(*words, code=2)
    assert sorted(os.listdir(life.work)) == files


def told(life: Life, *where: str) -> list[Any]:
    """ds:pets: what its log says, and every annotation of every version."""
    found: list[Any] = life.json(*where, "log", "ds:pets")
    for at in range(1, life.newest("ds:pets") + 1):
        found += life.json(*where, "eval", f"ds:pets.v{at}", "--jshow", "@")
    return found


BOXES = {
    "a": image(box("cat", 10, 20, 30, 40), subset="train"),
    "b": image(box("dog", 1, 2, 3, 4), box("cat", 5, 6, 7, 8), subset="val"),
    "c": image(subset="train"),
}


def test_boxes(life: Life) -> None:
    """Written by one format, put into the bucket, read there, and written as it was."""
    for at, (name, value) in enumerate(BOXES.items()):
        text = json.dumps(value).encode()
        life.put({f"boxes/{name}.png": png() + bytes([at]), f"boxes/{name}.json": text})
    life.run("index", f"{life.data}/boxes")
    source = f"{life.data}/boxes"
    for kind in ("coco", "yolo", "voc", "cvat", "openimages"):
        place = f"{life.data}/{kind}"
        life.run("instantiate", source, "-m", kind, "-t", kind)
        written = below(life.work / kind)
        assert len([each for each in written if each.endswith(".png")]) == len(BOXES)
        life.put({f"{kind}/{name}": value for name, value in written.items()})
        said = life.run("index", place)
        assert f"read as {kind}:" in said
        assert "data objects: 3 found, 0 new" in said
        assert " 0 read" in life.run("index", "-m", kind, place)
        labels = life.json("eval", place, "--jshow", "objects[].label")
        assert sorted(map(json.dumps, (each["values"][0] or [] for each in labels))) == [
            '["cat"]', '["dog", "cat"]', "[]"
        ]  # fmt: skip
        life.run("instantiate", place, "-m", kind, "-t", f"{kind}-again")
        assert below(life.work / f"{kind}-again") == written
        again = life.run("instantiate", place, "-m", kind, "-t", f"{kind}-again")
        assert "wrote 0 data objects" in again
        assert below(life.work / f"{kind}-again") == written


def below(folder: Path) -> dict[str, bytes]:
    """Files below a folder, but for LDB's own."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".")
    }
