"""Instances without files: like those of real files, and their answers true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.drawing import draw
from bench.generate import annotation
from bench.queries import QUERIES
from bench.synthetic_annotations import Annotations, make_annotations, object_id
from ldb.backends.opening import open_backend
from ldb.catalog import PATHS, key_path, open_catalog
from ldb.ids import ObjectId, Oid
from ldb.instance import open_instance
from ldb.maps import scan
from ldb.objects.codec import decode
from ldb.objects.model import BlobType

COUNT = 2500


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Annotations:
    return make_annotations(tmp_path_factory.mktemp("synthetic"), COUNT, None)


def shape(value: object) -> object:
    """Keys in order and types of the leaves; of a list, those of its first element."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return type(value)


def test_texts_are_spelt_as_the_files_are_and_all_differ() -> None:
    texts = draw(0, COUNT).texts
    values = [json.loads(text) for text in texts]
    assert [json.dumps(value).encode() for value in values] == texts
    assert [value["position"] for value in values] == list(range(COUNT))
    assert len({value["camera"]["serial"] for value in values}) == COUNT
    like = annotation(next(n for n in range(99) if annotation(n)["boxes"]))
    with_boxes = [value for value in values if value["boxes"]]
    assert {repr(shape(value)) for value in with_boxes} == {repr(shape(like))}
    assert [list(value) for value in values] == [list(like)] * COUNT


def test_draws_are_spread_as_those_of_the_files_are() -> None:
    drawn = [json.loads(text) for text in draw(0, COUNT).texts]
    files = [annotation(position) for position in range(COUNT)]
    for values in (drawn, files):
        assert {len(value["boxes"]) for value in values} == set(range(5))
        assert {len(json.dumps(value)) for value in values} <= set(range(650, 1000))
    for query in QUERIES:
        ours, theirs = (sum(map(query.holds, values)) for values in (drawn, files))
        assert ours == pytest.approx(theirs, rel=0.35)
    average = sum(len(json.dumps(value)) for value in drawn) / COUNT
    assert average == pytest.approx(sum(len(json.dumps(v)) for v in files) / COUNT, rel=0.02)


def test_answers_are_those_of_the_texts() -> None:
    drawn = draw(5000, 5000 + COUNT)
    values = [json.loads(text) for text in drawn.texts]
    assert drawn.answers == {q.name: sum(map(q.holds, values)) for q in QUERIES}


def test_the_instance_holds_every_annotation(made: Annotations) -> None:
    instance = open_instance(open_backend(str(made.instance)))
    catalog = open_catalog(instance)
    payloads = {}
    for rows in catalog.rows():
        for key, note in zip(rows.key_list(catalog.schema), rows.fields[1]):
            payloads[key] = instance.objects.get(Oid(note.tobytes()), BlobType.ANNOTATION).payload
    assert set(payloads) == {object_id(position) for position in range(COUNT)}
    values = [decode(payloads[object_id(position)]) for position in range(COUNT)]
    assert [value["position"] for value in values] == list(range(COUNT))
    for query in QUERIES:
        assert sum(map(query.holds, values)) == made.matching(query)
    assert sum(len(json.dumps(value)) for value in values) == made.json_bytes()


def test_records_and_paths_name_the_same_places(made: Annotations) -> None:
    instance = open_instance(open_backend(str(made.instance)))
    catalog = open_catalog(instance)
    assert catalog.paths is not None
    keys = [
        key
        for rows in scan(instance.objects, PATHS, catalog.paths.root)
        for key in rows.key_list(PATHS)
    ]
    paths = [key_path(key).decode() for key in keys]
    assert len(paths) == 2 * COUNT
    record, note = catalog.record(ObjectId(object_id(1234)))
    assert note == record.annotations[0]
    assert record.paths[0].path in paths
    assert record.paths[0].path.replace(".png", ".json") in paths


def test_what_is_there_is_not_made_again(made: Annotations) -> None:
    before = (made.root / "stamp.json").stat().st_mtime_ns
    again = make_annotations(made.root.parent, COUNT, None)
    assert again == made
    assert (made.root / "stamp.json").stat().st_mtime_ns == before


def test_half_made_instances_are_made_again(tmp_path: Path) -> None:
    first = make_annotations(tmp_path, 10, None)
    (first.root / "stamp.json").unlink()
    again = make_annotations(tmp_path, 10, None)
    assert again.stamp()["count"] == 10
