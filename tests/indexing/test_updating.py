"""`--annotation-update merge`: what is read goes into the annotation that there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.formats.registry import chosen
from ldb.indexing.annotations import index_annotations
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.indexing.updating import deep_merged, rebased
from ldb.objects.codec import encode
from tests.indexing.conftest import Box
from tests.indexing.test_races import index_while, other

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
LATER = 1_600_000_100.0


def versions(box: Box, name: str) -> int:
    return len(box.at(name).record.annotations)


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": 1}, [1], [1]),
        ([1], {"a": 1}, {"a": 1}),
    ],
)
def test_merged(old: Any, new: Any, merged: Any) -> None:
    assert deep_merged(old, new) == merged


@given(JSON, JSON, JSON)
def test_rules(one: Any, two: Any, three: Any) -> None:
    same = encode(deep_merged(one, two))
    assert encode(deep_merged(deep_merged(one, two), two)) == same, "once is enough"
    assert encode(deep_merged(one, one)) == encode(one)
    assert encode(rebased(one, deep_merged(one, two), one)) == same, "nobody else changed it"
    if type(one) is dict and type(three) is dict:
        assert encode(rebased(one, one, three)) == encode(three), "we changed nothing"


def test_current_one_is_merged_into(box: Box) -> None:
    box.pair("a", "a", {"class": "cat", "by": {"who": "ann", "when": 1}, "boxes": [1, 2]})
    box.pair("b", "b", {"class": "dog"})
    box.index()
    box.pair("a", "a", {"by": {"when": 2}, "boxes": [3]}, age=LATER)
    report = box.index(annotation_update="merge")
    assert report.new_annotations == 1
    assert box.notes() == {
        "a.jpg": {"class": "cat", "by": {"who": "ann", "when": 2}, "boxes": [3]},
        "b.jpg": {"class": "dog"},
    }
    assert versions(box, "a.jpg") == 2
    assert box.index(annotation_update="merge").new_annotations == 0


def test_many_workers(box: Box) -> None:
    """The parent merges what workers have read into packs of their own."""
    for at in range(700):
        box.pair(f"{at % 3}/{at}", str(at), {"n": at})
    box.index()
    for at in range(700):
        box.write(f"{at % 3}/{at}.json", '{"more": true}', LATER)
    assert box.index(annotation_update="merge", processes=2).new_annotations == 700
    assert box.notes() == {f"{at % 3}/{at}.jpg": {"n": at, "more": True} for at in range(700)}


def test_result_that_an_object_had_before_moves_nothing(box: Box) -> None:
    box.pair("a", "a", {"x": 1})
    box.index()
    box.pair("a", "a", {"x": 2}, age=LATER)
    box.index()
    box.pair("a", "a", {"x": 1}, age=LATER + 1)
    assert box.index(annotation_update="merge").new_annotations == 0
    assert box.at("a.jpg").annotation == {"x": 2}


def test_file_that_was_merged_before_undoes_no_edit(box: Box) -> None:
    box.pair("a", "a", {"x": 1, "y": 1})
    box.index()
    box.pair("a", "a", {"x": 2}, age=LATER)
    box.index(annotation_update="merge")
    edit = {bytes.fromhex(box.at("a.jpg").id): encode({"x": 3, "y": 1})}
    index_annotations(box.instance, edit, command=("test",))
    box.write("a.jpg", "a", LATER + 1)  # the data file is read again, its annotation is not
    box.index(annotation_update="merge")
    assert box.at("a.jpg").annotation == {"x": 3, "y": 1}


def test_copies_met_in_one_run(box: Box) -> None:
    box.pair("a/1", "same", {"one": 1})
    box.pair("b/2", "same", {"two": 2})
    box.pair("c/3", "same", {"one": 3})
    box.index(annotation_update="merge")
    assert box.at("a/1.jpg").annotation == {"one": 3, "two": 2}


def test_first_annotation_and_bad_ones(box: Box) -> None:
    box.write("a.jpg", "a")
    box.pair("b", "b", {"x": 1})
    box.index()
    box.write("a.json", '{"new": 1}')
    box.write("b.json", "{", LATER)
    report = box.index(annotation_update="merge")
    assert [each.path for each in report.problems] == [str(box.folder / "b.json")]
    assert box.notes() == {"a.jpg": {"new": 1}, "b.jpg": {"x": 1}}


def test_two_runs_that_merge_at_once(box: Box) -> None:
    """Each adds keys of its own; whoever publishes second keeps the other's."""
    box.pair("a/1", "same", {"base": 1, "both": 0})
    box.pair("b/2", "same", {"base": 1, "both": 0})
    box.pair("a/3", "other", None)
    box.write("b/4.jpg", "other")
    box.index()
    box.pair("a/1", "same", {"one": 1, "both": 1}, age=LATER)
    box.pair("b/2", "same", {"two": 2, "both": 2}, age=LATER)
    box.pair("a/3", "other", {"three": 3}, age=LATER)
    box.write("b/4.json", '{"four": 4}', LATER)
    index_while(
        box,
        lambda: other(box).index(box.folder / "b", annotation_update="merge"),
        "a",
        annotation_update="merge",
    )
    assert box.at("a/1.jpg").annotation == {"base": 1, "both": 1, "one": 1, "two": 2}
    assert box.at("a/3.jpg").annotation == {"three": 3, "four": 4}
    assert versions(box, "a/1.jpg") == 4


def test_labels_of_folders(box: Box) -> None:
    """A label format, whose annotations lie in no file of their own."""
    box.pair("cat/1", "1", {"class": "tabby", "age": 2})
    box.index()
    box.write("cat/2.jpg", "2")
    labels = chosen("infer", (), reading=True)
    targets = [replace(each, labels=labels) for each in targets_of([str(box.folder)])]
    index(box.instance, targets, IndexOptions(processes=1, annotation_update="merge"))
    assert box.at("cat/2.jpg").annotation == {"label": "cat"}
    assert box.at("cat/1.jpg").annotation == {"class": "tabby", "age": 2, "label": "cat"}
