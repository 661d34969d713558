"""Scans, prefixes, ranges and lookups agree with a sorted dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.maps import Schema, lookup, scan
from tests.maps import strategies as maps
from tests.maps.memory import FIXED, STRINGS, BatchNodes, Nodes, Table, built

BOUNDS = st.lists(maps.BYTES, max_size=6).map(bytes)


def found(
    nodes: Nodes, schema: Schema, table: Table, prefix: bytes, start: bytes, stop: bytes | None
) -> list[bytes]:
    root = built(nodes, schema, table)
    chunks = list(scan(nodes, schema, root.oid, prefix, start, stop))
    assert all(len(chunk) for chunk in chunks)
    return [key for chunk in chunks for key in chunk.key_list(schema)]


@given(st.data(), maps.SCHEMAS, BOUNDS, BOUNDS, st.none() | BOUNDS)
def test_ranges_and_prefixes_agree_with_a_sorted_list(
    data: st.DataObject, schema: Schema, prefix: bytes, start: bytes, stop: bytes | None
) -> None:
    table = data.draw(maps.tables(schema, 300))
    wanted = [
        key
        for key in sorted(table)
        if key.startswith(prefix) and key >= start and (stop is None or key < stop)
    ]
    assert found(BatchNodes(), schema, table, prefix, start, stop) == wanted


@pytest.mark.parametrize("prefix", [b"", b"\xff", b"\xff\xff", b"a\xff", b"a", b"b"])
def test_prefixes_that_end_in_the_last_byte(prefix: bytes) -> None:
    names = [b"a", b"a\x01", b"a\xff", b"a\xff\xff", b"b", b"b\xff", b"\xff", b"\xff\xff\xff"]
    table: Table = dict.fromkeys(names, (b"12", b"3"))
    wanted = sorted(name for name in names if name.startswith(prefix))
    assert found(Nodes(), STRINGS, table, prefix, b"", None) == wanted


@pytest.mark.parametrize("schema", [FIXED, STRINGS])
def test_a_scan_resumes_after_any_key(schema: Schema) -> None:
    names = [b"%04d" % at for at in range(90)]
    nodes = Nodes()
    root = built(nodes, schema, dict.fromkeys(names, (b"12", b"3")))
    for at, name in enumerate(names):
        after = scan(nodes, schema, root.oid, start=name + b"\0")
        assert sum(map(len, after)) == len(names) - at - 1
        upto = scan(nodes, schema, root.oid, stop=name + b"\0")
        assert sum(map(len, upto)) == at + 1


def test_a_prefix_scan_reads_only_its_part() -> None:
    nodes = Nodes()
    table: Table = {b"dir%03d/%03d" % divmod(at, 50): (b"12", b"3") for at in range(20_000)}
    root = built(nodes, STRINGS, table)
    nodes.read = 0
    assert sum(map(len, scan(nodes, STRINGS, root.oid, b"dir123/"))) == 50
    assert nodes.read < 25 < len(nodes.blobs) / 50


@given(st.data(), maps.SCHEMAS)
def test_lookups_agree_with_a_dictionary(data: st.DataObject, schema: Schema) -> None:
    table = data.draw(maps.tables(schema, 200))
    some = data.draw(st.lists(st.sampled_from(sorted(table)), max_size=20)) if table else []
    asked = [*data.draw(st.lists(maps.keys(schema), max_size=20)), *some]
    nodes = BatchNodes()
    root = built(nodes, schema, table)
    there, fields = lookup(nodes, schema, root.oid, schema.column(asked))
    assert there.tolist() == [key in table for key in asked]
    for at, key in enumerate(asked):
        values = table.get(key, (b"\0\0", b"\0"))
        assert tuple(field[at].tobytes() for field in fields) == values


def test_a_lookup_of_one_key_reads_one_path() -> None:
    nodes = Nodes()
    table: Table = {b"%04d" % at: (b"12", b"3") for at in range(5000)}
    root = built(nodes, FIXED, table)
    nodes.read = 0
    assert lookup(nodes, FIXED, root.oid, np.array([b"1234"]))[0].all()
    assert nodes.read <= 5


def test_lookups_with_keys_of_another_width_are_refused() -> None:
    nodes = Nodes()
    root = built(nodes, FIXED, {})
    with pytest.raises(BadInput):
        lookup(nodes, FIXED, root.oid, np.array([b"12345"]))
