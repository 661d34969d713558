"""Merging datasets: agrees with dictionaries, whatever both sides did; races lose nothing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb import instance as instances
from ldb.backends.base import Buffer, Outcome
from ldb.backends.memory import MemoryBackend
from ldb.errors import Conflict
from ldb.history import Version, ancestors, dataset_root, head, resolve
from ldb.instance import Instance
from ldb.porcelain.merge import Clashes, Merged, Prefer, common_ancestor, merge_datasets
from ldb.porcelain.place import Place
from ldb.refs.name import dataset_ref, parse_version
from tests.porcelain.contents import Content, content_of, saved

CONTENTS = st.dictionaries(st.integers(0, 40), st.integers(1, 3), max_size=30)
EDITS = st.dictionaries(st.integers(0, 40), st.integers(0, 3), max_size=12)
"""Object → its new annotation; 0: taken out."""


def place_of(instance: Instance) -> Place:
    return Place(instance, "/nowhere", "ann")


def edited(content: Content, edits: Content) -> Content:
    return {at: note for at, note in {**content, **edits}.items() if note}


def wanted(base: Content, ours: Content, theirs: Content, prefer: Prefer) -> Content | None:
    """The rule, for dictionaries; None: a conflict that nobody decides."""
    result = dict(ours)
    for at in {*base, *ours, *theirs}:
        was, mine, other = (each.get(at, 0) for each in (base, ours, theirs))
        if mine not in (was, other) and other != was:
            if not prefer:
                return None
            result[at] = mine if prefer == "ours" else other
        elif other != was:
            result[at] = other
    return {at: note for at, note in result.items() if note}


def two(instance: Instance, base: Content, ours: Content, theirs: Content) -> list[Version]:
    """ds:a and ds:b, both from one version."""
    first = saved(instance, "a", base)
    saved(instance, "b", base, first)
    return [saved(instance, "a", ours), saved(instance, "b", theirs)]


def merge(instance: Instance, *names: str, prefer: Prefer = "", into: str = "") -> Merged:
    one, other = (parse_version(name) for name in names)
    return merge_datasets(place_of(instance), one, other, prefer=prefer, into=into)


@settings(max_examples=40)
@given(CONTENTS, EDITS, EDITS, st.sampled_from(["", "ours", "theirs"]))
def test_a_merge_agrees_with_dictionaries(
    base: Content, mine: Content, others: Content, prefer: Prefer
) -> None:
    instance = instances.create(MemoryBackend())
    ours, theirs = edited(base, mine), edited(base, others)
    before, other = two(instance, base, ours, theirs)
    result = wanted(base, ours, theirs, prefer)
    if result is None:
        with pytest.raises(Clashes):
            merge(instance, "a", "b")
        assert head(instance, dataset_ref("a")) == before
        return
    done = merge(instance, "a", "b", prefer=prefer)
    newest = head(instance, dataset_ref("a"))
    assert newest is not None
    assert content_of(instance, newest) == result
    assert done.objects == len(result)
    if result == ours:
        assert done.version is None
        assert newest == before
    else:
        assert newest.commit.parents == (before.oid, other.oid)
    assert head(instance, dataset_ref("b")) == other


@settings(max_examples=20)
@given(CONTENTS, EDITS, EDITS)
def test_the_sides_are_alike(base: Content, mine: Content, others: Content) -> None:
    """Which of two is named first decides the name of the result, and who `--ours` is."""
    instance = instances.create(MemoryBackend())
    two(instance, base, edited(base, mine), edited(base, others))
    one = merge(instance, "a", "b", prefer="ours", into="x").version
    other = merge(instance, "b", "a", prefer="theirs", into="y").version
    assert one is not None
    assert other is not None
    assert dataset_root(one) == dataset_root(other)


@settings(max_examples=20)
@given(CONTENTS, st.lists(st.tuples(st.sampled_from("ab"), EDITS), max_size=6))
def test_merging_to_and_fro_ends_in_the_same(
    base: Content, steps: list[tuple[str, Content]]
) -> None:
    """Each change counts once, however often the two are merged."""
    instance = instances.create(MemoryBackend())
    two(instance, base, base, base)
    now = {"a": base, "b": base}
    for name, edits in steps:
        now[name] = edited(now[name], edits)
        saved(instance, name, now[name])
        for one, other in ("ab", "ba"):
            with contextlib.suppress(Clashes):
                merge(instance, one, other)
        heads = [head(instance, dataset_ref(each)) for each in "ab"]
        assert heads[0] is not None
        assert heads[1] is not None
        now = {each: content_of(instance, at) for each, at in zip("ab", heads, strict=True) if at}
        assert now["a"] == now["b"]


def test_ancestors_of_what_was_merged() -> None:
    instance = instances.create(MemoryBackend())
    first, other = two(instance, {1: 1}, {1: 1, 2: 1}, {1: 1, 3: 1})
    base = common_ancestor(instance, first, other)
    assert str(base) == "ds:a.v1"
    version = merge(instance, "a", "b").version
    assert version is not None
    assert other in list(ancestors(instance, version))
    assert common_ancestor(instance, version, other) == other
    assert merge(instance, "b", "a").version is not None
    assert merge(instance, "b", "a").version is None, "all is there"


def test_strangers_are_united() -> None:
    instance = instances.create(MemoryBackend())
    saved(instance, "a", {1: 1, 2: 1})
    saved(instance, "b", {2: 1, 3: 1})
    done = merge(instance, "a", "b")
    assert done.base is None
    assert content_of(instance, resolve(instance, parse_version("a"))) == {1: 1, 2: 1, 3: 1}
    saved(instance, "c", {1: 2})
    with pytest.raises(Clashes) as caught:
        merge(instance, "a", "c")
    assert len(caught.value.conflicts) == 1


class Jealous(MemoryBackend):
    """Somebody else commits to ds:a right before the first ref of it is created."""

    theirs: Content | None = None

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        if self.theirs is not None and key.startswith("refs/datasets/a/"):
            theirs, self.theirs = self.theirs, None
            saved(instances.open_instance(self), "a", theirs)
        return super().create(key, data, unconditional=unconditional)


def test_somebody_commits_meanwhile() -> None:
    backend = Jealous()
    instance = instances.create(backend)
    two(instance, {1: 1}, {1: 1, 2: 1}, {1: 1, 3: 1})
    backend.theirs = {1: 1, 2: 1, 4: 1}
    version = merge(instance, "a", "b").version
    assert version is not None
    assert content_of(instance, version) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert version.number == 4


def test_somebody_commits_a_conflict_meanwhile() -> None:
    backend = Jealous()
    instance = instances.create(backend)
    two(instance, {1: 1}, {1: 1, 2: 1}, {1: 2})
    backend.theirs = {2: 1}
    with pytest.raises(Clashes):
        merge(instance, "a", "b")
    assert content_of(instance, resolve(instance, parse_version("a"))) == {2: 1}


def test_a_name_in_use() -> None:
    instance = instances.create(MemoryBackend())
    two(instance, {1: 1}, {1: 2}, {2: 1})
    with pytest.raises(Conflict, match="a new name"):
        merge(instance, "a", "b", into="b")
