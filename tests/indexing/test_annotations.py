"""Annotations indexed for objects that are known, without their files."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ldb.catalog import open_catalog
from ldb.errors import NotFound
from ldb.history import head
from ldb.ids import ObjectId
from ldb.indexing.annotations import index_annotations
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import Instance
from ldb.objects.codec import annotation_payload, decode
from ldb.objects.model import BlobType
from ldb.refs.name import INDEX


def id_of(name: str) -> ObjectId:
    return ObjectId(hashlib.md5(name.encode()).digest())


def payload(text: str) -> bytes:
    return annotation_payload(text.encode(), "test")


@pytest.fixture
def known(instance: Instance, tmp_path: Path) -> Instance:
    """An index of `a` (annotated 1), `b` and `c`."""
    for name in "abc":
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{name}.bin").write_text(name)
    (tmp_path / "data" / "a.json").write_text("1")
    index(instance, targets_of([str(tmp_path / "data")]), IndexOptions(processes=1))
    return instance


def history(instance: Instance, name: str) -> tuple[list[object], object]:
    """All annotations of an object, and the current one."""
    record, current = open_catalog(instance).record(id_of(name))
    values = [
        decode(instance.objects.get(oid, BlobType.ANNOTATION).payload) for oid in record.annotations
    ]
    return values, values[record.annotations.index(current)] if current else None


def test_one_run_for_all(known: Instance) -> None:
    before = head(known, INDEX)
    version = index_annotations(
        known,
        {id_of("a"): payload("2"), id_of("b"): payload('{"x": 1}')},
        command=["add", "."],
        sources=["."],
        author="Ann",
    )
    assert before is not None
    assert version is not None
    assert version.commit.parents == (before.oid,)
    assert version.commit.maps["paths"] == before.commit.maps["paths"]
    (operation,) = version.commit.operations
    assert (operation.command, dict(operation.counts)) == (("add", "."), {"new_annotations": 2})
    assert version.commit.author == "Ann"
    assert history(known, "a") == ([1, 2], 2)
    assert history(known, "b") == ([{"x": 1}], {"x": 1})
    assert history(known, "c") == ([], None)
    record, _ = open_catalog(known).record(id_of("a"))
    assert record.last_indexed > record.first_indexed


def test_equal_to_the_current_or_an_older_one(known: Instance) -> None:
    index_annotations(known, {id_of("a"): payload("2")}, command=[])
    newest = head(known, INDEX)
    for text in ("2", "1", " 1 "):
        assert index_annotations(known, {id_of("a"): payload(text)}, command=[]) is None
    assert head(known, INDEX) == newest
    assert history(known, "a") == ([1, 2], 2), "an older one does not become current"


def test_nothing_given(known: Instance) -> None:
    assert index_annotations(known, {}, command=[]) is None


def test_unknown_object_changes_nothing(known: Instance, instance: Instance) -> None:
    newest = head(known, INDEX)
    with pytest.raises(NotFound, match=str(id_of("zzz"))):
        index_annotations(known, {id_of("a"): payload("5"), id_of("zzz"): payload("5")}, command=[])
    assert head(known, INDEX) == newest


def test_before_the_first_run(instance: Instance) -> None:
    with pytest.raises(NotFound):
        index_annotations(instance, {id_of("a"): payload("1")}, command=[])
    assert head(instance, INDEX) is None


def test_beside_other_runs(known: Instance) -> None:
    """Each is kept, whoever comes first; objects that several touch keep all annotations."""
    with ThreadPoolExecutor(6) as pool:
        list(
            pool.map(
                lambda at: index_annotations(
                    known, {id_of("abc"[at % 3]): payload(str(at + 10))}, command=[]
                ),
                range(6),
            )
        )
    for at, name in enumerate("abc"):
        values, current = history(known, name)
        assert {at + 10, at + 13} <= set(map(int, map(str, values)))
        assert current in (at + 10, at + 13)
