"""Hypothesis strategies for maps: keys with zero bytes, 0xff and long common beginnings."""

from __future__ import annotations

from hypothesis import strategies as st

from ldb.maps import Schema
from tests.maps.memory import FIXED, STRINGS, Values

BYTES = st.sampled_from([0, 1, 2, 97, 254, 255])
VALUES = st.tuples(st.sampled_from([b"\0\0", b"a\0", b"\0a"]), st.sampled_from([b"\0", b"b"]))
SCHEMAS = st.sampled_from([FIXED, STRINGS])
CUTS = st.lists(st.integers(0, 200), max_size=4)


def keys(schema: Schema) -> st.SearchStrategy[bytes]:
    if schema.key_width:
        return st.lists(BYTES, min_size=schema.key_width, max_size=schema.key_width).map(bytes)
    letters = st.sampled_from([1, 2, 97, 254, 255])
    short = st.lists(letters, min_size=1, max_size=5).map(bytes)
    return st.one_of(short, short.map(lambda key: b"x" * 300 + key))


def tables(schema: Schema, size: int = 120) -> st.SearchStrategy[dict[bytes, Values]]:
    return st.dictionaries(keys(schema), VALUES, max_size=size)


def changes(schema: Schema, size: int = 60) -> st.SearchStrategy[dict[bytes, Values | None]]:
    return st.dictionaries(keys(schema), st.none() | VALUES, max_size=size)
