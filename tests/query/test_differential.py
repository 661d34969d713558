"""Random expressions on random documents: the jmespath library's interpreter is the oracle."""

from __future__ import annotations

import json
import string
from typing import Any

import jmespath
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jmespath import functions, visitor
from jmespath.exceptions import JMESPathError

from ldb.errors import BadInput
from ldb.query import Missing, QueryFailed, compile_query, parse, truthy
from ldb.query.rowwise import Query

KEYS = ("a", "b", "c", "n")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 0.5, -2.5])
    | st.sampled_from(["", "a", "b", "ab", "1", "x"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)
numbers = st.lists(st.sampled_from([0, 1, -2, 2.5, 1.0]), max_size=4)
boxes = st.lists(
    st.fixed_dictionaries(
        {"b": scalars, "c": st.sampled_from(["a", "b", ""])}, optional={"n": numbers}
    ),
    max_size=4,
)
annotated = st.fixed_dictionaries(
    {"a": boxes, "b": values, "c": st.sampled_from(["a", "b", ""]), "n": numbers}
)
documents = st.one_of(annotated, annotated, values)
names = st.sampled_from([*KEYS, '"a"'])
literals = st.one_of(
    values.map(lambda value: f"`{json.dumps(value)}`"), st.sampled_from(["'a'", "'b'", "''"])
)
COMPARATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
OF_ANY = st.sampled_from(["to_array", "to_number", "to_string", "type", "not_null"])
OF_LIST = st.sampled_from(["length", "max", "min", "avg", "sum", "sort", "reverse"])
OF_ONE = st.sampled_from(["abs", "ceil", "floor", "keys", "values"])
OF_TWO = st.sampled_from(["contains", "ends_with", "starts_with", "join", "merge", "not_null"])
BY = st.sampled_from(["sort_by", "max_by", "min_by"])
lists = st.sampled_from(["a", "n", "a[*].b", "a[*].c", "a[].n[]", "a[?b]", "*", "a[*].n[0]"])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    number = st.integers(-2, 2).map(str)
    bound = number | st.just("")
    step = st.sampled_from(["", ":1", ":-1", ":2"])
    tails = st.one_of(
        names.map(lambda name: f".{name}"),
        st.just("[*]"),
        st.just(".*"),
        st.just("[]"),
        number.map(lambda place: f"[{place}]"),
        st.builds(lambda a, b, c: f"[{a}:{b}{c}]", bound, bound, step),
        inner.map(lambda test: f"[?{test}]"),
        st.builds(lambda a, b: f".[{a}, {b}]", inner, inner),
        st.builds(lambda a, b: f".{{a: {a}, b: {b}}}", inner, inner),
    )
    heads = st.one_of(names, lists, st.just("@"), inner.map(lambda text: f"({text})"))
    paths = st.builds(
        lambda head, rest: head + "".join(rest), heads, st.lists(tails, min_size=1, max_size=3)
    )
    comparisons = st.one_of(
        st.builds(lambda a, op, b: f"{a} {op} {b}", inner, COMPARATORS, inner),
        st.builds(lambda a, op, b: f"{a} {op} {b}", names, COMPARATORS, literals),
        st.builds(lambda a, op, b: f"{a} {op} {b}", literals, COMPARATORS, inner),
    )
    logic = st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(" || ".join),
        st.lists(inner, min_size=2, max_size=4).map(" && ".join),
        st.builds(lambda a, b: f"{a} | {b}", inner, inner),
        inner.map(lambda text: f"!({text})"),
    )
    calls = st.one_of(
        st.builds(lambda name, a: f"{name}({a})", OF_ANY, inner),
        st.builds(lambda name, a: f"{name}({a})", OF_LIST, lists),
        st.builds(lambda name, a: f"{name}({a})", OF_LIST | OF_ONE, inner),
        st.builds(lambda name, a, b: f"{name}({a}, {b})", OF_TWO, inner, inner),
        st.builds(lambda name, a, b: f"{name}({a}, {b})", OF_TWO, lists | names, literals),
        st.builds(lambda name, a, b: f"{name}({a}, &{b})", BY, lists | inner, inner),
        st.builds(lambda a, b: f"map(&{a}, {b})", inner, lists | inner),
    )
    return st.one_of(paths, paths, comparisons, logic, calls)


expressions = st.recursive(names | lists | literals | st.just("@"), _grow, max_leaves=10)

FAILED = ("failed",)  # no JSON value is a tuple


def marked(value: Any) -> Any:
    """`value` with its booleans made different from numbers, for Python's equality."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, list):
        return [marked(one) for one in value]
    if isinstance(value, dict):
        return {key: marked(one) for key, one in value.items()}
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class ExactFunctions(functions.Functions):  # type: ignore[misc]
    """The library takes true for 1 inside arrays, and checks merge()'s first argument only."""

    @functions.signature({"types": ["array", "string"]}, {"types": []})  # type: ignore[untyped-decorator]
    def _func_contains(self, subject: Any, wanted: Any) -> bool:
        if isinstance(subject, str):
            return isinstance(wanted, str) and wanted in subject
        return marked(wanted) in [marked(one) for one in subject]

    @functions.signature({"types": ["object"], "variadic": True})  # type: ignore[untyped-decorator]
    def _func_merge(self, *parts: Any) -> Any:
        if not all(isinstance(part, dict) for part in parts):
            raise TypeError
        return {key: one for part in parts for key, one in part.items()}


class Exact(visitor.TreeInterpreter):  # type: ignore[misc]
    """The library's interpreter without its lapses: `[1] == [true]` is true in it, and
    `'a' < 1` a TypeError."""

    def __init__(self) -> None:
        super().__init__(visitor.Options(custom_functions=ExactFunctions()))

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        if node["value"] in ("eq", "ne"):
            return (marked(left) == marked(right)) is (node["value"] == "eq")
        if is_number(left) is not is_number(right):
            return None
        return super().visit_comparator(node, value)


def oracle(text: str, document: Any) -> Any:
    """The library's result; FAILED also for the plain Python errors it lets through."""
    try:
        return Exact().visit(jmespath.compile(text).parsed, document)
    except (JMESPathError, TypeError, ValueError):
        return FAILED


def ours(query: Query, document: Any) -> Any:
    try:
        return query(document)
    except Missing:
        return ("missing",)
    except QueryFailed:
        return FAILED


@settings(max_examples=500, deadline=None)
@given(text=expressions, document=documents)
@example(text='a == `[1, {"b": 0}]`', document={"a": [True, {"b": False}]})
@example(text="contains(a, `true`)", document={"a": [1]})
@example(text="a < 'b'", document={"a": "a"})
@example(text="a < b", document={"a": "a", "b": 1})
@example(text="a == `1`", document={"a": True})
@example(text="a[].n[] | [0]", document={"a": [{"n": [1]}, {"n": [[2], 3]}]})
@example(text="sort_by(a, &b)", document={"a": [{"b": "x"}, {"b": 1}]})
@example(text="!a", document={"a": 0})
@example(text="a[?b > `0`] | [0]", document={"a": [{"b": 1}, None, {"b": 0}]})
@example(text="a || b && c", document={"a": 0, "b": [], "c": 1})
@example(text="sort_by(a, &b)[*].c", document={"a": [{"b": 2, "c": 1}, {"b": 1, "c": 2}]})
def test_closures_agree_with_the_library(text: str, document: Any) -> None:
    query = compile_query(parse(text), missing="null")
    wanted, got = oracle(text, document), ours(query, document)
    if FAILED in (wanted, got):
        assert wanted == got
        assert not query.matches(document)
        return
    assert marked(wanted) == marked(got)
    assert query.matches(document) is truthy(wanted)


@settings(max_examples=300, deadline=None)
@given(text=expressions, document=documents)
def test_skipping_differs_only_by_skipping(text: str, document: Any) -> None:
    """With every key there, both ways to read a missing key give the same."""
    strict = compile_query(parse(text), missing="skip")
    lenient = compile_query(parse(text), missing="null")
    try:
        got = strict(document)
    except Missing:
        return
    except QueryFailed:
        assert ours(lenient, document) == FAILED
        return
    assert marked(ours(lenient, document)) == marked(got)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet=string.printable + "—“’é\u00a0", max_size=30))
def test_any_text_parses_or_is_refused_as_by_the_library(text: str) -> None:
    try:
        parse(text)
    except BadInput:
        return
    jmespath.compile(text)


@settings(max_examples=200, deadline=None)
@given(text=expressions, document=annotated)
@example(text="a | `5`", document={"a": [], "b": 1, "c": "", "n": []})
def test_a_query_sees_no_more_than_its_roots(text: str, document: dict[str, Any]) -> None:
    """Annotations may be read cut down to the keys the expression can reach."""
    expression = parse(text)
    if expression.roots is None:
        return
    cut = {key: value for key, value in document.items() if key in expression.roots}
    lenient = compile_query(expression, missing="null")
    assert marked(ours(lenient, document)) == marked(ours(lenient, cut))
    strict = compile_query(expression, missing="skip")
    assert marked(ours(strict, document)) == marked(ours(strict, cut))
