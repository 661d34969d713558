"""Object records, keys of `paths`, and one version of the index."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.catalog import (
    Catalog,
    Record,
    SeenPath,
    as_keys,
    decode_record,
    encode_record,
    fill,
    key_bytes,
    key_path,
    load_records,
    open_catalog,
    path_key,
    record_view,
)
from ldb.errors import Ambiguous, Corrupt, NotFound
from ldb.ids import ObjectId, Oid
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import Instance
from ldb.objects.model import BlobType, oid_of

SAMPLE = Record(
    size=7,
    type="jpg",
    paths=(SeenPath("file:///pets/tom.jpg", 1_700_000_000_000_000_000, 0o100644, 1000, 100),),
    annotations=(Oid(b"\x11" * 32),),
    tags=("a", "b"),
    first_indexed=1_700_000_001_000,
    last_indexed=1_700_000_002_000,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(0, 2**63 - 1)
records = st.builds(
    Record,
    size=numbers,
    type=texts,
    paths=st.lists(
        st.builds(SeenPath, texts, st.integers(-(2**63), 2**63 - 1), numbers, numbers, numbers),
        max_size=3,
    ).map(tuple),
    annotations=st.lists(st.binary(min_size=32, max_size=32).map(Oid), max_size=3).map(tuple),
    tags=st.lists(texts, max_size=3).map(tuple),
    first_indexed=numbers,
    last_indexed=numbers,
)


@given(records)
def test_records_come_back_as_they_were(record: Record) -> None:
    payload = encode_record(record)
    assert decode_record(payload) == record
    value = msgpack.unpackb(payload)
    assert list(value) == sorted(value)
    assert all(list(each) == sorted(each) for each in value["paths"])
    assert msgpack.packb(value) == payload, "canonical"


def test_golden_oid() -> None:
    """Frozen: instances everywhere name records by the hash of these very bytes."""
    payload = encode_record(SAMPLE)
    assert payload.hex().startswith("87ab616e6e6f746174696f6e7391c420" + "11" * 32)
    assert len(payload) == 187
    assert oid_of(BlobType.RECORD, payload) == Oid.from_hex(
        "3e407162ac33694a79ef0b9fa34375a143bc662ca4ed582d1cf6bbfa93dbede4"
    )


@pytest.mark.parametrize(
    "value",
    [None, [], {}, "x", {"size": 1}, {**msgpack.unpackb(encode_record(SAMPLE)), "paths": 5},
     {**msgpack.unpackb(encode_record(SAMPLE)), "paths": [{"path": "x"}]},
     {**msgpack.unpackb(encode_record(SAMPLE)), "annotations": [b"short"]},
     {**msgpack.unpackb(encode_record(SAMPLE)), "annotations": ["text"]}],
)  # fmt: skip
def test_what_is_no_record(value: object) -> None:
    with pytest.raises(Corrupt):
        decode_record(msgpack.packb(value))


# -- keys of `paths` -------------------------------------------------------------------

names = st.lists(
    st.one_of(st.integers(0x20, 255), st.integers(1, 255)).filter(lambda byte: byte != 0x2F),
    min_size=1,
    max_size=6,
)
uris = st.lists(names.map(bytes), min_size=1, max_size=5).map(
    lambda parts: b"file:///" + b"/".join(parts)
)


@given(uris)
def test_keys_and_paths(uri: bytes) -> None:
    assert key_path(path_key(uri)) == uri


printable = uris.filter(lambda uri: min(uri) >= 0x20)  # others are never indexed


@given(st.lists(printable, min_size=2, max_size=20, unique=True))
def test_files_of_a_folder_stand_together_before_folders_below(found: list[bytes]) -> None:
    keys = sorted(map(path_key, found))
    folders = [key_path(key).rpartition(b"/")[0] for key in keys]
    starts = [at for at in range(len(folders)) if at == 0 or folders[at] != folders[at - 1]]
    assert len(starts) == len(set(folders)), "each folder's files are one run"
    for at, folder in enumerate(folders):
        assert not any(other.startswith(folder + b"/") for other in folders[:at])


def test_key_spelling() -> None:
    assert path_key(b"file:///pets/tom.jpg") == b"file:///pets/\x01tom.jpg"
    assert path_key(b"s3://bucket/a.jpg") == b"s3://bucket/\x01a.jpg"


# -- a version of the index ------------------------------------------------------------


@pytest.fixture
def catalog(instance: Instance, tmp_path: Path) -> Catalog:
    """200 data objects, every other one with an annotation."""
    folder = tmp_path / "data"
    folder.mkdir()
    for at in range(200):
        (folder / f"{at}.bin").write_text(str(at))
        if at % 2:
            (folder / f"{at}.json").write_text(f'{{"n": {at}}}')
    index(instance, targets_of([str(folder)]), IndexOptions(processes=1))
    return open_catalog(instance)


def id_of(number: int) -> ObjectId:
    return ObjectId(hashlib.md5(str(number).encode()).digest())


def test_find_in_any_order(catalog: Catalog) -> None:
    asked = [7, 8, 999, 3, 7]
    found = catalog.find(as_keys([id_of(each) for each in asked], 16))
    assert found.known.tolist() == [True, True, False, True, True]
    assert found.annotations.any(axis=1).tolist() == [True, False, False, True, True]
    assert not found.records[2].any()
    assert not len(catalog.find(as_keys([], 16)).known)


def test_record(catalog: Catalog, tmp_path: Path) -> None:
    record, note = catalog.record(id_of(7))
    assert record.paths[0].path == f"file://{tmp_path}/data/7.bin"
    assert (record.size, record.type, record.annotations) == (1, "bin", (note,))
    assert catalog.record(id_of(8))[1] is None
    with pytest.raises(NotFound, match="id:"):
        catalog.record(id_of(999))


def test_records_in_the_order_of_the_store(catalog: Catalog) -> None:
    ids = as_keys([id_of(at) for at in range(200)], 16)
    found = catalog.find(ids)
    records = fill(load_records(catalog.instance, found.records), 200)
    assert [Path(record.paths[0].path).stem for record in records] == list(map(str, range(200)))


def test_before_the_first_run(instance: Instance) -> None:
    empty = open_catalog(instance)
    assert (empty.version, empty.objects, empty.paths) == (None, None, None)
    assert list(empty.rows()) == []
    assert list(empty.paths_under(b"file:///")) == []
    assert not empty.find(as_keys([id_of(1)], 16)).known.any()
    with pytest.raises(NotFound):
        empty.expand(str(id_of(1))[:8])


def test_expand(catalog: Catalog) -> None:
    name = id_of(5)
    for digits in range(6, 33):
        assert catalog.expand(str(name)[:digits]) == name
    assert catalog.expand(str(name).upper()) == name
    assert catalog.expand(str(id_of(999))) == id_of(999), "a whole id is taken as it is"
    for bad in ("", "12345", "xyzxyz", "0" * 33, str(id_of(999))[:8]):
        with pytest.raises(NotFound):
            catalog.expand(bad)


def test_expand_says_what_fits(instance: Instance, tmp_path: Path) -> None:
    for text in ("4982", "10760"):  # their MD5s begin with the same six digits
        (tmp_path / f"{text}.bin").write_text(text)
    index(instance, targets_of([str(tmp_path)]), IndexOptions(processes=1))
    with pytest.raises(Ambiguous) as caught:
        open_catalog(instance).expand("8e0384")
    assert set(caught.value.matches) == {str(id_of(4982)), str(id_of(10760))}


def test_ids_that_end_with_zero_bytes() -> None:
    ids = [b"\x01" + bytes(15), bytes(16), b"\xff" * 15 + b"\0"]
    keys = as_keys(ids, 16)
    assert key_bytes(keys) == ids
    assert key_bytes(keys[::-1]) == ids[::-1]
    assert keys.dtype == np.dtype("S16")


# -- the view that --file asks ---------------------------------------------------------


def test_view() -> None:
    view = record_view(b"\x01" * 16, SAMPLE)
    assert view == {
        "id": "01" * 16,
        "type": "jpg",
        "size": 7,
        "first_indexed": "2023-11-14T22:13:21.000Z",
        "last_indexed": "2023-11-14T22:13:22.000Z",
        "tags": ["a", "b"],
        "annotation_versions": 1,
        "alternate_paths": [{"protocol": "file", "path": "/pets/tom.jpg"}],
        "fs": {
            "protocol": "file", "path": "/pets/tom.jpg", "size": 7, "mode": 0o100644,
            "uid": 1000, "gid": 100, "mtime": "2023-11-14T22:13:20.000Z",
        },
    }  # fmt: skip


def test_view_of_odd_records() -> None:
    nowhere = record_view(b"", Record(0, "", ()))
    assert nowhere["fs"]["path"] == ""
    assert nowhere["alternate_paths"] == []
    far = record_view(b"", Record(0, "", (SeenPath("s3://b/x", 2**63 - 1),)))
    assert (far["fs"]["protocol"], far["fs"]["path"]) == ("s3", "s3://b/x")
    assert isinstance(far["fs"]["mtime"], str)
