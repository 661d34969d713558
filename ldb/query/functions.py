"""The functions a query can call: JMESPath's standard ones and LDB's own.

A `Function` knows the types of its arguments, so that the functions below are called
with arguments that fit and need no checks of their own. They raise `QueryFailed` (or an
ArithmeticError) for values they cannot handle. Table with meanings: docs/query.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from ldb.query.own_functions import OWN
from ldb.query.signature import Function, declare, finite
from ldb.query.values import QueryFailed, Value, contains, type_name

__all__ = ["FUNCTIONS", "Function", "declare"]


def _avg(numbers: list[Value]) -> Value:
    return finite(sum(numbers) / len(numbers)) if numbers else None


def _contains(subject: Value, wanted: Value) -> bool:
    if subject.__class__ is str:
        return wanted.__class__ is str and wanted in subject
    return contains(subject, wanted)


def _join(glue: str, texts: list[str]) -> str:
    return glue.join(texts)


def _map(step: Callable[[Value], Value], values: list[Value]) -> list[Value]:
    return [step(value) for value in values]


def _max(values: list[Value]) -> Value:
    return max(values) if values else None


def _min(values: list[Value]) -> Value:
    return min(values) if values else None


def _merge(*parts: dict[str, Value]) -> dict[str, Value]:
    merged: dict[str, Value] = {}
    for part in parts:
        merged.update(part)
    return merged


def _not_null(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


def _reverse(value: Value) -> Value:
    return value[::-1]


def _sum(numbers: list[Value]) -> Value:
    return finite(sum(numbers))


def _to_array(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _to_number(value: Value) -> Value:
    """Texts as Python reads them (blanks around and a plus sign are fine), if finite."""
    if value.__class__ in (int, float):
        return value
    if value.__class__ is not str or "_" in value:
        return None
    for read in (int, float):
        try:
            number = read(value)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def _to_string(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _values(value: dict[str, Value]) -> list[Value]:
    return list(value.values())


def _sort_keys(name: str, step: Callable[[Value], Value], values: list[Value]) -> list[Value]:
    """The values to sort by: all numbers or all texts."""
    keys = [step(value) for value in values]
    kinds = {type_name(key) for key in keys}
    if len(kinds) > 1 or not kinds <= {"number", "string"}:
        found = " and ".join(sorted(kinds))
        raise QueryFailed(f"{name}()", f"needs all numbers or all strings to go by, found {found}")
    return keys


def _sort_by(values: list[Value], step: Callable[[Value], Value]) -> list[Value]:
    keys = _sort_keys("sort_by", step, values)
    return [values[place] for place in sorted(range(len(keys)), key=keys.__getitem__)]


def _max_by(values: list[Value], step: Callable[[Value], Value]) -> Value:
    keys = _sort_keys("max_by", step, values)
    return values[max(range(len(keys)), key=keys.__getitem__)] if keys else None


def _min_by(values: list[Value], step: Callable[[Value], Value]) -> Value:
    keys = _sort_keys("min_by", step, values)
    return values[min(range(len(keys)), key=keys.__getitem__)] if keys else None


_STANDARD = (
    declare("abs", abs, "number"),
    declare("avg", _avg, "array-number"),
    declare("ceil", math.ceil, "number"),
    declare("contains", _contains, "array|string", "any", boolean=True),
    declare("ends_with", str.endswith, "string", "string", boolean=True),
    declare("floor", math.floor, "number"),
    declare("join", _join, "string", "array-string"),
    declare("keys", list, "object"),
    declare("length", len, "string|array|object"),
    declare("map", _map, "expref", "array"),
    declare("max", _max, "array-number|array-string"),
    declare("max_by", _max_by, "array", "expref"),
    declare("merge", _merge, "object", "*"),
    declare("min", _min, "array-number|array-string"),
    declare("min_by", _min_by, "array", "expref"),
    declare("not_null", _not_null, "any", "*"),
    declare("reverse", _reverse, "array|string"),
    declare("sort", sorted, "array-number|array-string"),
    declare("sort_by", _sort_by, "array", "expref"),
    declare("starts_with", str.startswith, "string", "string", boolean=True),
    declare("sum", _sum, "array-number"),
    declare("to_array", _to_array, "any"),
    declare("to_number", _to_number, "any"),
    declare("to_string", _to_string, "any"),
    declare("type", type_name, "any"),
    declare("values", _values, "object"),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in (*_STANDARD, *OWN)}
"""All functions by name; a caller with more passes a mapping of its own."""
