"""Random expressions on random documents, and what must agree of the two evaluators.

Plain `random`, so that a case costs little; keys and literals are few, so that they meet.
Documents of a case are mostly alike, as annotations are, with a stranger among them.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, Literal

import numpy as np

from ldb.columns.build import from_values
from ldb.columns.model import Column
from ldb.columns.read import open_columns
from ldb.columns.shred import Shredder
from ldb.columns.write import encode_columns
from ldb.errors import BadInput
from ldb.objects.codec import encode
from ldb.query import compile_query, parse, truthy
from ldb.query.columnar import Status, compile_columns
from ldb.query.rowwise import FAILURES

Missing = Literal["skip", "null"]

KEYS = ("a", "b", "c", "n")
TEXTS = ("", "a", "b", "ab", "1", "2.5", "é", "\0", "\ud800", "\U0001f600", "cat", " 7 ", "_")
INTS = (0, 1, 2, 3, -1, -2, 7, 127, 128, -129)
LARGE = (
    (1 << 53) + 1, 1 << 53, -(1 << 53) - 1, (1 << 63) - 1, -(1 << 63), 1 << 62, 10**9
)  # fmt: skip
BEYOND = (1 << 63, -(1 << 63) - 1, 10**25)
FLOATS = (0.0, -0.0, 1.0, 0.5, -2.5, 2.0, 1e300, 9007199254740992.0, 9007199254740994.0, 1e19, 0.1)
FAILED, LACKS = "failed", "lacks"


class Maker:
    """Draws documents and expressions."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.pick = rng.choice
        self.chance = rng.random

    # --- documents

    def scalar(self) -> Any:
        draw = self.chance()
        if draw < 0.25:
            return self.pick(INTS)
        if draw < 0.45:
            return self.pick(FLOATS)
        if draw < 0.7:
            return self.pick(TEXTS)
        if draw < 0.8:
            return None
        if draw < 0.95:
            return self.chance() < 0.5
        return self.pick(LARGE) if self.chance() < 0.8 else self.pick(BEYOND)

    def any(self, depth: int = 2) -> Any:
        draw = self.chance()
        if depth == 0 or draw < 0.5:
            return self.scalar()
        if draw < 0.75:
            return [self.any(depth - 1) for _ in range(self.rng.randrange(4))]
        keys = [key for key in KEYS if self.chance() < 0.4]
        return {key: self.any(depth - 1) for key in keys}

    def shape(self, depth: int = 3) -> Any:
        """What documents of a case have in common: a function of no arguments draws one."""
        draw = self.chance()
        if depth == 0 or draw < 0.45:
            pool: tuple[Any, ...] = self.pick(
                (INTS, INTS[:3], FLOATS, FLOATS, TEXTS, TEXTS[:4], (True, False), INTS + FLOATS)
            )
            return lambda: self.pick(pool)
        if draw < 0.7:
            item, most = self.shape(depth - 1), self.pick((1, 3, 3, 4))
            return lambda: [item() for _ in range(self.rng.randrange(most + 1))]
        if draw < 0.95:
            below = [(key, self.shape(depth - 1), self.pick((0, 0, 0.3))) for key in KEYS]
            below = [each for each in below if self.chance() < 0.7]
            return lambda: {
                key: draw() for key, draw, lacks in below if not lacks or self.chance() >= lacks
            }
        return lambda: self.any(depth)

    def documents(self) -> list[Any]:
        count = self.pick((0, 1, 2, 3, 5, 8))
        shape = self.shape() if self.chance() < 0.15 else self._annotation()
        odd = self.pick((0.0, 0.0, 0.2))
        return [self.any() if odd and self.chance() < odd else shape() for _ in range(count)]

    def _annotation(self) -> Any:
        """Boxes in `a`, anything in `b`, a text in `c`, numbers in `n`."""
        box = {"b": self.shape(1), "c": self.shape(0), "n": self.shape(2)}
        other = self.shape(2)
        texts = self.pick((TEXTS[:4], TEXTS))
        numbers = self.pick((INTS, FLOATS, INTS + FLOATS, LARGE))
        lacks = self.pick((0.0, 0.0, 0.1, 0.3))

        def cut(value: dict[str, Any]) -> dict[str, Any]:
            if not lacks:
                return value
            return {key: each for key, each in value.items() if self.chance() >= lacks}

        def draw() -> Any:
            boxes = [
                cut({key: each() for key, each in box.items()})
                for _ in range(self.rng.randrange(4))
            ]
            some = [self.pick(numbers) for _ in range(self.rng.randrange(4))]
            return cut({"a": boxes, "b": other(), "c": self.pick(texts), "n": some})

        return draw

    # --- expressions

    def literal(self) -> str:
        draw = self.chance()
        if draw < 0.4:
            return f"'{self.pick(('', 'a', 'b', 'ab', 'cat', '1', 'é'))}'"
        value = self.scalar() if draw < 0.9 else self.any(1)
        return "`" + json.dumps(value).replace("`", "\\`") + "`"

    def path(self) -> str:
        return self.pick(PATHS)

    def expression(self, depth: int = 3) -> str:
        draw = self.chance()
        if depth == 0 or draw < 0.1:
            return self.path() if self.chance() < 0.75 else self.literal()
        inner = depth - 1
        if draw < 0.3:
            return self._path(inner)
        if draw < 0.5:
            return self._comparison(inner)
        if draw < 0.65:
            return self._logic(inner)
        return self._call(inner)

    def _path(self, depth: int) -> str:
        head = self.path() if self.chance() < 0.7 else f"({self.expression(depth)})"
        return head + "".join(self._tail(depth) for _ in range(self.pick((1, 1, 2, 3))))

    def _tail(self, depth: int) -> str:
        draw = self.rng.randrange(10)
        if draw < 2:
            return f".{self.pick(KEYS)}"
        if draw == 2:
            return self.pick(("[*]", "[]"))
        if draw == 3:
            return ".*"
        if draw == 4:
            return f"[{self.rng.randrange(-3, 3)}]"
        if draw == 5:
            bounds = [self.pick(("", "", "0", "1", "-1", "2", "-2", "-5")) for _ in range(2)]
            return f"[{bounds[0]}:{bounds[1]}{self.pick(('', ':-1', ':2', ':-2'))}]"
        if draw < 8:
            return f"[?{self.expression(depth)}]"
        if draw == 8:
            return f".[{self.expression(depth)}, {self.expression(depth)}]"
        keys = self.rng.sample(("z", *KEYS), 2)
        return f".{{{keys[0]}: {self.expression(depth)}, {keys[1]}: {self.expression(depth)}}}"

    def _comparison(self, depth: int) -> str:
        sign = self.pick(("==", "!=", "<", "<=", ">", ">="))
        left = self.path() if self.chance() < 0.6 else f"({self.expression(depth)})"
        draw = self.chance()
        right = (
            self.literal()
            if draw < 0.5
            else self.path()
            if draw < 0.8
            else f"({self.expression(depth)})"
        )
        return f"{right} {sign} {left}" if self.chance() < 0.2 else f"{left} {sign} {right}"

    def _logic(self, depth: int) -> str:
        draw = self.chance()
        if draw < 0.2:
            return f"!({self.expression(depth)})"
        joint = self.pick((" || ", " && ", " | "))
        count = self.pick((2, 2, 3))
        if draw < 0.5:  # parts so cheap that they are evaluated everywhere
            return joint.join(self.pick(SIMPLE) for _ in range(count))
        return joint.join(f"({self.expression(depth)})" for _ in range(count))

    def _fitting(self) -> str:
        """A call whose arguments are mostly what the function takes."""
        text = self.pick(FITTING)
        while "@" in text:
            path = self.pick(NUMBERS if self.chance() < 0.7 else PATHS)
            text = text.replace("@", path if self.chance() < 0.5 else self.number(), 1)
        return text.replace("%", self.literal())

    def number(self) -> str:
        return f"`{json.dumps(self.pick(self.pick((INTS, FLOATS, LARGE, INTS))))}`"

    def _call(self, depth: int) -> str:
        draw = self.chance()
        if self.chance() < 0.35:
            return self._fitting()

        def one() -> str:
            return self.path() if self.chance() < 0.6 else self.expression(depth)

        if draw < 0.4:
            return f"{self.pick(OF_ONE)}({one()})"
        if draw < 0.6:
            other = self.literal() if self.chance() < 0.6 else one()
            return f"{self.pick(OF_TWO)}({one()}, {other})"
        if draw < 0.7:
            pattern = self.pick(("'a'", "'^c.t$'", "'.*'", "'[0-9]'"))
            return f"{self.pick(('regex', 'regex_match'))}({one()}, {pattern})"
        if draw < 0.8:
            return f"{self.pick(BY)}({one()}, &{self.expression(depth)})"
        if draw < 0.86:
            return f"map(&{self.expression(depth)}, {one()})"
        keys = self.pick(("'a'", "'a.b'", "'b.c'", "'c'", "'n'"))
        if draw < 0.91:
            return f"has_keys({one()}, {keys})"
        if draw < 0.96:
            default = f", {self.pick((self.literal(), one()))}" if self.chance() < 0.6 else ""
            return f"get({one()}, {keys}{default})"
        return f"not_null({one()}, {one()}, {self.literal()})"


PATHS = (
    "a", "b", "c", "n", "a", "b", "c", "n", "@", "a[*].b", "a[*].c", "a[].n[]", "a[?b]", "*",
    "a[*].n[0]", "n[0]", "a[0].b", "b.a", "b.b", "a[0]", "a.b", "n[*]", "n[:2]", "a[?c == 'a']",
    "a[*].n", "b.a.n", "@.c",
)  # fmt: skip
NUMBERS = ("n[0]", "n[1]", "n[-1]", "sum(n)", "a[0].b", "length(a)", "b", "length(n)", "max(n)")
FITTING = (
    "abs(@)", "ceil(@)", "floor(@)", "neg(@)", "add(@, @)", "sub(@, @)", "mul(@, @)", "div(@, @)",
    "sum(n)", "avg(n)", "min(n)", "max(n)", "sum(a[*].b)", "avg(a[*].b)", "min(a[*].b)",
    "max(a[*].b)", "sort(n)", "reverse(n)", "reverse(a)", "length(c)", "length(b)", "length(a)",
    "starts_with(c, 'a')", "ends_with(c, 'b')", "contains(c, 'a')", "contains(n, %)",
    "contains(a[*].b, %)", "contains(a[*].c, c)", "contains(n, n[1])", "join(', ', a[*].c)",
    "add(n, @)", "mul(n, n)", "dotproduct(n, n)", "neg(n)", "type(b)", "type(a[0].b)", "keys(a[0])",
    "values(a[0])", "to_string(a[0])", "to_number(c)", "to_number(b)", "to_string(@)",
    "to_array(b)",
    "contains_any(n, `[1, 2.0]`)", "contains_all(n, `[0, 1]`)", "contains_any(c, `[\"a\"]`)",
    "contains_any(a[*].c, `[\"a\", \"b\"]`)", "contains_all(`[\"a\", \"b\"]`, a[*].c)",
    "contains(`[\"a\", \"b\"]`, c)", "contains(`[1, 2]`, @)", "map(&add(b, `1`), a)", "map(&c, a)",
    "sort_by(a, &b)", "sort_by(a, &c)", "max_by(a, &b)", "min_by(a, &c).b", "sort_by(a, &c)[*].b",
    "not_null(b, c)", "not_null(a[0].b, b, %)", "merge(a[0], a[1])", "merge({z: c}, a[0])",
    "has_keys(@, 'a.b')", "get(b, 'b', %)", "get(a[0], 'n', c)", "has_keys(a[0], 'b', 'c')",
    "unique(n)", "unique(a[].n)", "{z: c, a: b} || a[0]", "[{z: c}, a[0], {b: n, a: c}]",
    "[{z: c, b: n}, a[0]][].keys(@)", "regex(c, '^a')", "regex_match(c, '[a-c]+')", "type(a[0])",
    "@ == @", "@ < @", "@ != @", "@ >= @", "c < 'b'", "c == 'a' && @ > @", "a[0] == a[1]",
    "a[?b == @ && c == 'a']", "a[?b > @].c", "a[?c != 'a' || b < @]", "length(a[?b >= @])",
)  # fmt: skip
OF_ONE = (
    "abs", "ceil", "floor", "neg", "keys", "values", "length", "max", "min", "avg", "sum", "sort",
    "reverse", "unique", "to_array", "to_number", "to_string", "type", "not_null", "length",
)  # fmt: skip
OF_TWO = (
    "contains", "ends_with", "starts_with", "join", "merge", "add", "sub", "mul", "div", "prod",
    "dotproduct", "contains_any", "contains_all", "contains", "add", "mul", "not_null", "div",
)  # fmt: skip
SIMPLE = (
    "a", "b", "c", "n", "b.a", "b.b", "c == 'a'", "c != 'b'", "!b", "!c", "b.b == `1`", "b > `0`",
    "'x'", "`null`", "b.c", "a.b", "c < 'b'", "b == c",
)  # fmt: skip
BY = ("sort_by", "max_by", "min_by")


def sorted_keys(value: Any) -> Any:
    """As decoded from a payload: the keys of objects in order."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(each) for each in value]
    return value


def by_rows(run: Any, value: Any) -> tuple[str, Any]:
    try:
        return "ok", run(value)
    except KeyError:
        return LACKS, None
    except FAILURES:
        return FAILED, None


def exact(value: Any) -> str:
    """Text that differs for 1, 1.0, true, -0.0 and for another order of keys."""
    return json.dumps(value)


def from_file(documents: list[Any]) -> Column | None:
    """The column of the documents as LDB keeps it: payloads, a file of columns, read again.
    None where one of the documents has no payload."""
    shredder = Shredder()
    try:
        shredder.add([encode(each) for each in documents])
    except BadInput:
        return None
    data = encode_columns(shredder.finish())
    return open_columns(lambda start, stop: data[start:stop], len(data), "columns")


def disagreement(
    text: str, documents: list[Any], missing: Missing, column: Column | None = None
) -> tuple[str | None, int]:
    """What the evaluators say differently (None if nothing), and how many they left to rows."""
    try:
        query = compile_query(parse(text), missing)
    except BadInput:
        return None, 0
    column = from_values(documents) if column is None else column
    program = compile_columns(query, missing)
    outcome, tested = program.run(column), program.test(column)
    values = outcome.values.take(np.flatnonzero(outcome.status == Status.OK)).values()[::-1]
    names = {Status.OK: "ok", Status.LACKS: LACKS, Status.FAILED: FAILED}
    for at, document in enumerate(documents):
        status = Status(int(outcome.status[at]))
        got = values.pop() if status is Status.OK else None
        wanted = by_rows(query.run, document)
        if status is not Status.REDO and (names[status], exact(got)) != (
            wanted[0],
            exact(wanted[1]),
        ):
            return f"run: {document!r}: {status.name} {got!r}, wanted {wanted!r}", 0
        status, mask = Status(int(tested.status[at])), bool(tested.mask[at])
        truth = wanted[0] == "ok" and truthy(wanted[1])
        if status is not Status.REDO and (names[status], mask) != (wanted[0], truth):
            return f"test: {document!r}: {status.name} {mask}, wanted {wanted!r}", 0
    return None, int((outcome.status == Status.REDO).sum())


def draw(rng: Random) -> tuple[str, list[Any], Missing]:
    """A case."""
    maker = Maker(rng)
    documents = [sorted_keys(each) for each in maker.documents()]
    depth = rng.choice((1, 2, 2, 3))
    return maker.expression(depth), documents, rng.choice(("skip", "null"))
