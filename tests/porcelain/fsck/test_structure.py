"""Instances whose files are all whole and whose contents are wrong, or odd."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.catalog import PATHS, Record, SeenPath, encode_record, objects_schema, path_key
from ldb.dataset import dataset_schema
from ldb.errors import NotFound
from ldb.history import Commit, MapRoot, encode_commit
from ldb.ids import NO_OID, Oid
from ldb.instance import Instance, create
from ldb.maps import Root, Rows, build
from ldb.maps.encode import encode_node
from ldb.maps.node import Reader
from ldb.maps.rows import inner_schema, parent_rows
from ldb.maps.write import Writer
from ldb.objects.codec import encode
from ldb.objects.model import Blob, BlobType
from ldb.porcelain.fsck import Report, fsck
from ldb.refs.name import INDEX, SETTINGS, RefName, dataset_ref
from ldb.refs.store import Ref
from ldb.refs.store import encode as encode_ref
from tests.porcelain.fsck.samples import make_instance

CATS = dataset_ref("cats")
ABSENT = bytes(range(32))


@pytest.fixture
def bare() -> Instance:
    """An empty instance in memory."""
    return create(MemoryBackend())


def key(number: int) -> bytes:
    return number.to_bytes(4, "big") * 4


def annotation(instance: Instance, value: object = "cat") -> bytes:
    return bytes(instance.objects.put(Blob(BlobType.ANNOTATION, encode(value))))


def dataset(instance: Instance, rows: Mapping[bytes, tuple[bytes, bytes]]) -> MapRoot:
    schema = dataset_schema(instance)
    with instance.objects.writer() as writer:
        return as_root(build(writer, schema, [schema.rows(rows)] if rows else []))


def as_root(root: Root) -> MapRoot:
    return MapRoot(root.oid, root.count)


def publish(
    instance: Instance, maps: Mapping[str, MapRoot], name: RefName = CATS, number: int = 1
) -> Oid:
    oid = instance.objects.put(encode_commit(Commit(name.name, number, maps)))
    point(instance, name, number, oid)
    return oid


def point(instance: Instance, name: RefName, number: int, oid: Oid | None) -> None:
    ref = Ref(name, number, oid, "0" * 32, "Ann", "2026-01-02T03:04:05.678Z")
    instance.backend.create(name.key(number), encode_ref(ref))


def only(report: Report) -> tuple[str, str, tuple[str, ...]]:
    assert len(report.problems) == 1, report.problems
    problem = report.problems[0]
    return problem.name, problem.why, problem.needed_by


def test_missing_annotation(bare: Instance) -> None:
    rows = {key(1): (annotation(bare), NO_OID), key(2): (ABSENT, NO_OID)}
    publish(bare, {"dataset": dataset(bare, rows)})
    wanted = (ABSENT.hex(), "annotation is missing", ("ds:cats.v1",))
    assert only(fsck(bare.backend)) == wanted


def test_annotation_of_another_type(bare: Instance) -> None:
    note = annotation(bare)
    publish(bare, {"dataset": dataset(bare, {key(1): (note, note)})})
    name, why, needed_by = only(fsck(bare.backend))
    assert (name, why) == (note.hex(), "annotation where transform is needed")
    assert needed_by == ("ds:cats.v1",)


def test_every_version_that_shares_the_damage_is_named(bare: Instance) -> None:
    """Nodes are read once, and yet each version knows what is below it."""
    rows = {key(n): (ABSENT if n == 700 else NO_OID, NO_OID) for n in range(1000)}
    publish(bare, {"dataset": dataset(bare, rows)}, number=1)
    rows[key(1)] = (annotation(bare), NO_OID)
    publish(bare, {"dataset": dataset(bare, rows)}, number=2)
    del rows[key(700)]
    publish(bare, {"dataset": dataset(bare, rows)}, number=3)
    assert only(fsck(bare.backend))[2] == ("ds:cats.v1", "ds:cats.v2")


def index(instance: Instance, record: Blob, paths: Mapping[bytes, tuple[bytes, int]]) -> None:
    schema = objects_schema(instance)
    rows = {
        path_key(path): (content.ljust(32, b"\0"), bytes(8), bytes(8), bytes(16), bytes([kind]))
        for path, (content, kind) in paths.items()
    }
    with instance.objects.writer() as writer:
        oid = writer.add(record.type, record.payload)
        objects = build(writer, schema, [schema.rows({key(1): (oid, NO_OID)})])
        seen = build(writer, PATHS, [PATHS.rows(rows)])
    publish(instance, {"objects": as_root(objects), "paths": as_root(seen)}, INDEX)


RECORD = Record(3, "jpg", (SeenPath("file:///a/b.jpg", 1),))


def record(*annotations: bytes) -> Blob:
    noted = replace(RECORD, annotations=tuple(map(Oid, annotations)))
    return Blob(BlobType.RECORD, encode_record(noted))


def test_sound_index(bare: Instance) -> None:
    index(bare, record(annotation(bare)), {b"file:///a/b.jpg": (key(1), 1)})
    report = fsck(bare.backend)
    assert report.sound
    assert report.checked.unused == 0


def test_annotation_that_only_a_history_names(bare: Instance) -> None:
    index(bare, record(ABSENT), {b"file:///a/b.jpg": (key(1), 1)})
    name, why, needed_by = only(fsck(bare.backend))
    assert (name, why) == (ABSENT.hex(), "annotation is missing")
    assert needed_by == ("histories of data objects",)


@pytest.mark.parametrize(
    "payload", [encode([1]), encode({"annotations": [b"short"]}), record(b"x" * 32).payload + b"\0"]
)
def test_record_that_is_none(bare: Instance, payload: bytes) -> None:
    odd = Blob(BlobType.RECORD, payload)
    index(bare, odd, {b"file:///a/b.jpg": (key(1), 1)})
    assert only(fsck(bare.backend))[0] == str(odd.oid)


def test_path_of_an_unknown_object(bare: Instance) -> None:
    index(bare, record(), {b"file:///a/b.jpg": (key(2), 1)})
    assert "not its data object" in only(fsck(bare.backend))[1]


@pytest.mark.parametrize(("content", "kind"), [(key(1), 7), (ABSENT, 1)])
def test_odd_row_of_paths(bare: Instance, content: bytes, kind: int) -> None:
    index(bare, record(), {b"file:///a/b.jpg": (content, kind)})
    assert only(fsck(bare.backend))[0] == "file:///a/b.jpg"


# -- commits and refs --------------------------------------------------------------------


def test_ref_to_a_commit_of_another_name(bare: Instance) -> None:
    oid = publish(bare, {"dataset": dataset(bare, {})})
    point(bare, dataset_ref("dogs"), 1, oid)
    name, why, needed_by = only(fsck(bare.backend))
    assert name == dataset_ref("dogs").key(1)
    assert "ds:cats.v1" in why
    assert needed_by == ("ds:dogs.v1",)


def test_ref_to_nothing(bare: Instance) -> None:
    point(bare, CATS, 1, Oid(ABSENT))
    point(bare, SETTINGS, 1, Oid(ABSENT))
    problem = fsck(bare.backend).problems[0]
    assert problem.why == "commit is missing; settings is missing"
    assert problem.needed_by == ("ds:cats.v1", "settings.v1")


def test_parent_that_is_missing(bare: Instance) -> None:
    empty = dataset(bare, {})
    oid = bare.objects.put(encode_commit(Commit("cats", 1, {"dataset": empty}, (Oid(ABSENT),))))
    point(bare, CATS, 1, oid)
    assert only(fsck(bare.backend))[:2] == (ABSENT.hex(), "commit is missing")


@pytest.mark.parametrize("maps", [(), ("objects",), ("dataset", "other")])
def test_commit_with_other_maps(bare: Instance, maps: tuple[str, ...]) -> None:
    oid = publish(bare, dict.fromkeys(maps, dataset(bare, {})))
    assert str(oid) in {problem.name for problem in fsck(bare.backend).problems}


def test_commit_that_is_none(bare: Instance) -> None:
    oid = bare.objects.put(Blob(BlobType.COMMIT, encode({"name": "cats"})))
    point(bare, CATS, 1, oid)
    assert only(fsck(bare.backend))[0] == str(oid)


def test_wrong_number_of_rows(bare: Instance) -> None:
    root = dataset(bare, {key(1): (NO_OID, NO_OID)})
    publish(bare, {"dataset": MapRoot(root.root, 2)})
    assert "1 rows where its commit says 2" in only(fsck(bare.backend))[1]


# -- nodes -------------------------------------------------------------------------------


def test_node_cut_in_the_wrong_place(bare: Instance) -> None:
    """Sorted, complete and readable, but not the map that these rows make."""
    schema = dataset_schema(bare)
    keys = [key(number) for number in range(60)]
    rows = schema.rows(dict.fromkeys(keys, (NO_OID, NO_OID)))
    with bare.objects.writer() as writer:
        leaves = Writer(writer, schema, 0)
        halves = [leaves.write(rows.slice(0, 30)), leaves.write(rows.slice(30))]
        top = parent_rows(np.array([keys[29], keys[59]], "S16"), halves)
        root = Writer(writer, schema, 1).write(top)
    publish(bare, {"dataset": as_root(root)})
    name, why, needed_by = only(fsck(bare.backend))
    assert (name, why) == (str(halves[0].oid), "map node that ends before its rows say")
    assert needed_by == ("ds:cats.v1",)


def test_node_that_should_have_been_cut(bare: Instance) -> None:
    schema = dataset_schema(bare)
    rows = schema.rows({key(number): (NO_OID, NO_OID) for number in range(500)})
    with bare.objects.writer() as writer:
        root = Writer(writer, schema, 0).write(rows)
    publish(bare, {"dataset": as_root(root)})
    assert only(fsck(bare.backend))[0] == str(root.oid)


def test_parent_that_says_otherwise_of_a_node_seen_before(bare: Instance) -> None:
    schema = dataset_schema(bare)
    rows = schema.rows({key(number): (NO_OID, NO_OID) for number in range(1000)})
    with bare.objects.writer() as writer:
        good = build(writer, schema, [rows])
    publish(bare, {"dataset": as_root(good)}, number=1)
    top = Reader(bare.objects, schema).root(good.oid).rows
    counts = top.fields[1].copy()
    counts[0][0] += 1  # the lowest byte of the first child's number of rows
    rows = Rows(top.keys, (top.fields[0], counts))
    odd = Blob(BlobType.MAP, encode_node(inner_schema(schema), 1, rows))
    bare.objects.put(odd)
    publish(bare, {"dataset": MapRoot(odd.oid, 1001)}, number=2)
    _, why, needed_by = only(fsck(bare.backend))
    assert "one of its parents" in why
    assert needed_by == ("ds:cats.v2",)


# -- notes -------------------------------------------------------------------------------


def test_what_is_odd_and_no_damage(tmp_path: Path) -> None:
    place = make_instance(tmp_path)
    backend = place.instance.backend
    assert isinstance(backend, LocalBackend)
    backend.create("notes.txt", b"mine")
    backend.create("refs/datasets/cats/latest", b"3")
    backend.create("objects/pack/readme", b"packs")
    lost = CATS.key(1)
    backend.delete([lost])
    left = Path(backend.url, "tmp", "0" * 32)
    left.write_bytes(b"half")
    os.utime(left, (time.time() - 7200,) * 2)
    report = fsck(backend)
    assert report.sound
    said = "\n".join(report.notes)
    for name in ("notes.txt", "refs/datasets/cats/latest", "objects/pack/readme", lost, str(left)):
        assert name in said


def test_a_commit_that_lost_its_race_is_noted(bare: Instance) -> None:
    empty = dataset(bare, {})
    publish(bare, {"dataset": empty})
    late = bare.objects.put(encode_commit(Commit("cats", 1, {"dataset": empty}, message="late")))
    report = fsck(bare.backend)
    assert report.sound
    assert f"commit {late} is named by no ref" in report.notes
    assert report.checked.unused == 1


def test_blobs_stored_twice(bare: Instance) -> None:
    note = annotation(bare)
    publish(bare, {"dataset": dataset(bare, {key(1): (note, NO_OID)})})
    blob = bare.objects.get(Oid(note))
    with create(MemoryBackend()).objects.writer() as writer:
        writer.add(blob.type, blob.payload)
        writer.flush()
    pack = writer.packs[0]
    source = writer._store.backend
    name = f"objects/pack/{pack}.pack"
    bare.backend.create(name, source.read(name))
    report = fsck(bare.backend)
    assert (report.checked.copies, report.checked.unused) == (1, 0)


def test_many_problems_are_counted(bare: Instance) -> None:
    rows = {key(n): (n.to_bytes(32, "big"), NO_OID) for n in range(1, 1501)}
    publish(bare, {"dataset": dataset(bare, rows)})
    report = fsck(bare.backend)
    assert (len(report.problems), report.more) == (1000, 500)


def test_no_instance() -> None:
    with pytest.raises(NotFound):
        fsck(MemoryBackend())


def test_sha256_instance_with_a_damaged_first_file(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "i")
    instance = create(backend, "sha256")
    schema = dataset_schema(instance)
    with instance.objects.writer() as writer:
        root = build(writer, schema, [schema.rows({key(1) * 2: (NO_OID, NO_OID)})])
    publish(instance, {"dataset": as_root(root)})
    path = tmp_path / "i" / "instance"
    text = path.read_text()
    path.chmod(0o644)
    path.write_text(text.replace('"format": 1', '"format": 2'))
    assert only(fsck(backend))[0] == "instance"
