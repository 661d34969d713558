"""The closures a compiled query is made of: each maker takes parts, returns one function.

Nothing here knows the syntax tree or looks at it again per row. A `Step` maps the
current value to a result. In a *strict* query (`--query`) a key that is not there
raises KeyError, which the whole evaluation ends with; otherwise it is None.

Repetition is the point: a loop or a lookup of an operator inside a closure costs more
than the work itself, so the common shapes are spelled out (docs/design/003-queries.md).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from ldb.query.values import NUMBERS, Value, equal

Step = Callable[[Value], Value]


def constant(value: Value) -> Step:
    return lambda _: value


def identity(value: Value) -> Value:
    return value


def compose(steps: Sequence[Step]) -> Step:
    """One step after the other."""
    if not steps:
        return identity
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2:
        first, second = steps
        return lambda value: second(first(value))

    def run(value: Value) -> Value:
        for step in steps:
            value = step(value)
        return value

    return run


# --- keys and places


def lenient_path(keys: Sequence[str]) -> Step:
    """`a.b.c`, None where it leads nowhere."""
    if len(keys) > 2:
        return compose([lenient_path(keys[:2]), lenient_path(keys[2:])])
    first, last = keys[0], keys[-1]

    def one(value: Value) -> Value:
        try:
            return value.get(first)
        except AttributeError:
            return None

    def two(value: Value) -> Value:
        try:
            return value.get(first).get(last)
        except AttributeError:
            return None

    return one if len(keys) == 1 else two


def strict_path(keys: Sequence[str]) -> Step:
    """`a.b.c`, KeyError where it leads nowhere."""
    if len(keys) > 2:
        return compose([strict_path(keys[:2]), strict_path(keys[2:])])
    first, last = keys[0], keys[-1]

    def one(value: Value) -> Value:
        try:
            return value[first]
        except TypeError:  # not an object
            raise KeyError(first) from None

    def two(value: Value) -> Value:
        try:
            return value[first][last]
        except TypeError:
            raise KeyError(f"{first}.{last}") from None

    return one if len(keys) == 1 else two


def index(place: int) -> Step:
    def run(value: Value) -> Value:
        if value.__class__ is not list:
            return None
        try:
            return value[place]
        except IndexError:
            return None

    return run


def cut(bounds: Sequence[int | None]) -> Step:
    """`[a:b:c]`."""
    part = slice(*bounds)
    return lambda value: value[part] if value.__class__ is list else None


# --- truth: these return what Python, too, takes as true or false


def truth_of(step: Step) -> Step:
    """Python's truth differs from JMESPath's for the number 0 only."""

    def run(value: Value) -> bool:
        result = step(value)
        return True if result else result.__class__ in NUMBERS

    return run


def negate(test: Step) -> Step:
    return lambda value: not test(value)


def any_of(tests: Sequence[Step]) -> Step:
    """The first true operand, else the last; for operands of Python's truth."""
    first, second = tests[0], tests[1]
    if len(tests) == 2:
        return lambda value: first(value) or second(value)

    def run(value: Value) -> Value:
        result = None
        for test in tests:
            result = test(value)
            if result:
                break
        return result

    return run


def all_of(tests: Sequence[Step]) -> Step:
    """The first false operand, else the last; for operands of Python's truth."""
    first, second = tests[0], tests[1]
    if len(tests) == 2:
        return lambda value: first(value) and second(value)

    def run(value: Value) -> Value:
        result = None
        for test in tests:
            result = test(value)
            if not result:
                break
        return result

    return run


def first_true(steps: Sequence[Step]) -> Step:
    """`a || b`, for operands of any type."""

    def run(value: Value) -> Value:
        result = None
        for step in steps:
            result = step(value)
            if result or result.__class__ in NUMBERS:
                break
        return result

    return run


def first_false(steps: Sequence[Step]) -> Step:
    """`a && b`, for operands of any type."""

    def run(value: Value) -> Value:
        result = None
        for step in steps:
            result = step(value)
            if not (result or result.__class__ in NUMBERS):
                break
        return result

    return run


# --- comparisons


def equals(left: Step, right: Step) -> Step:
    return lambda value: equal(left(value), right(value))


def differs(left: Step, right: Step) -> Step:
    return lambda value: not equal(left(value), right(value))


def equals_literal(left: Step, literal: Value) -> Step:
    """`== literal`; Python's own equality serves where it cannot take true for 1."""
    if literal is None or literal is True or literal is False:
        return lambda value: left(value) is literal
    if literal.__class__ is str or (literal.__class__ in NUMBERS and literal not in (0, 1)):
        return lambda value: left(value) == literal
    return lambda value: equal(left(value), literal)


def differs_literal(left: Step, literal: Value) -> Step:
    if literal is None or literal is True or literal is False:
        return lambda value: left(value) is not literal
    if literal.__class__ is str or (literal.__class__ in NUMBERS and literal not in (0, 1)):
        return lambda value: left(value) != literal
    return lambda value: not equal(left(value), literal)


def strict_key_equals(key: str, literal: str) -> Step:
    """`key == 'text'` of a strict query: the commonest of all."""

    def run(value: Value) -> Value:
        try:
            return value[key] == literal
        except TypeError:
            raise KeyError(key) from None

    return run


_ORDER: dict[str, Callable[[Value, Value], Value]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_MIRRORED = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}


def ordered(name: str, left: Step, right: Step) -> Step:
    """`<` and its like: two numbers, or two texts by code point; None for all else."""
    compare = _ORDER[name]

    def run(value: Value) -> Value:
        one, other = left(value), right(value)
        kind = one.__class__
        if kind in NUMBERS:
            comparable = other.__class__ in NUMBERS
        else:
            comparable = kind is str and other.__class__ is str
        return compare(one, other) if comparable else None

    return run


def ordered_number(name: str, left: Step, number: Value) -> Step:
    """`< 5` and its like."""

    def lt(value: Value) -> Value:
        one = left(value)
        return one < number if one.__class__ in NUMBERS else None

    def lte(value: Value) -> Value:
        one = left(value)
        return one <= number if one.__class__ in NUMBERS else None

    def gt(value: Value) -> Value:
        one = left(value)
        return one > number if one.__class__ in NUMBERS else None

    def gte(value: Value) -> Value:
        one = left(value)
        return one >= number if one.__class__ in NUMBERS else None

    return {"lt": lt, "lte": lte, "gt": gt, "gte": gte}[name]


def mirrored(name: str) -> str:
    """`5 < a` is `a > 5`."""
    return _MIRRORED.get(name, name)


# --- arrays and objects


def project(source: Step, result: Step | None) -> Step:
    """`source[*].result`; results of null fall out. No `result`: the elements."""

    def elements(value: Value) -> Value:
        base = source(value)
        if base.__class__ is not list:
            return None
        return [one for one in base if one is not None]

    def results(value: Value) -> Value:
        base = source(value)
        if base.__class__ is not list:
            return None
        return [one for item in base if (one := call(item)) is not None]

    call = result or identity
    return results if result else elements


def project_values(source: Step, result: Step | None) -> Step:
    """`source.*.result`."""
    call = result or identity

    def run(value: Value) -> Value:
        base = source(value)
        if base.__class__ is not dict:
            return None
        return [one for item in base.values() if (one := call(item)) is not None]

    return run


def select(source: Step, test: Step, result: Step | None) -> Step:
    """`source[?test].result`."""

    def elements(value: Value) -> Value:
        base = source(value)
        if base.__class__ is not list:
            return None
        return [one for one in base if test(one) and one is not None]

    def results(value: Value) -> Value:
        base = source(value)
        if base.__class__ is not list:
            return None
        return [one for item in base if test(item) and (one := call(item)) is not None]

    call = result or identity
    return results if result else elements


def flatten(source: Step) -> Step:
    """`source[]` before its projection: one level of arrays opened."""

    def run(value: Value) -> Value:
        base = source(value)
        if base.__class__ is not list:
            return None
        merged: list[Value] = []
        for one in base:
            if one.__class__ is list:
                merged += one
            else:
                merged.append(one)
        return merged

    return run


def make_list(steps: Sequence[Step]) -> Step:
    return lambda value: None if value is None else [step(value) for step in steps]


def make_object(steps: Sequence[tuple[str, Step]]) -> Step:
    return lambda value: None if value is None else {key: step(value) for key, step in steps}
