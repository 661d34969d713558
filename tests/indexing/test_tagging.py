"""Tags are changed in records without taking these apart; the outcome is the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from ldb.catalog import Catalog, Record, SeenPath, as_keys, decode_record, encode_record
from ldb.history import Operation, head
from ldb.ids import Oid
from ldb.indexing.tagging import TagEdit, _Retagger, retag
from ldb.refs.name import INDEX
from tests.indexing.conftest import Box
from tests.indexing.test_races import index_while, other

WORDS = st.sampled_from(["a", "b", "é", "tags", "type", "\u00e4tags", "x" * 40, "\u00e4type"])
TEXTS = st.one_of(WORDS, st.text(max_size=20))
TAGS = st.sets(st.one_of(WORDS, st.text(max_size=5)), max_size=20)
RECORDS = st.builds(
    Record,
    size=st.integers(0, 2**40),
    type=TEXTS,
    paths=st.lists(st.builds(SeenPath, TEXTS, st.just(0), token=TEXTS), max_size=3).map(tuple),
    annotations=st.lists(st.binary(min_size=32, max_size=32).map(Oid), max_size=3).map(tuple),
    tags=TAGS.map(lambda tags: tuple(sorted(tags))),
)


@given(RECORDS, TAGS, TAGS, st.booleans())
@example(Record(1, "\u00e4tags\u00e4type", (), tags=("a",)), {"b"}, {"a"}, False)
@example(Record(1, "", (), tags=tuple(f"{at:02}" for at in range(16))), {"b"}, {"03"}, False)
def test_as_if_taken_apart(record: Record, add: set[str], remove: set[str], only: bool) -> None:
    change = TagEdit(frozenset(add), frozenset(remove - add), only)
    retagger = _Retagger(change)
    for _ in range(2):  # the second time by what the first one learnt
        made = retagger.retagged(encode_record(record))
        wanted = change.of(record.tags)
        if list(record.tags) == wanted:
            assert made is None
        else:
            assert made is not None
            found = decode_record(made)
            assert list(found.tags) == wanted
            assert encode_record(found) == made


def tag(box: Box, add: Sequence[str], *names: str) -> int:
    """Tag the objects at these paths, or all; how many changed."""
    objects = [box.at(name) for name in names] if names else box.objects()
    ids = sorted(bytes.fromhex(each.id) for each in objects)
    column = as_keys(ids, box.instance.id_bytes)
    done = retag(box.instance, column, TagEdit(frozenset(add)), Operation(("tag",)))
    box.instance.objects.refresh()
    return done.changed


def test_unknown_objects_are_counted(box: Box) -> None:
    box.pair("a", "a", 1)
    box.index()
    ids = np.array(sorted([bytes.fromhex(box.at("a.jpg").id), b"\0" * 16]), "S16")
    done = retag(box.instance, ids, TagEdit(frozenset("x")), Operation(("tag",)))
    assert (done.changed, done.unknown) == (1, 1)


def test_index_as_it_was_has_other_tags(box: Box) -> None:
    box.pair("a", "a", 1)
    box.index()
    before = head(box.instance, INDEX)
    assert tag(box, ["x"]) == 1
    catalog = Catalog(box.instance, before)
    ids = as_keys([bytes.fromhex(box.at("a.jpg").id)], box.instance.id_bytes)
    oid = Oid(catalog.find(ids).records[0].tobytes())
    assert decode_record(box.instance.objects.get(oid).payload).tags == ()
    assert box.at("a.jpg").record.tags == ("x",)


def test_tagged_while_it_is_indexed(box: Box) -> None:
    """The run saw other records than it finds when it publishes: both changes stay."""
    for name in "abc":
        box.pair(name, name, {"v": 1})
    box.index()
    box.pair("a", "a", {"v": 2}, age=1_600_000_100)
    box.pair("d", "d", {"v": 1})
    index_while(box, lambda: tag(other(box), ["x"]), ".", tags=("y",))
    found = {path: each.record.tags for each in box.objects() for path in each.paths}
    names = {path[-5:]: tags for path, tags in found.items()}
    assert names == {"a.jpg": ("x", "y"), "b.jpg": ("x", "y"), "c.jpg": ("x", "y"), "d.jpg": ("y",)}
    assert box.at("a.jpg").annotation == {"v": 2}
    assert len(box.at("a.jpg").record.annotations) == 2
