"""JMESPath's view of decoded JSON: truth, equality, order and types.

Python agrees with JSON except in three places, and they are all here: `True == 1`,
`0` is false, and `bool` is an `int`. Values are what a JSON or MessagePack decoder
gives: dict, list, str, int, float, bool, None, exactly (no subclasses).
"""

from __future__ import annotations

from typing import Any

from ldb.errors import BadInput

Value = Any
"""A decoded JSON value."""

NUMBERS = frozenset((int, float))
"""Python types of a JSON number; `bool` is not among them."""

SCALARS = frozenset((str, int, float, bool, type(None)))

TYPE_NAMES: dict[type, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}


class QueryFailed(BadInput):
    """A query that cannot be evaluated on one value: no match there, and no more than that."""


def type_name(value: Value) -> str:
    """JMESPath's name of the type of `value`."""
    return TYPE_NAMES.get(type(value), type(value).__name__)


def truthy(value: Value) -> bool:
    """False for false, null, "", [] and {}; true for all else, 0 included."""
    return True if value else value.__class__ in NUMBERS


def equal(left: Value, right: Value) -> bool:
    """JSON equality at every depth: 1 equals 1.0, neither equals true."""
    if left != right:
        return False
    kind = left.__class__
    if kind is right.__class__ and kind in SCALARS:
        return True
    return _same(left, right)


def _same(left: Value, right: Value) -> bool:
    """Whether values that Python calls equal hold their booleans in the same places."""
    if left.__class__ is list:
        return all(map(_same, left, right))
    if left.__class__ is dict:
        return all(_same(value, right[key]) for key, value in left.items())
    return (left.__class__ is bool) is (right.__class__ is bool)


def contains(values: list[Value], wanted: Value) -> bool:
    """Whether an element of `values` equals `wanted`."""
    if wanted.__class__ is str or wanted is None:
        return wanted in values
    return wanted in values and any(equal(value, wanted) for value in values)
