"""`ldb update-ref`."""

from __future__ import annotations

import io
import threading
from pathlib import Path

from ldb.backends.local import LocalBackend
from ldb.errors import Conflict
from ldb.history import Commit, MapRoot, encode_commit
from ldb.ids import Oid
from ldb.instance import Instance, open_instance
from ldb.objects.model import Blob, BlobType
from ldb.porcelain.plumbing.maps import schema_named
from ldb.porcelain.plumbing.mk_map import mk_map
from ldb.porcelain.plumbing.refs import Expected, update_ref
from ldb.refs.name import dataset_ref
from tests.cli.plumbing.conftest import NONE, Run, object_id, stored


def test_new_versions(run: Run) -> None:
    one = run.commit("cats", {})
    two = run.commit("cats", {object_id("a"): run.note(1)}, one)
    assert run("update-ref", "ds:cats", one).text == "ds:cats.v1"
    assert run("update-ref", "ds:cats", two[:8]).text == "ds:cats.v2"
    assert run("update-ref", "--json", "ds:cats", "ds:cats~1").values == [
        {"version": "ds:cats.v3", "commit": one}
    ]
    assert run("rev-parse", "ds:cats", "ds:cats.v1", "ds:cats.v2").lines == [one, one, two]


def test_same_again_makes_no_version(run: Run) -> None:
    one = run.save("cats", {})
    assert run("update-ref", "ds:cats", one).text == "ds:cats.v1"
    assert run("update-ref", "ds:cats", one, one).text == "ds:cats.v1"


def test_compare_and_swap(run: Run) -> None:
    one = run.commit("cats", {})
    two = run.commit("cats", {object_id("a"): run.note(1)}, one)
    lost = run("update-ref", "ds:cats", one, two, code=4)
    assert "no such ref" in lost.err
    assert run("update-ref", "ds:cats", one, "").text == "ds:cats.v1"
    for nothing in ("", NONE, "0"):
        assert one in run("update-ref", "ds:cats", two, nothing, code=4).err
    assert run("update-ref", "ds:cats", two, "ds:cats").text == "ds:cats.v2"
    lost = run("update-ref", "ds:cats", one, one, code=4)
    assert one in lost.err
    assert two in lost.err
    assert run("rev-parse", "ds:cats").text == two


def test_delete(run: Run) -> None:
    one = run.save("cats", {})
    two = run.commit("cats", {object_id("a"): run.note(1)}, one)
    run("update-ref", "-d", "ds:cats", two, code=4)
    assert run("update-ref", "-d", "--json", "ds:cats", one).values == [
        {"version": "ds:cats.v2", "commit": None}
    ]
    run("update-ref", "-d", "ds:cats", code=3)
    run("update-ref", "-d", "ds:dogs", code=3)
    assert run("update-ref", "ds:cats", two, "").text == "ds:cats.v3"


def test_undo_of_an_index_run(run: Run) -> None:
    objects = [run("mk-map", "-t", "objects", "--missing", stdin=text).text for text in
               ("", f"{object_id('a')}\t{'1' * 64}\t{NONE}\n")]  # fmt: skip
    paths = run("mk-map", "-t", "paths").text
    for number, root in enumerate(objects, start=1):
        parents = ("-p", "ds:root") if number > 1 else ()
        maps = ("--map", f"objects={root}", "--map", f"paths={paths}")
        oid = run("commit-map", "--name", "root", *maps, *parents, "--time", str(number)).text
        run("update-ref", "ds:root", oid)
    assert run("update-ref", "ds:root", "ds:root~1").text == "ds:root.v3"
    assert run("rev-parse", "ds:root:objects", "ds:root.v2:objects").lines == objects
    # a commit of the index is none of a dataset, nor the other way round
    assert "needs dataset" in run("update-ref", "ds:cats", "ds:root", code=2).err
    cats = run.save("cats", {})
    assert "needs objects, paths" in run("update-ref", "ds:root", cats, code=2).err


def test_wrong_names(run: Run) -> None:
    one = run.save("cats", {})
    for ref in ("cats", "ds:cats.v1", "ds:cats~1", "ds:", "settings", "ds:a/b", one):
        run("update-ref", ref, one, code=2)
    run("update-ref", "ds:dogs", run.note(1), code=2)
    run("update-ref", "ds:dogs", "123456", code=3)
    run("update-ref", "ds:dogs", code=2)
    run("update-ref", "ds:dogs", one, one, one, code=2)
    run("update-ref", "-d", "ds:dogs", one, one, code=2)
    assert run("show-ref").lines == [f"{one} ds:cats"]


def test_commit_must_be_whole(run: Run, other: Run) -> None:
    note = run.note(1)
    whole = run.dataset({object_id(str(n)): note for n in range(600)})
    leaf = run("cat-file", "-p", whole).lines[3].split("\t")[1]
    _copy_without(run.instance, other.instance, leaf)
    commit = encode_commit(Commit("x", 1, {"dataset": MapRoot(Oid.from_hex(whole), 600)}))
    error = other("update-ref", "ds:x", stored(other, commit), code=3).err
    assert leaf in error
    assert "not all there" in error
    assert other("show-ref").out == ""
    wrong = encode_commit(Commit("x", 1, {"dataset": MapRoot(Oid.from_hex(whole), 599)}))
    assert "600 rows" in run("update-ref", "ds:x", stored(run, wrong), code=2).err
    absent = encode_commit(Commit("x", 1, {"dataset": MapRoot(Oid(bytes(32)), 0)}))
    run("update-ref", "ds:x", stored(run, absent), code=3)
    run("update-ref", "ds:x", stored(run, Blob(BlobType.COMMIT, b"\x80")), code=5)


def _copy_without(instance: Instance, copy: Instance, missing: str) -> None:
    with copy.objects.writer() as writer:
        for oid in instance.objects.oids():
            if str(oid) != missing:
                blob = instance.objects.get(oid)
                writer.add(blob.type, blob.payload)


def _commits(instance: Instance, count: int) -> list[Oid]:
    root = mk_map(instance, schema_named(instance, "dataset"), io.BytesIO())
    maps = {"dataset": MapRoot(root.oid, 0)}
    blobs = [encode_commit(Commit("x", 1, maps, time=n)) for n in range(count)]
    return [instance.objects.put(blob) for blob in blobs]


def _race(path: Path, oids: list[Oid], old: Expected | None) -> list[str]:
    """Each oid put at ds:x by a thread with an instance of its own: what became of each."""
    outcomes: list[str] = []
    gate = threading.Barrier(len(oids))

    def update(oid: Oid) -> None:
        instance = open_instance(LocalBackend(path))
        gate.wait()
        try:
            outcomes.append(str(update_ref(instance, dataset_ref("x"), oid, "Ann", old)))
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=update, args=(oid,)) for oid in oids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_race(instance: Instance, tmp_path: Path) -> None:
    oids = _commits(instance, 9)
    path = tmp_path / "instance"
    assert _race(path, oids[:8], Expected(None)) == ["ds:x.v1"] + ["lost"] * 7
    head = instance.refs.live(dataset_ref("x")).target
    rest = [oid for oid in oids if oid != head]
    assert _race(path, rest, Expected(head)) == ["ds:x.v2"] + ["lost"] * 7
    # without OLD nobody loses: each makes a version of its own
    head = instance.refs.live(dataset_ref("x")).target
    rest = [oid for oid in oids if oid != head][:6]
    assert _race(path, rest, None) == [f"ds:x.v{number}" for number in range(3, 9)]
