"""Shredded payloads are the columns that their values make."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.columns import join, payloads, shred, text
from ldb.columns.build import from_values
from ldb.columns.model import Column, Kind
from ldb.columns.shred import Shredder
from ldb.objects.codec import encode

LONG = "long enough for a header of its own, and for a comparison of more than sixty-four bytes"
EDGES = sorted({(1 << bits) - 1 for bits in range(64)} | {-(1 << bits) for bits in range(64)})
TEXTS = st.sampled_from(["", "a", "b", "é", "\0", "a\0", "eight by", "eight byt", LONG, LONG * 4])
KEYS = st.sampled_from(["", "a", "a\0", "b", "é", "eight by", "eight by\0", "eight bytes", LONG])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-40, 300)
    | st.sampled_from(EDGES)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.text(max_size=3)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
"""Without integers beyond 64 bits with a sign."""


def shredded(values: Sequence[Any]) -> Column:
    """One column at once."""
    shredder = Shredder()
    shredder.add([encode(value) for value in values])
    return shredder.finish()


def assert_same(column: Column, plain: Column) -> None:
    """The same values in the same kinds, and the same that is opaque."""
    assert column.size == plain.size
    assert column.kinds.tolist() == plain.kinds.tolist()
    assert column.present >= plain.present
    if Kind.INT in plain.present:
        assert column.ints.tolist() == plain.ints.tolist()
    if Kind.FLOAT in plain.present:
        assert column.floats.dtype == np.float64
        assert column.floats.tobytes() == plain.floats.tobytes()
    if Kind.TEXT in plain.present:
        places = column.are(Kind.TEXT)
        assert column.take(places).values() == plain.take(places).values()
        assert_words(column)
    if Kind.LIST in plain.present:
        assert column.offsets.tolist() == plain.offsets.tolist()
        assert_same(column.items, plain.items)
    if Kind.OBJECT in plain.present:
        assert list(column.fields) == sorted(plain.fields, key=str.encode)
        for key, below in plain.fields.items():
            assert_same(column.fields[key], below)


def assert_words(column: Column) -> None:
    """Distinct words say so; others stand in the order of the values."""
    strings, codes = column.words.strings, column.codes[column.are(Kind.TEXT)].tolist()
    if column.words.distinct:
        assert len(set(strings)) == len(strings) == len(set(codes))
        assert 2 * len(strings) <= len(codes)
    else:
        assert codes == list(range(len(strings)))


@given(st.lists(JSON, max_size=12))
def test_columns_are_those_of_the_values(values: list[Any]) -> None:
    column = shredded(values)
    assert repr(column.values()) == repr([_sorted(value) for value in values])
    assert_same(column, from_values(values))


def _sorted(value: Any) -> Any:
    """Objects with their keys in the order of columns."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


@given(st.lists(JSON, min_size=1, max_size=8), st.integers(0, 1 << 32))
def test_columns_of_many_are_those_of_the_values(values: list[Any], seed: int) -> None:
    """Enough of them that none are walked one by one."""
    many = random.Random(seed).choices(values, k=200)
    assert_same(shredded(many), from_values(many))
    lists = [many[at : at + at % 7] for at in range(120)]
    assert_same(shredded(lists), from_values(lists))


@given(st.lists(JSON, max_size=30), st.integers(1, 200))
def test_chunks_are_joined(values: list[Any], chunk: int) -> None:
    shredder = Shredder(chunk)
    for at in range(0, len(values), 7):
        shredder.add([encode(value) for value in values[at : at + 7]])
    assert len(shredder) == len(values)
    assert_same(shredder.finish(), from_values(values))


def test_small_payloads_are_shredded_in_chunks_as_well() -> None:
    values = list(range(shred.ROWS * 2 + 5))
    shredder = Shredder()
    shredder.add([encode(value) for value in values])
    assert shredder.finish().values() == values


@given(st.lists(JSON, min_size=1, max_size=6), st.data())
def test_bytes_that_are_no_payloads_are_refused(values: list[Any], data: st.DataObject) -> None:
    """Or, where a change left payloads, they are columns."""
    parts = [bytearray(encode(value)) for value in values]
    victim = data.draw(st.sampled_from(parts))
    for _ in range(data.draw(st.integers(1, 3))):
        victim[data.draw(st.integers(0, len(victim) - 1))] = data.draw(st.integers(0, 255))
    _refused_or_columns(parts)


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=80))
def test_junk_is_refused(parts: list[bytes]) -> None:
    _refused_or_columns(parts)
    _refused_or_columns(parts * 60)


def _refused_or_columns(parts: Sequence[bytes | bytearray]) -> None:
    ends = np.cumsum([len(part) for part in parts])
    starts = np.concatenate(([0], ends[:-1]))
    try:
        column = shred.shred(np.frombuffer(b"".join(parts), np.uint8), starts, ends)
    except ValueError:
        return
    assert column.size == len(parts)


@given(st.lists(JSON, min_size=1, max_size=3), st.data())
def test_payloads_cut_short_are_refused(values: list[Any], data: st.DataObject) -> None:
    whole = b"".join(encode(value) for value in values)
    ends = np.cumsum([len(encode(value)) for value in values])
    starts = np.concatenate(([0], ends[:-1]))
    row = data.draw(st.integers(0, len(values) - 1))
    ends[row] -= data.draw(st.integers(1, int(ends[row] - starts[row])))
    for size in (int(ends.max()), len(whole)):
        with pytest.raises(ValueError):  # noqa: PT011  (bounds, spelling or UTF-8)
            shred.shred(np.frombuffer(whole[:size], np.uint8), starts, ends)


@pytest.mark.parametrize(
    "payload",
    [
        "dd ff ff ff ff 01",
        "df ff ff ff ff a1 61 01",
        "db ff ff ff ff 61",
        "c6 ff ff ff ff 61",
        "91 db ff ff ff ff",
        "91 c4 09",
        "91 91 a5 61",
        "92 01",
        "92 a1 61",
        "cb 00",
        "92 cb 00 00",
        "ca 00 00 00 00",
        "91 ca 00 00 00 00",
        "c1",
        "d4 01 01",
        "81 01 01",
        "81 a1 61",
        "82 a1 62 01 a1 61 02",
        "82 a1 61 01 a1 61 02",
        "81 a1 ff 01",
        "01 01",
        "90 90",
    ],
)
@pytest.mark.parametrize("count", [1, 100])
def test_hostile_payloads_are_refused(payload: str, count: int) -> None:
    raw = bytes.fromhex(payload)
    for good in ([], [encode({"a": [1]})], [encode([[[1], "a"]])] * 100):
        shredder = Shredder()
        shredder.add([*good, *[raw] * count, *good])
        with pytest.raises(ValueError):  # noqa: PT011  (spelling or UTF-8)
            shredder.finish()


def test_nothing_is_a_column() -> None:
    assert shredded([]).values() == []
    empty = np.zeros(0, np.int64)
    assert shred.shred(np.zeros(0, np.uint8), empty, empty).values() == []


def test_ints_and_codes_are_as_small_as_they_can_be() -> None:
    for low, high, dtype in (
        (-128, 127, np.int8),
        (-129, 0, np.int16),
        (0, 32768, np.int32),
        (-(1 << 63), 0, np.int64),
        (0, (1 << 63) - 1, np.int64),
    ):
        column = shredded([low, high])
        assert column.ints.dtype == dtype
        assert column.values() == [low, high]
    column = shredded([str(at) for at in range(128)] * 2)
    assert column.words.distinct
    assert column.codes.dtype == np.int8
    assert shredded([str(at) for at in range(129)] * 2).codes.dtype == np.int16


def test_what_columns_do_not_hold_is_opaque() -> None:
    values = [1, (1 << 64) - 1, {"a": b"raw"}, [1 << 63, -(1 << 63)], {"a": [b"x" * 300, 5]}]
    assert_same(shredded(values), from_values(values))
    assert_same(shredded(values * 50), from_values(values * 50))


def test_all_kinds_of_lists_are_cut_into_their_items() -> None:
    lists: list[Any] = [
        [1] * 5,
        [],
        [1.5] * 3,
        ["ab", "cd"],
        [1, 200, 3, 70000],
        [[1], [2, 3], []],
        [{"a": [1]}, {"b": None}, {}],
        ["x" * 40, 1],
        [1] * 100 + ["a"],
        [[] for _ in range(70000)],
        [[[[at, 300], "x" * at] * 3, {"a": [at, 300] * 40}] for at in range(60)],
        list(range(70000)),
    ]
    for values in (lists, [lists], lists[:9] * 100, [lists[:9]] * 100):
        assert_same(shredded(values), from_values(values))


def test_texts_that_repeat_are_kept_once() -> None:
    rng = random.Random(1)
    for length in (0, 3, 8, 15, 64, 65, 300):
        words = [f"{at:0{length}d}" for at in range(min(50, 10**length))]
        column = shredded(rng.choices(words, k=5000))
        assert column.words.distinct
        assert sorted(column.words.strings) == sorted(words)
    column = shredded([f"{at:012d}" for at in range(5000)])
    assert not column.words.distinct
    assert column.values() == [f"{at:012d}" for at in range(5000)]


def test_long_texts_that_differ_in_a_few_bytes_are_told_apart() -> None:
    texts = [f"{'x' * 70}{at % 30:02d}{'x' * 70}" for at in range(1000)]
    column = shredded([*texts, "short", "x" * 142])
    assert column.words.distinct
    assert len(column.words) == 32
    assert column.values() == [*texts, "short", "x" * 142]


def test_a_dictionary_that_a_sample_misses_is_no_harm() -> None:
    """Every third text repeats, none of the sample does."""
    rows = 3 * text.SAMPLE
    texts = ["again" if at % 3 == 1 else f"text {at}" for at in range(rows)]
    column = shredded(texts)
    assert column.values() == texts
    assert_words(column)


def test_texts_made_to_collide_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_FACTORS", tuple(np.uint64(0) for _ in text._FACTORS))
    texts = [f"{at % 20}" for at in range(100)]
    column = shredded(texts)
    assert column.values() == texts
    assert column.words.distinct


def test_parts_with_and_without_a_dictionary_are_joined() -> None:
    texts = [f"{at}" for at in range(100)] + ["cat", "dog"] * 500 + ["bird"]
    shredder = Shredder(100)
    shredder.add([encode(each) for each in texts])
    column = shredder.finish()
    assert column.values() == texts
    assert column.words.distinct
    assert_words(column)


def test_an_object_of_too_many_keys_is_opaque() -> None:
    within = {f"{at:04d}": at for at in range(join.MAX_KEYS)}
    beyond = {f"{at:04d}": at for at in range(join.MAX_KEYS + 1)}
    assert shredded([within, {}, 1]).kinds.tolist() == [Kind.OBJECT, Kind.OBJECT, Kind.INT]
    column = shredded([{"a": beyond, "b": [1]}, {"a": {}, "b": beyond}] * 60)
    assert column.fields["a"].kind is Kind.OPAQUE
    assert column.fields["b"].kinds.tolist() == [Kind.LIST, Kind.OPAQUE] * 60
    assert shredded([{"a" * shred.MAX_KEY: 1}]).kind is Kind.OBJECT
    assert shredded([{"a": 1}, {"a" * (shred.MAX_KEY + 1): 1}]).kind is Kind.OPAQUE


def test_keys_that_are_ids_are_not_taken_for_columns() -> None:
    values = [{"by id": {f"{at:06d}": {"x": at}}, "n": at} for at in range(3000)]
    column = shredded(values)
    assert column.fields["by id"].kind is Kind.OPAQUE
    assert column.fields["n"].values() == list(range(3000))


def test_chunks_together_keep_the_limits() -> None:
    values = [{"by id": {f"{at:06d}": at}, "n": at} for at in range(join.MAX_KEYS + 1)]
    shredder = Shredder(200)
    shredder.add([encode(value) for value in values])
    column = shredder.finish()
    assert column.fields["by id"].kind is Kind.OPAQUE
    assert column.fields["n"].values() == list(range(len(values)))


def test_a_tree_of_too_many_columns_gives_up_an_object() -> None:
    wide = {f"{at:04d}": 1 for at in range(200)}
    value = {"a": {f"{at}": wide for at in range(9)}, "b": [1, 2], "c": wide}
    column = shredded([value])
    kinds = [below.kind for below in column.fields["a"].fields.values()]
    assert kinds == [Kind.OBJECT] * 5 + [Kind.OPAQUE] * 4
    assert column.fields["b"].values() == [[1, 2]]
    assert column.fields["c"].kind is Kind.OPAQUE


def test_containers_too_deep_are_opaque() -> None:
    value: Any = "core"
    for _ in range(shred.MAX_DEPTH):
        value = [value]
    assert shredded([value]).values() == [value]
    column = shredded([[value]] * 60)
    for _ in range(shred.MAX_DEPTH):
        assert column.kind is Kind.LIST
        column = column.items
    assert column.kind is Kind.OPAQUE


def test_fixed_sizes_are_those_of_the_codec() -> None:
    fixed: list[Any] = [None, True, 1.5, "", "abc", [], {}, *EDGES]
    for raw in map(encode, fixed):
        assert payloads.FIXED[raw[0]] == len(raw)
    counted: list[Any] = [[1], {"a": 1}, "x" * 32, b""]
    for raw in map(encode, counted):
        assert payloads.FIXED[raw[0]] == 0
