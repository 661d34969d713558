"""Many writers and no locks: every commit and every index run is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.catalog import key_bytes, open_catalog
from ldb.dataset import dataset_schema
from ldb.errors import Conflict
from ldb.history import dataset_root, head, resolve
from ldb.instance import Instance, create
from ldb.maps import scan
from ldb.objects.codec import decode
from ldb.objects.model import BlobType
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add
from ldb.porcelain.fsck import fsck
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.porcelain.storage import add_storage
from ldb.refs.name import dataset_ref, parse_version
from ldb.workspace import load_state

PROJECT = Path(__file__).parents[2]
WRITERS, COMMITS = 8, 10
LONGEST = 3600
"""Seconds after which a racer hangs."""


def write(folder: Path, number: int, note: object) -> str:
    """A data file with an annotation; its id."""
    folder.mkdir(parents=True, exist_ok=True)
    content = b"image %d" % number
    (folder / f"{number}.jpg").write_bytes(content)
    (folder / f"{number}.json").write_text(json.dumps(note))
    return md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    instance = create(LocalBackend(tmp_path / "instance"))
    (tmp_path / "data").mkdir()
    found = Place(instance, str(tmp_path), "Ann")
    add_storage(found, str(tmp_path / "data"))
    return found


@dataclass(frozen=True)
class Raced:
    """What racers said, how often each was not the first, and what it took."""

    made: dict[str, str]
    """Id or folder of each version."""
    lost: int
    seconds: float

    def __str__(self) -> str:
        return f"{len(self.made)} kept, {self.lost} races lost, {self.seconds:.0f} s"


def race(instance: Instance, *calls: list[str], environ: Mapping[str, str] = {}) -> Raced:
    """Run the calls at one moment."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.racing_commits", instance.url, *call],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT), **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for call in calls
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n", process.communicate()
    began = time.monotonic()
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said: list[list[str]] = []
    for process in started:
        out, err = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, err
        said += (line.split() for line in out.splitlines())
    made = {version: name for version, name in said if version != "lost"}
    assert len(made) == len(said) - len(started), "no version was made twice"
    lost = sum(int(each[1]) for each in said if each[0] == "lost")
    return Raced(made, lost, time.monotonic() - began)


def ids_in(instance: Instance, version: str) -> set[str]:
    root = dataset_root(resolve(instance, parse_version(version))).root
    chunks = scan(instance.objects, dataset_schema(instance), root)
    return {each.hex() for rows in chunks for each in key_bytes(rows.keys)}


def test_every_commit_is_kept(place: Place, tmp_path: Path) -> None:
    commits_are_kept(place, tmp_path, WRITERS, COMMITS)


def commits_are_kept(
    place: Place, tmp_path: Path, writers: int, commits: int, environ: Mapping[str, str] = {}
) -> Raced:
    """So many processes commit so often to one dataset: each version is there, and readable."""
    ids = [write(tmp_path / "data", number, number) for number in range(writers * commits)]
    index(place, [str(tmp_path / "data")])
    calls = [
        ["commit", str(tmp_path / f"w{at}"), *ids[commits * at : commits * (at + 1)]]
        for at in range(writers)
    ]
    raced = race(place.instance, *calls, environ=environ)
    made = raced.made
    wanted = {f"ds:cats.v{number}" for number in range(1, writers * commits + 1)}
    assert set(made) == wanted
    assert set(made.values()) == set(ids)
    seen: set[str] = set()
    for number in range(1, writers * commits + 1):
        content = ids_in(place.instance, f"ds:cats.v{number}")
        assert content == seen | {made[f"ds:cats.v{number}"]}
        seen = content
    assert fsck(place.instance.backend).sound
    return raced


def test_every_index_run_is_kept(place: Place, tmp_path: Path) -> None:
    index_runs_are_kept(place, tmp_path)


def index_runs_are_kept(
    place: Place,
    tmp_path: Path,
    writers: int = 4,
    runs: int = 1,
    environ: Mapping[str, str] = {},
) -> Raced:
    """Runs over different folders that hold some of the same data objects."""
    folders = [tmp_path / "data" / f"f{at}" for at in range(writers * runs)]
    ids = {
        write(folder, number, {"folder": at})
        for at, folder in enumerate(folders)
        for number in range(at * 5, at * 5 + 8)
    }
    calls = [["index", *map(str, folders[at::writers])] for at in range(writers)]
    raced = race(place.instance, *calls, environ=environ)
    assert set(raced.made) == {f"ds:root.v{number}" for number in range(1, len(folders) + 1)}
    assert set(raced.made.values()) == set(map(str, folders))
    catalog = open_catalog(place.instance)
    found = {each.hex() for rows in catalog.rows() for each in key_bytes(rows.keys)}
    assert found == ids
    assert sum(len(rows.keys) for rows in catalog.paths_under()) == len(folders) * 8 * 2
    assert fsck(place.instance.backend).sound
    assert index(place.refreshed(), [str(tmp_path / "data")]).report.new_paths == 0
    return raced


def test_one_object_changed_two_ways(place: Place, tmp_path: Path) -> None:
    """The second commit is refused; the first stays, and so does the second's draft."""
    data = tmp_path / "data"
    name = write(data, 1, {"label": "cat"})
    other = write(data, 2, {"label": "dog"})
    index(place, [str(data)])
    one, two = (Place(place.instance, str(tmp_path / each), "Ann") for each in ("one", "two"))
    stage(place.refreshed(), parse_version("ds:cats"), one.cwd)
    add(one, ["ds:root"])
    commit(one.refreshed())
    stage(place.refreshed(), parse_version("ds:cats"), two.cwd)

    for number, there in ((1, one), (2, two)):
        write(data, 1, {"label": f"opinion {number}"})
        index(place.refreshed(), [str(data)])
        add(there.refreshed(), [f"id:{name}"])
    assert str(commit(one.refreshed()).version) == "ds:cats.v2"
    before = load_state(two.cwd)
    with pytest.raises(Conflict, match=name):
        commit(two.refreshed())

    assert load_state(two.cwd) == before
    assert before.dirty
    newest = head(place.instance, dataset_ref("cats"))
    assert str(newest) == "ds:cats.v2"
    assert label_of(place.instance, "ds:cats.v2", name) == "opinion 1"
    assert label_of(place.instance, "ds:cats.v1", name) == "cat"
    assert ids_in(place.instance, "ds:cats.v2") == {name, other}
    assert fsck(place.instance.backend, two.cwd).sound


def label_of(instance: Instance, version: str, name: str) -> object:
    root = dataset_root(resolve(instance, parse_version(version))).root
    for rows in scan(instance.objects, dataset_schema(instance), root):
        at = [each.hex() for each in key_bytes(rows.keys)].index(name)
        oids = rows.fields[0][at : at + 1]
        ((_, payloads),) = instance.objects.scan(oids, BlobType.ANNOTATION)
        return decode(payloads[0])["label"]
    raise AssertionError(f"{name} is not in {version}")
