"""Porcelain is made of plumbing: the same steps by plumbing commands give the same oids."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ldb.dataset import count_changes, diff_maps
from ldb.history import Version, dataset_root, encode_commit, head, load_commit
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add, delete
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.plumbing.blobs import value_of
from ldb.porcelain.stage import stage
from ldb.porcelain.storage import add_storage
from ldb.query.selection import FilterSpec
from ldb.refs.name import INDEX, dataset_ref, parse_version
from tests.cli.plumbing.conftest import NONE, Run

CATS = dataset_ref("cats")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty data files with annotations."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.jpg").write_bytes(b"image %d" % number)
        value = {"n": number, "class": "cat" if number % 2 else "dog"}
        (folder / f"{number}.json").write_text(json.dumps(value))
    return folder


@pytest.fixture
def versions(run: Run, data: Path, tmp_path: Path) -> list[Version]:
    """Two versions of ds:cats, made by porcelain on the instance of `run`."""
    draft = tmp_path / "draft"
    place = Place(run.instance, str(tmp_path), "Ann")
    add_storage(place, str(data))
    index(place, [str(data)])
    stage(place, parse_version("ds:cats"), str(draft))
    place = Place(run.instance, str(draft), "Ann")
    add(place, ["ds:root"], [FilterSpec("query", "class == 'cat'")])
    first = commit(place, "cats").version
    (data / "1.json").write_text('{"n": 1, "class": "cat", "checked": true}')
    index(place.refreshed(), [str(data)])
    place = place.refreshed()
    add(place, ["ds:root"], [FilterSpec("query", "n < `4`")])
    delete(place, ["ds:cats"], [FilterSpec("query", "n > `30`")])
    second = commit(place, "fewer").version
    assert first is not None
    assert second is not None
    return [first, second]


def rows_of(run: Run, data: Path, numbers: list[int]) -> str:
    """Rows of a dataset of these files, from the files alone."""
    notes = run("hash-object", "-w", *(str(data / f"{n}.json") for n in numbers)).lines
    ids = [hashlib.md5((data / f"{n}.jpg").read_bytes()).hexdigest() for n in numbers]
    return "".join(f"{key}\t{note}\t{NONE}\n" for key, note in zip(ids, notes))


def plumbed(run: Run, version: Version, maps: dict[str, str], *parents: str) -> str:
    """A commit with the fields of `version`, by plumbing; it becomes the next version."""
    made = version.commit
    operations = json.loads(_shown(version))["operations"]
    words = ["--name", made.name, "-m", made.message, "--author", made.author]
    words += ["--time", str(made.time), "--operations", "-"]
    words += [word for name, root in maps.items() for word in ("--map", f"{name}={root}")]
    words += [word for parent in parents for word in ("-p", parent)]
    oid = run("commit-map", *words, stdin=json.dumps(operations)).text
    run("update-ref", str(version.ref), oid, parents[0] if parents else "")
    return oid


def _shown(version: Version) -> str:
    return json.dumps(value_of(encode_commit(version.commit)))


def test_build_commit_and_diff(run: Run, other: Run, data: Path, versions: list[Version]) -> None:
    changed = (data / "1.json").read_text()
    (data / "1.json").write_text('{"n": 1, "class": "cat"}')
    root = other("mk-map", "-t", "dataset", stdin=rows_of(other, data, [*range(1, 40, 2)])).text
    assert root == str(dataset_root(versions[0]).root)
    first = plumbed(other, versions[0], {"dataset": root})
    assert first == str(versions[0].oid)

    (data / "1.json").write_text(changed)
    numbers = [0, 2, *range(1, 31, 2)]
    root = other("mk-map", "-t", "dataset", stdin=rows_of(other, data, numbers)).text
    assert root == str(dataset_root(versions[1]).root)
    assert plumbed(other, versions[1], {"dataset": root}, first) == str(versions[1].oid)

    lines = other("diff-map", "ds:cats~1", "ds:cats").lines
    assert lines == run("diff-map", "ds:cats.v1", "ds:cats.v2").lines
    old, new = map(dataset_root, versions)
    instance = run.instance
    counts = count_changes(diff_maps(instance, instance.objects, old, new))
    kinds = [line[0] for line in lines]
    assert (counts.added, counts.removed, counts.changed) == tuple(map(kinds.count, "ADM"))
    assert kinds.count("A") == 2
    assert kinds.count("D") == 5
    assert kinds.count("M") == 1


def test_what_plumbing_made_is_porcelains(
    other: Run, data: Path, versions: list[Version], tmp_path: Path
) -> None:
    rows = rows_of(other, data, [1, 3])
    root = other("mk-map", "-t", "dataset", stdin=rows).text
    other(
        "update-ref",
        "ds:mine",
        other("commit-map", "--name", "mine", "--map", f"dataset={root}").text,
    )
    draft = tmp_path / "mine"
    staged = stage(
        Place(other.instance, str(tmp_path), "Ann"), parse_version("ds:mine"), str(draft)
    )
    assert staged.workspace.state.root.count == 2
    place = Place(other.instance, str(draft), "Ann")
    version = commit(place, name="yours").version
    assert version is not None
    assert str(dataset_root(version).root) == root


def test_the_index(run: Run, other: Run, versions: list[Version]) -> None:
    """Records and rows go through their text; the index comes out the same."""
    for oid, kind in (line.split() for line in run("rev-list", "--objects", "ds:root").lines):
        if kind in ("annotation", "record"):
            shown = run("cat-file", "-p", oid).raw
            assert other("hash-object", "-w", "-t", kind, "--stdin", stdin=shown).text == oid
    history = list(run.instance.refs.history(INDEX))[::-1]
    assert len(history) == 2
    parents: list[str] = []
    for number, ref in enumerate(history, start=1):
        maps = {}
        for name in ("objects", "paths"):
            rows = run("ls-map", f"ds:root.v{number}:{name}").raw
            maps[name] = other("mk-map", "-t", name, stdin=rows).text
        assert ref.target is not None
        version = Version(INDEX, number, ref.target, load_commit(run.instance, ref.target))
        parents = [plumbed(other, version, maps, *parents)]
        assert parents == [str(ref.target)]
    # an index run is undone by pointing the next version at the commit before
    assert other("update-ref", "ds:root", "ds:root~1").text == "ds:root.v3"
    undone = head(other.instance, INDEX)
    assert undone is not None
    assert undone.oid == history[0].target
