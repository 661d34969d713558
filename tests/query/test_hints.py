"""Keys and tags that nothing has: told with what was meant, and never of one that is there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.columns.build import from_values
from ldb.errors import BadInput
from ldb.query.hints import ITEMS, MOST_KEYS, KeyTree, explain_unknown_tags, spelt, tree_of
from ldb.query.parse import parse

NOTE = {
    "class": "cat",
    "by": {"who": "ann", "at-home": True},
    "boxes": [{"label": "head", "at": [1, 2]}, {"score": 1}],
    "grid": [[{"x": 1}], [{"y": 2}]],
    "counts": {"a": {"n": 1}, "b": {"n": 2}},
}


def trees() -> list[KeyTree]:
    columns = KeyTree()
    columns.note(from_values([NOTE, {"class": None}]))
    return [tree_of(NOTE), columns]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("clas", "no annotation has the key `clas`; did you mean `class`?"),
        ("by.whoo", "no annotation has the key `by.whoo`; did you mean `by.who`?"),
        ('by."at-hom"', 'no annotation has the key `by."at-hom"`; did you mean `by."at-home"`?'),
        ("boxes[?labl == 'x']", "no annotation has the key `boxes[].labl`; "
                                "did you mean `boxes[].label`?"),
        ("boxes[0].scor", "no annotation has the key `boxes[].scor`; "
                          "did you mean `boxes[].score`?"),
        ("grid[][].z", "no annotation has the key `grid[].z`"),
        ("counts.*.m", "no annotation has the key `counts[].m`"),
        ("by.zzz", "no annotation has the key `by.zzz`"),
    ],
)  # fmt: skip
def test_nearest(text: str, line: str) -> None:
    for tree in trees():
        assert tree.unknown(parse(text)) == [line]


@pytest.mark.parametrize(
    "text",
    [
        "class", "by.who", "boxes[].label", "boxes[*].score", "grid[0][1].x", "counts.*.n", "@",
        "length(boxes)", "class.deeper", "boxes[].at[0]", "sort_by(boxes, &score)", "keys(by)",
    ],
)  # fmt: skip
def test_nothing_of_what_is_there_or_uncertain(text: str) -> None:
    for tree in trees():
        assert tree.unknown(parse(text)) == []


def test_nothing_where_keys_may_be_missing() -> None:
    many = tree_of({"of": {f"k{at}": 1 for at in range(MOST_KEYS + 1)}})
    assert many.unknown(parse("of.other")) == []
    long = tree_of({"of": [{"x": 1}] * (ITEMS + 1)})
    assert long.unknown(parse("of[].y")) != [], "items are of a kind"
    assert KeyTree().unknown(parse("x")) == []


JSON = st.recursive(
    st.one_of(st.none(), st.integers(0, 3), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c-d", "é", 'q"', "b\\"]), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), JSON, min_size=1))
def test_every_path_that_it_knows_is_known(value: dict[str, Any]) -> None:
    columns = KeyTree()
    columns.note(from_values([value]))
    tree = tree_of(value)
    assert sorted(tree.paths()) == sorted(columns.paths())
    for path in tree.paths():
        for each in (tree, columns):
            assert each.unknown(parse(path)) == []


@given(st.text(min_size=1, max_size=5))
def test_spelling_of_a_key(key: str) -> None:
    try:
        expression = parse(spelt(key))
    except BadInput:
        assert not key.isprintable()
        return
    assert expression.keys == ((key,),)


def test_tags() -> None:
    assert explain_unknown_tags(["a"], ["a", "b"]) == []
    (line,) = explain_unknown_tags(["blured", "b"], ["blurred", "b"])
    assert line == "no data object asked has the tag `blured`; did you mean `blurred`?"
    (line,) = explain_unknown_tags(["x"], list("abcdef"))
    assert line.endswith("; there are a, b, c, d, e, …")
    (line,) = explain_unknown_tags(["x"], [])
    assert line.endswith("; none has any tag")
