"""Rows in any order through runs of a few rows: the map is the one built in memory."""

from __future__ import annotations

import errno
import itertools
import tempfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput, StoreFailed
from ldb.maps import Rows, Schema, build, sort
from ldb.maps.rows import MAX_KEY
from ldb.maps.sort import key_order
from tests.maps import strategies as maps
from tests.maps.memory import DATASET, FIXED, STRINGS, Nodes, Table, built
from tests.maps.test_edit import numbered


def shuffled(schema: Schema, table: Table, order: list[bytes], cuts: list[int]) -> list[Rows]:
    """The rows of a table in an order, as chunks."""
    rows = schema.rows(table)
    sorted_keys = sorted(table)
    at = np.array([sorted_keys.index(key) for key in order], np.intp)
    places = [0, *sorted(min(cut, len(order)) for cut in cuts), len(order)]
    return [rows.take(at[a:b]) for a, b in itertools.pairwise(places)]


@given(st.data(), maps.SCHEMAS, st.integers(1, 2000), st.lists(st.integers(0, 120)))
def test_any_order_and_any_run_size_give_one_root(
    data: st.DataObject, schema: Schema, memory: int, cuts: list[int]
) -> None:
    table = data.draw(maps.tables(schema, 120))
    order = data.draw(st.permutations(sorted(table)))
    nodes = Nodes()
    root = build(nodes, schema, sort(schema, shuffled(schema, table, order, cuts), memory=memory))
    assert root == built(Nodes(), schema, table)


@given(
    st.lists(st.binary(min_size=1, max_size=24).map(lambda raw: raw.replace(b"\0", b"\1"))),
    st.sampled_from([b"", b"s3://bucket/a/b"]),
)
def test_order_is_that_of_bytes_and_equal_keys_stay_in_order(
    keys: list[bytes], stem: bytes
) -> None:
    column = STRINGS.column([stem + key for key in keys])
    order = key_order(column)
    found = list(range(len(keys))) if order is None else order.tolist()
    assert found == sorted(range(len(keys)), key=lambda at: keys[at])


def test_keys_that_end_in_zero_bytes() -> None:
    keys = [bytes([a, b, 0, 0]) for a in (3, 0, 2) for b in (1, 0)]
    table: Table = dict.fromkeys(keys, (b"ab", b"c"))
    chunks = shuffled(FIXED, table, keys, [1, 3])
    assert build(Nodes(), FIXED, sort(FIXED, chunks, memory=1)) == built(Nodes(), FIXED, table)


@pytest.mark.parametrize("memory", [1, 100, 1 << 20])
@pytest.mark.parametrize("schema", [FIXED, STRINGS])
def test_a_key_that_comes_twice_is_refused(schema: Schema, memory: int) -> None:
    table = {b"%04d" % number: (b"ab", b"c") for number in range(60)}
    rows = schema.rows(table)
    with pytest.raises(BadInput, match="two rows have the key 30303333"):
        list(sort(schema, [rows, rows.slice(33, 34)], memory=memory))


@pytest.mark.parametrize("memory", [1, 100, 1 << 20])
def test_whoever_sorts_may_say_it_otherwise(memory: int) -> None:
    rows = FIXED.rows({b"%04d" % number: (b"ab", b"c") for number in range(60)})
    again = FIXED.rows({b"0033": (b"ef", b"g")})

    def refuse(pair: Rows) -> Exception:
        assert pair.keys.tolist() == [b"0033"] * 2
        return KeyError(*sorted(bytes(each) for each in pair.fields[0]))

    with pytest.raises(KeyError, match=r"ab.*ef"):
        list(sort(FIXED, [again, rows], memory=memory, repeated=refuse))


def test_one_long_key_does_not_widen_all_that_are_held() -> None:
    table: Table = {b"%05d" % number: (b"ab", b"c") for number in range(3000)}
    table[b"x" * MAX_KEY] = (b"zz", b"z")
    rows = STRINGS.rows(table)
    chunks = [rows.slice(at, at + 10) for at in range(3000, -1, -10)]
    memory = 100_000
    widest = 0
    found = 0
    for part in sort(STRINGS, chunks, memory=memory):
        widest = max(widest, part.keys.nbytes)
        found += len(part)
    assert found == len(table)
    assert widest <= memory


class Full:
    """A temporary file on a disk without space."""

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *rest: object) -> None:
        pass

    def tell(self) -> int:
        return 0

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_fits_into_a_run_goes_through_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    rows = numbered(DATASET, range(500))
    parts = list(sort(DATASET, [rows.slice(250), rows.slice(0, 250)]))
    assert Rows.concat(parts).keys.tolist() == rows.keys.tolist()


def test_a_full_disk_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(StoreFailed, match="No space"):
        list(sort(DATASET, [numbered(DATASET, range(500))], memory=1000))
