"""Records as columns show what `record_view` shows of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ldb.catalog import Record, SeenPath, encode_record, record_view
from ldb.columns.model import Column
from ldb.columns.shred import Shredder
from ldb.ids import Oid
from ldb.query.parse import parse
from ldb.query.recordtests import paths_match, tags_any, tags_lack
from ldb.query.recordview import view_of
from ldb.query.rowwise import compile_query

TIMES = st.integers(0, 2**40) | st.sampled_from([0, 1_700_000_000_000, 253_402_300_799_999])
PATHS = st.builds(
    SeenPath,
    st.sampled_from(["file:///a/b.png", "s3://bucket/ä.jpg", "file:///", "gs://b/c.PNG", "odd"]),
    st.integers(0, 2**61) | st.sampled_from([-1, -(2**61), 999_999, 1_000_000]),
    st.integers(0, 0o777),
    st.integers(0, 2**31),
    st.integers(0, 2**31),
)
RECORDS = st.builds(
    Record,
    st.integers(0, 2**50),
    st.sampled_from(["png", "", "jpg", "öl"]),
    st.lists(PATHS, max_size=3).map(tuple),
    st.lists(st.binary(min_size=32, max_size=32).map(Oid), max_size=2).map(tuple),
    st.lists(st.sampled_from(["low", "high", "é"]), max_size=2, unique=True).map(tuple),
    TIMES,
    TIMES,
)


def columns_of(records: list[Record]) -> Column:
    shredder = Shredder()
    shredder.add([encode_record(record) for record in records])
    return shredder.finish()


def ids_of(records: list[Record]) -> list[bytes]:
    return [bytes([at]) * 15 + b"\0" for at in range(len(records))]


@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_views_of_a_column_are_those_of_its_records(records: list[Record]) -> None:
    ids = ids_of(records)
    keys = np.frombuffer(b"".join(ids), "S16")
    view = view_of(columns_of(records), lambda: keys)
    assert view is not None
    expected = [record_view(name, record) for name, record in zip(ids, records)]
    found = view.values()
    assert found == expected
    assert [list(each) for each in found] == [list(each) for each in expected]


@given(st.lists(RECORDS, min_size=1, max_size=6), st.sets(st.sampled_from(["low", "é", "none"])))
def test_tags_and_paths(records: list[Record], wanted: set[str]) -> None:
    column = columns_of(records)
    tagged, lacking = tags_any(column, wanted), tags_lack(column, wanted)
    assert tagged is not None
    assert lacking is not None
    assert tagged.tolist() == [not wanted.isdisjoint(each.tags) for each in records]
    assert lacking.tolist() == [not wanted.issubset(each.tags) for each in records]
    matched = paths_match(column, lambda text: text.endswith("g"))
    assert matched is not None
    assert matched.tolist() == [
        any(seen.path.endswith("g") for seen in each.paths) for each in records
    ]


def test_an_unusual_record_has_no_view() -> None:
    shredder = Shredder()
    shredder.add([b"\x81\xa4size\x05"])
    assert view_of(shredder.finish(), lambda: np.zeros(1, "S16")) is None


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_values_of_a_record_come_in_its_own_order(records: list[Record]) -> None:
    from ldb.query.columnar import compile_columns

    query = compile_query(parse("values(@)[0:3]"), "null")
    ids = ids_of(records)
    view = view_of(columns_of(records), lambda: np.frombuffer(b"".join(ids), "S16"))
    assert view is not None
    outcome = compile_columns(query, "null", order="given").run(view)
    expected: list[Any] = [query(record_view(name, each)) for name, each in zip(ids, records)]
    assert not outcome.status.any()
    assert outcome.values.values() == expected
