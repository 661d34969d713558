"""Refused expressions: what is said, where the caret stands, what is advised."""

from __future__ import annotations

import pytest

from ldb.errors import BadInput
from ldb.query import compile_query, explain_unknown_keys, parse


def refusal(text: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        compile_query(parse(text, "--query"))
    return caught.value


@pytest.mark.parametrize(
    ("text", "why", "caret", "hint"),
    [
        ("class = 'cat'", "unexpected `=`", 6, "write =="),
        ("class == “cat”", "unexpected `“`", 9, "curly quotes"),
        ("class == ‘cat’", "unexpected `‘`", 9, "curly quotes"),
        ("a —b", "unexpected `—`", 2, "long dash"),
        ("a\u00a0== b", "unexpected", 1, "invisible character"),
        ("a > 5", "unexpected `5`", 4, "'a > `5`'"),
        ("conf > -0.5", "unexpected", 7, "'conf > `-0.5`'"),
        ("5 > a", "unexpected `5`", 0, "'`5` > a'"),
        ("a and b", "unexpected `and`", 2, "write &&"),
        ("not a", "unexpected `a`", 4, "write !"),
        ("a in b", "unexpected `in`", 2, "contains(list, value)"),
        ("conf > ", "ends too early", 6, "the shell may have taken"),
        ("(a && b", "ends too early", 7, "`(` is not closed"),
        ("a[?b == '('", "ends too early", 11, "`[` is not closed"),
        ("a.", "ends too early", 2, ""),
        ("class == red car", "unexpected `car`", 13, "quotes"),
        ("a == 'x", "the ' that opens here is not closed", 5, ""),
        ("a == b)", "unexpected `)`", 6, ""),
        ('"a"(b)', "a function's name takes no quotes", 0, ""),
        ("regx(a, 'b')", "unknown function regx()", 0, "did you mean regex()?"),
        ("a || 'zz(' == nope(b)", "unknown function nope()", 14, ""),
        ("length(a) && length()", "length() takes 1 argument, not 0", 13, "length(string|array"),
        ("has_keys(@)", "at least 2 arguments, not 1", 0, "has_keys(any, string, …)"),
        ("get(a)", "2 to 3 arguments, not 1", 0, "get(any, any, [any])"),
        ("a[?length(@, b)]", "not 2", 3, ""),
        ("a[?abs(b)].abs(c, d)", "not 2", 11, ""),
        ("sort_by(a, b)", "must be an expression with &", 0, "&expression"),
        ("length(&a)", "takes no &", 0, ""),
        ("a || regex(b, '(')", "not a regular expression", 5, ""),
        ("has_keys(@, 'a-b')", "`a-b` is not a path of keys", 0, ""),
        ("get(@, 'a..b')", "`a..b` is not a path of keys", 0, ""),
    ],
)
def test_mistake_is_shown_in_its_place(text: str, why: str, caret: int, hint: str) -> None:
    error = refusal(text)
    assert error.where == "--query"
    said, shown, mark = str(error).split("\n")
    assert why in said
    assert shown[4:].strip() == text.replace("\u00a0", " ").strip()
    assert mark == " " * (4 + caret) + "^"
    assert hint in error.hint
    assert bool(hint) <= bool(error.hint)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("&a", "functions only"),
        ("[&a]", "functions only"),
        ("a[::0]", "step of a slice"),
        ("a == `NaN`", "no such number"),
        ('a == `{"b": [1e400]}`', "no such number"),
        ("a[" + "9" * 5000 + "]", "too long"),
        ("!" * 150 + "a", "deeper than 100"),
        ("(" * 5000 + "a" + ")" * 5000, "deeper than 100"),
        ("a[?b" * 200 + "]" * 200, "deeper than 100"),
    ],
)
def test_what_cannot_be_a_query_is_refused(text: str, why: str) -> None:
    assert why in str(refusal(text))


def test_only_the_line_of_the_mistake_is_shown() -> None:
    assert str(refusal("a ==\n  b ==\n\t= c")).split("\n")[1:] == ["     = c", "     ^"]


def test_of_a_long_line_the_part_around_the_mistake_is_shown() -> None:
    _, shown, mark = str(refusal("x" * 300 + " = " + "y" * 300)).split("\n")
    assert len(shown) < 80
    assert shown[mark.index("^")] == "="


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(refusal("a \x1b[31m")).split("\n")[1]


def test_thousand_operands_are_one_level() -> None:
    text = " || ".join(f"id == `{number}`" for number in range(1000))
    query = compile_query(parse(text), "skip")
    assert query.matches({"id": 999})
    assert not query.matches({"id": 1000})


def test_the_librarys_tree_is_left_as_it_was() -> None:
    before = str(parse("a.b[?c > `1`] | [0]").ast)
    compile_query(parse("a.b[?c > `1`] | [0]"), "skip")({"a": {"b": [{"c": 2}]}})
    assert str(parse("a.b[?c > `1`] | [0]").ast) == before


# --- the keys a query names


@pytest.mark.parametrize(
    ("text", "keys", "roots"),
    [
        ("class == 'cat'", [("class",)], {"class"}),
        ("a.b.c > `1` || d", [("a", "b", "c"), ("d",)], {"a", "d"}),
        ("boxes[?score > `1`].label", [("boxes",), ("boxes", None, "label")], {"boxes"}),
        ("a | b", [("a", "b")], {"a"}),
        ("a | `5`", [("a",)], {"a"}),
        ("a.[b, c]", [("a",), ("a", "b"), ("a", "c")], {"a"}),
        ("sort_by(a, &b)[0].c", [("a",), ("a", None, "b")], {"a"}),
        ("map(&c, a[0].b)", [("a", None, "b"), ("a", None, "b", None, "c")], {"a"}),
        ("`1`", [], set()),
        ('"" == a', [("",), ("a",)], {"", "a"}),
        ("@", [], None),
        ("*.a", [], None),
        ("keys(@)", [], None),
        ("[0].a", [], None),
        ("@.a", [("a",)], {"a"}),
        ("has_keys(@, 'a')", [], None),
        ("{x: a, y: !b}", [("a",), ("b",)], {"a", "b"}),
        ("(a || b).c", [("a",), ("b",)], {"a", "b"}),
        ("a[1:2][].b", [("a",), ("a", None, "b")], {"a"}),
    ],
)
def test_keys_named(text: str, keys: list[tuple[str | None, ...]], roots: set[str] | None) -> None:
    expression = parse(text)
    assert expression.roots == roots
    for key in keys:
        assert key in expression.keys
    assert {key[0] for key in expression.keys} == {key[0] for key in keys}


def test_hints_for_keys_that_nothing_has() -> None:
    expression = parse("class==cat && inferense > `1` && zzz && label")
    assert expression.bare_words == ("cat",)
    assert explain_unknown_keys(
        expression.roots or (), expression.bare_words, {"class", "inference", "label"}
    ) == [
        "no annotation has the key `cat`; if it is a text, give it single quotes and the "
        "expression double ones: \"… == 'cat'\"",
        "no annotation has the key `inferense`; did you mean `inference`?",
        "no annotation has the key `zzz`",
    ]
