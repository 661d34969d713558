"""`!a.b`: what is told of a `!` that takes less than what stands behind it."""

from __future__ import annotations

import pytest

from ldb.query.parse import parse
from ldb.query.pitfalls import pitfalls


@pytest.mark.parametrize(
    ("text", "meant", "step"),
    [
        ("!a.b", "!(a.b)", "keys"),
        ("!a.b.c == `1`", "!(a.b.c)", "keys"),
        ("x && !a.b  || y", "!(a.b)", "keys"),
        ('! "a b".c', '!("a b".c)', "keys"),
        ("!a[0].x", "!(a[0].x)", "keys"),
        ("!a[-1].x", "!(a[-1].x)", "keys"),
        ("!a[?x > `1`]", "!(a[?x > `1`])", "items"),
        ("!a[].b", "!(a[].b)", "items"),
        ("boxes[?!head.seen]", "!(head.seen)", "keys"),
        ("!@.a", "!(@.a)", "keys"),
        ("(!a).b || !c.d", "!(c.d)", "keys"),
    ],
)
def test_told_with_what_was_meant(text: str, meant: str, step: str) -> None:
    [line] = pitfalls(parse(text))
    assert line.endswith(f"write `{meant}`")
    assert f"and {step} of true or false" in line
    assert pitfalls(parse(meant)) == []


@pytest.mark.parametrize(
    "text",
    [
        "!a", "!(a.b)", "!a && b.c", "a.b != `1`", "!a[0]", "!a[*].b", "!a[1:2].b", "!length(a.b)",
        "'!a.b'", "!contains(a.b, 'x') && c.d", "!a == b.c", "a[?!b]", "!!a",
    ],
)  # fmt: skip
def test_nothing_to_tell(text: str) -> None:
    assert pitfalls(parse(text)) == []


def test_each_is_told() -> None:
    assert len(pitfalls(parse("!a.b && !c.d && !(e.f)"))) == 2
