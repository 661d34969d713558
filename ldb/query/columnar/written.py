"""A part of a syntax tree as the text of an expression, for plans.

It parses to the same tree, but for some chains of keys after projections in projections,
which get parentheses more than they need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from ldb.query.syntax import Node, chain

_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_JOINTS = {"or_expression": " || ", "and_expression": " && ", "pipe": " | "}
_PROJECTIONS = frozenset(("projection", "value_projection", "filter_projection", "flatten"))
_LOOSE = frozenset(("or_expression", "and_expression", "pipe", "comparator", "not_expression"))


def written(node: Node) -> str:
    """The text of `node`."""
    kind = node["type"]
    below = node["children"]
    if kind == "field":
        return _key(node["value"])
    if kind == "current":
        return "@"
    if kind == "identity":
        return ""
    if kind == "literal":
        return _literal(node["value"])
    if kind == "index":
        return f"[{node['value']}]"
    if kind == "slice":
        bounds = ["" if one is None else str(one) for one in below]
        return f"[{':'.join(bounds if below[2] is not None else bounds[:2])}]"
    if kind in _JOINTS:
        return _JOINTS[kind].join(_closed(one) for one in chain(node))
    if kind == "comparator":
        return f"{_closed(below[0])} {_SIGNS[node['value']]} {_closed(below[1])}"
    if kind == "not_expression":
        tight = below[0]["type"] in ("field", "current", "literal", "function_expression")
        return f"!{written(below[0])}" if tight else f"!({written(below[0])})"
    if kind == "expref":
        return f"&{written(below[0])}"
    make: Callable[[Node], str] = _MAKERS[kind]
    return make(node)


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) else json.dumps(key)


def _literal(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and not set(value) & set("'\\"):
        return f"'{value}'"
    return "`" + json.dumps(value).replace("`", "\\`") + "`"


def _closed(node: Node) -> str:
    text = written(node)
    return f"({text})" if node["type"] in _LOOSE else text


def _opened(node: Node) -> str:
    """The source of a projection, or what comes before a key."""
    # What follows a projection is part of it, unless it is closed.
    return f"({written(node)})" if node["type"] in _PROJECTIONS else _closed(node)


def _steps(node: Node) -> str:
    """Sub-expressions and indexes."""
    first, *rest = node["children"]
    text = _opened(first) if rest else _closed(first)
    for part in rest:
        text = _then(text, part)
    return text


def _then(text: str, part: Node) -> str:
    """`text` with what follows it."""
    after = _closed(part)
    if not text or not after:
        return text or after
    return text + after if after.startswith("[") and not _makes_list(part) else f"{text}.{after}"


def _makes_list(node: Node) -> bool:
    while node["type"] != "multi_select_list":
        if node["type"] not in ("subexpression", "index_expression") or not node["children"]:
            return False
        node = node["children"][0]
    return True


def _projection(node: Node) -> str:
    source, result = node["children"]
    if source["type"] == "flatten":
        return _then(_flatten(source), result)
    is_slice = source["type"] == "index_expression" and source["children"][1]["type"] == "slice"
    return _then(_opened(source) + ("" if is_slice else "[*]"), result)


def _value_projection(node: Node) -> str:
    source, result = node["children"]
    before = _opened(source)
    return _then(f"{before}.*" if before else "*", result)


def _filter_projection(node: Node) -> str:
    source, result, condition = node["children"]
    return _then(f"{_opened(source)}[?{written(condition)}]", result)


def _flatten(node: Node) -> str:
    return f"{_closed(node['children'][0])}[]"


def _call(node: Node) -> str:
    return f"{node['value']}({', '.join(map(written, node['children']))})"


def _list(node: Node) -> str:
    return f"[{', '.join(map(written, node['children']))}]"


def _object(node: Node) -> str:
    pairs = [f"{_key(one['value'])}: {written(one['children'][0])}" for one in node["children"]]
    return f"{{{', '.join(pairs)}}}"


_MAKERS: dict[str, Callable[[Node], str]] = {
    "subexpression": _steps,
    "index_expression": _steps,
    "projection": _projection,
    "value_projection": _value_projection,
    "filter_projection": _filter_projection,
    "flatten": _flatten,
    "function_expression": _call,
    "multi_select_list": _list,
    "multi_select_dict": _object,
}
