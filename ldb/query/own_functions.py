"""The functions LDB adds to JMESPath's: regular expressions, vectors, sets, keys.

Vectors are arrays of numbers; two of them must have the same length, and a number
stands for a vector of it. Meanings: docs/query.md.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from jmespath import exceptions as jmes
from jmespath import lexer

from ldb.query.signature import Call, declare, finite
from ldb.query.values import QueryFailed, Value, contains

# --- regular expressions


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise QueryFailed("regex", f"not a regular expression: {error}") from None


def _regex(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _bind_regex(literals: Mapping[int, Value]) -> Call | None:
    if literals.get(1).__class__ is not str:
        return None
    search = _pattern(literals[1]).search
    return lambda text, _: search(text) is not None


def _regex_match(text: str, pattern: str) -> str | None:
    found = _pattern(pattern).match(text)
    return found and found.group()


def _bind_regex_match(literals: Mapping[int, Value]) -> Call | None:
    if literals.get(1).__class__ is not str:
        return None
    match = _pattern(literals[1]).match
    return lambda text, _: (found := match(text)) and found.group()


# --- numbers and vectors


def _elementwise(name: str, compute: Callable[[Value, Value], Value]) -> Call:
    def call(left: Value, right: Value) -> Value:
        if left.__class__ is list:
            if right.__class__ is list:
                _check_lengths(name, left, right)
                return [finite(compute(one, other)) for one, other in zip(left, right, strict=True)]
            return [finite(compute(one, right)) for one in left]
        if right.__class__ is list:
            return [finite(compute(left, other)) for other in right]
        return finite(compute(left, right))

    return call


def _check_lengths(name: str, left: list[Value], right: list[Value]) -> None:
    if len(left) != len(right):
        raise QueryFailed(f"{name}()", f"vectors of {len(left)} and {len(right)} numbers")


def _neg(value: Value) -> Value:
    return [-one for one in value] if value.__class__ is list else -value


def _dotproduct(left: list[Value], right: list[Value]) -> Value:
    _check_lengths("dotproduct", left, right)
    return finite(sum(map(operator.mul, left, right)))


# --- sets


def _unique(values: list[Value]) -> list[Value]:
    """Nested arrays opened at every depth; of equal values the first stays."""
    seen = set()
    kept = []
    stack = [iter(values)]
    while stack:
        for value in stack[-1]:
            if value.__class__ is list:
                stack.append(iter(value))
                break
            key = _hashable(value)
            if key not in seen:
                seen.add(key)
                kept.append(value)
        else:
            stack.pop()
    return kept


def _hashable(value: Value) -> object:
    """Equal for equal JSON values only: true is not 1, but 1 is 1.0."""
    if value.__class__ is dict:
        return frozenset((key, _hashable(one)) for key, one in value.items())
    if value.__class__ is list:
        return tuple(_hashable(one) for one in value)
    return (bool, value) if value.__class__ is bool else value


def _has(subject: Value, wanted: Value) -> bool:
    if subject.__class__ is str:
        return wanted.__class__ is str and wanted in subject
    return contains(subject, wanted)


def _contains_any(subject: Value, wanted: list[Value]) -> bool:
    return any(_has(subject, one) for one in wanted)


def _contains_all(subject: Value, wanted: list[Value]) -> bool:
    return all(_has(subject, one) for one in wanted)


# --- keys


@lru_cache(maxsize=256)
def key_path(text: str) -> tuple[str, ...]:
    """The keys of `a."b c".d`."""
    try:
        tokens = list(lexer.Lexer().tokenize(text))[:-1]
    except (jmes.JMESPathError, ValueError):
        tokens = []
    names = [one["value"] for one in tokens[::2] if one["type"].endswith("quoted_identifier")]
    dots = [one for one in tokens[1::2] if one["type"] == "dot"]
    if not names or len(tokens) != len(names) + len(dots) or len(names) != len(dots) + 1:
        hint = "keys joined by dots; quote unusual ones, as in '\"my key\".b'"
        raise QueryFailed("keys", f"`{text}` is not a path of keys ({hint})")
    return tuple(names)


def _has_keys(value: Value, *paths: str) -> bool:
    return all(_follow(value, key_path(path))[0] for path in paths)


def _bind_paths(literals: Mapping[int, Value]) -> Call | None:
    """Mistakes in paths that are literals are found before any row is read."""
    for place, path in literals.items():
        if place and isinstance(path, str):
            key_path(path)
    return None


def _get(value: Value, path: str, default: Value = None) -> Value:
    if path.__class__ is not str:
        raise QueryFailed("get()", "argument 2 must be string")
    found, result = _follow(value, key_path(path))
    return result if found else default


def _bind_get(literals: Mapping[int, Value]) -> Call | None:
    return _bind_paths({place: path for place, path in literals.items() if place == 1})


def _follow(value: Value, keys: tuple[str, ...]) -> tuple[bool, Value]:
    for key in keys:
        if value.__class__ is not dict or key not in value:
            return False, None
        value = value[key]
    return True, value


_MUL = _elementwise("mul", operator.mul)
_VECTOR = "number|array-number"

OWN = (
    declare("add", _elementwise("add", operator.add), _VECTOR, _VECTOR),
    declare("contains_all", _contains_all, "array|string", "array", boolean=True),
    declare("contains_any", _contains_any, "array|string", "array", boolean=True),
    declare("div", _elementwise("div", operator.truediv), _VECTOR, _VECTOR),
    declare("dotproduct", _dotproduct, "array-number", "array-number"),
    declare("get", _get, "any", "any", optional=1, bind=_bind_get),
    declare("has_keys", _has_keys, "any", "string", "*", boolean=True, bind=_bind_paths),
    declare("mul", _MUL, _VECTOR, _VECTOR),
    declare("neg", _neg, _VECTOR),
    declare("prod", _MUL, _VECTOR, _VECTOR),
    declare("regex", _regex, "string", "string", boolean=True, bind=_bind_regex),
    declare("regex_match", _regex_match, "string", "string", bind=_bind_regex_match),
    declare("sub", _elementwise("sub", operator.sub), _VECTOR, _VECTOR),
    declare("unique", _unique, "array"),
)
