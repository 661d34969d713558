"""Expressions that mean something else than they seem to: told, and evaluated as they stand.

`!` binds closer than `.`, `[]` and `[?…]` in JMESPath: `!a.b` is `(!a).b`, and what `!` gives
is true or false, which has no keys and no items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jmespath import lexer

from ldb.query.parse import Expression
from ldb.query.syntax import in_order

_LOOSER = frozenset(("subexpression", "flatten", "filter_projection"))
_OPENS = frozenset(("lbracket", "filter", "lparen", "lbrace"))
_CLOSES = frozenset(("rbracket", "rparen", "rbrace"))
_STEPS = frozenset(("dot", "flatten", "filter"))
_INSIDE = frozenset(("unquoted_identifier", "quoted_identifier", "current", "star"))


def pitfalls(expression: Expression) -> list[str]:
    """A line for each `!` that takes less than what stands behind it."""
    if "!" not in expression.text or not any(
        node["type"] in _LOOSER and node["children"][0]["type"] == "not_expression"
        for node in in_order(expression.ast)
    ):
        return []
    return [
        f"`!{text}` means that `!` is asked first and {step} of true or false, which has none; "
        f"write `!({text})`"
        for text, step in _short_nots(expression.text)
    ]


def _short_nots(text: str) -> Iterator[tuple[str, str]]:
    """What stands behind each `!` that does not reach its end, and what it does not reach."""
    tokens = list(lexer.Lexer().tokenize(text))
    for at, token in enumerate(tokens):
        if token["type"] == "not":
            end, step = _operand(tokens, at + 1)
            if step:
                yield text[tokens[at + 1]["start"] : end].rstrip(), step


def _operand(tokens: Sequence[Any], at: int) -> tuple[int, str]:
    """Where the path that begins at a token ends, and its first step that `!` does not reach."""
    depth, step, projects = 0, "", False
    for place, token in enumerate(tokens[at:], at):
        kind = token["type"]
        if not depth and kind not in _INSIDE | _STEPS | _OPENS:
            return token["start"], step
        if not depth and kind in _STEPS and not projects:
            step = step or ("keys" if kind == "dot" else "items")
        if not depth and kind == "lbracket":  # one item is no projection, which would go on
            projects = (
                projects
                or tokens[place + 1]["type"] != "number"
                or (tokens[place + 2]["type"] == "colon")
            )
        depth += (kind in _OPENS) - (kind in _CLOSES)
    raise AssertionError("the last token is none of these")
