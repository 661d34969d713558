"""What stored bytes claim costs no memory: it is refused before anything is made for it."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import zstandard

from ldb.backends.local import LocalBackend
from ldb.columns import layout
from ldb.columns.build import from_values
from ldb.columns.read import open_columns
from ldb.columns.write import encode_columns
from ldb.errors import Corrupt
from ldb.history import Commit, MapRoot, decode_commit, encode_commit, load_commit
from ldb.ids import Oid
from ldb.instance import Instance, open_instance
from ldb.maps import Schema, scan
from ldb.objects.codec import encode
from ldb.objects.loose import loose_key
from ldb.objects.model import Blob, BlobType
from ldb.objects.packformat import OFFSETS, TRAILER_BYTES, Trailer, read_trailer
from ldb.places.file import HEADER, MAGIC, SECTION, parse_places
from ldb.places.find import load_places
from ldb.query.selected import MapRows, Selected
from ldb.refs.name import dataset_ref
from tests.maps.memory import FIXED, Nodes
from tests.objects.samples import blobs, packed, stored

HUGE = 1 << 33
LITTLE = 8 << 20


@contextmanager
def little_memory() -> Iterator[None]:
    """Python and numpy may take a few megabytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def make_huge(instance: Instance, key: str) -> None:
    """Make the value at `key` one of gigabytes, which take no room on the disk."""
    path = Path(instance.url, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.chmod(0o600)
    with open(path, "ab") as file:
        os.truncate(file.fileno(), HUGE)


def test_an_instance_file_of_gigabytes(instance: Instance) -> None:
    make_huge(instance, "instance")
    with little_memory(), pytest.raises(Corrupt, match="more than"):
        open_instance(LocalBackend(instance.url))


def test_a_ref_of_gigabytes(instance: Instance) -> None:
    name = dataset_ref("cats")
    make_huge(instance, name.key(1))
    with little_memory(), pytest.raises(Corrupt, match="more than"):
        instance.refs.head(name)


def test_a_long_author_fits_a_ref(instance: Instance) -> None:
    name = dataset_ref("cats")
    instance.refs.advance(name, None, Oid(bytes(32)), "Ann " * 100_000)
    head = instance.refs.head(name)
    assert head is not None
    assert head.author.startswith("Ann Ann")


def test_a_loose_blob_of_gigabytes(instance: Instance) -> None:
    oid = Oid(bytes(range(32)))
    make_huge(instance, loose_key(oid))
    with pytest.raises(Corrupt, match="more bytes than a blob"):
        instance.objects.get(oid)


def test_a_place_file_of_gigabytes(instance: Instance) -> None:
    reader = stored(packed(blobs(20)), instance.backend)
    make_huge(instance, reader.key.replace(".pack", ".places"))
    assert load_places(reader) is None


@pytest.mark.parametrize("rows", [1 << 62, (1 << 64) - 1, 1 << 31])
def test_a_place_file_that_claims_many_rows(rows: int) -> None:
    body = SECTION.pack(1, 0, rows) + struct.pack("<2q", 0, 0)
    data = HEADER.pack(MAGIC, crc32(body), 1, 0) + body
    with little_memory(), pytest.raises(Corrupt):
        parse_places(data, "some.places")


def test_a_pack_directory_of_gigabytes() -> None:
    trailer = Trailer(8, 8, 0, 1 << 27)
    size = 8 + trailer.directory_bytes + TRAILER_BYTES
    end = OFFSETS.pack(8, 8, 0, 1 << 27) + bytes(32) + b"LDBPACK\x01"
    with pytest.raises(Corrupt, match="which no writer makes"):
        read_trailer("some.pack", size, end)


# -- column files ----------------------------------------------------------------------

FILE = encode_columns(from_values([{"a": 1}, {"a": 2}] * 20))


def with_directory(text: bytes) -> bytes:
    """A column file with this text for a directory, checksums right."""
    footer = struct.unpack("<i", FILE[-10:-6])[0]
    packed_text = zstandard.compress(text)
    head = struct.pack("<8sII", layout.MAGIC, len(packed_text), len(text))
    sums = struct.pack("<II", crc32(head, crc32(packed_text)), 0)
    return FILE + packed_text + head + sums + FILE[len(FILE) - 10 - footer :]


def opened(data: bytes) -> None:
    open_columns(lambda start, stop: data[start:stop], len(data), "some.arrow")


def test_a_long_key_above_many_columns() -> None:
    """Each column keeps its path for messages: a key of megabytes must not be in all of them."""
    below = ",".join(f'"{at}":{{"kinds":[1]}}' for at in range(3_000))
    key = "k" * (1 << 18)
    inner = f'{{"kinds":[8],"keys":{{{below}}}}}'
    text = f'{{"rows":40,"root":{{"kinds":[8],"keys":{{"{key}":{inner}}}}}}}'
    tracemalloc.start()
    try:
        opened(with_directory(text.encode()))
    except Corrupt:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_a_directory_of_brackets() -> None:
    text = b'{"rows":1,"root":[' + b"[]," * 4_000_000 + b"1]}"
    tracemalloc.start()
    with pytest.raises(Corrupt):
        opened(with_directory(text))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_a_part_that_is_too_short() -> None:
    directory = layout.unpack(lambda start, stop: FILE[start:stop], len(FILE), "file")
    directory["root"] = {"kinds": [6], "words": {"count": 1, "data": [1]}}
    with pytest.raises(Corrupt):
        opened(with_directory(json.dumps(directory).encode()))


# -- maps and commits ------------------------------------------------------------------


@pytest.mark.parametrize("count", [1 << 47, 1 << 40, 4 * FIXED.target + 1])
def test_a_node_that_claims_more_rows_than_its_level_allows(count: int) -> None:
    nodes = Nodes()
    node = {
        "fields": [bytes(64), struct.pack("<2Q", count, 1)],
        "keys": b"aaaabbbb",
        "level": 1,
        "schema": "fixed",
    }
    root = nodes.add(BlobType.MAP, encode(node))
    with little_memory(), pytest.raises(Corrupt, match="impossible row counts"):
        list(scan(nodes, FIXED, root))


def test_a_commit_that_claims_more_rows_than_its_map_has(instance: Instance) -> None:
    schema = Schema("dataset", 16, (("annotation", 32), ("transforms", 32)))
    with instance.objects.writer() as writer:
        from ldb.maps import build

        rows = schema.rows({bytes(15) + b"x": (bytes(32), bytes(32))})
        root = build(writer, schema, [rows])
    with little_memory(), pytest.raises(Corrupt, match="1 rows, not"):
        Selected.of_map(MapRows(instance.objects, schema, root.oid, 1 << 46))
    assert len(Selected.of_map(MapRows(instance.objects, schema, root.oid, 1))) == 1
    assert np.array_equal(
        Selected.of_map(MapRows(instance.objects, schema, root.oid, 1)).ids, rows.keys
    )


COMMIT = Commit("cats", 1, {"dataset": MapRoot(Oid(bytes(32)), 0)}, author="Ann", message="m")


def spoilt(change: Callable[[dict[str, object]], None]) -> Blob:
    from ldb.objects.codec import decode

    value = decode(encode_commit(COMMIT).payload)
    change(value)
    return Blob(BlobType.COMMIT, encode(value))


@pytest.mark.parametrize(
    "parts",
    [
        {"message": {}}, {"author": []}, {"time": "1"}, {"number": 1.0}, {"name": b"x"},
        {"maps": {"dataset": {"count": -1, "root": bytes(32)}}}, {"parents": ["a" * 43 + "="]},
        {"operations": [{"command": [1], "counts": {}, "filters": [], "result": None,
                         "sources": [], "time": 0}]},
    ],
)  # fmt: skip
def test_commits_of_other_types(parts: dict[str, object]) -> None:
    blob = spoilt(lambda value: value.update(parts))
    with pytest.raises(Corrupt, match="not the fields of a commit"):
        decode_commit(blob.payload, blob.oid)


def test_a_ref_to_a_commit_without_its_maps(instance: Instance) -> None:
    from ldb.history import head

    blob = encode_commit(replace(COMMIT, maps={}))
    oid = instance.objects.put(blob)
    assert load_commit(instance, oid).maps == {}
    instance.refs.advance(dataset_ref("cats"), None, oid, "Ann")
    with pytest.raises(Corrupt, match="without the maps"):
        head(instance, dataset_ref("cats"))
