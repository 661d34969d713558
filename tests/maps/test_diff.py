"""Diffs and three-way merges agree with plain dictionaries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ldb.maps import Changes, Merged, Root, Schema, build, diff, edit, merge
from tests.maps import strategies as maps
from tests.maps.memory import (
    DATASET,
    FIXED,
    BatchNodes,
    Nodes,
    Table,
    Values,
    applied,
    built,
    diff_tables,
    table_of,
)
from tests.maps.test_edit import numbered


@given(st.data(), maps.SCHEMAS)
def test_a_diff_agrees_with_dictionaries(data: st.DataObject, schema: Schema) -> None:
    old = data.draw(maps.tables(schema, 200))
    change = data.draw(st.one_of(maps.changes(schema, 20), maps.changes(schema, 200)))
    new = data.draw(st.sampled_from([applied(old, change), {}]))
    nodes = BatchNodes()
    before, after = built(nodes, schema, old), built(nodes, schema, new)
    removed, added, was, now = diff_tables(nodes, schema, before, after)
    changed = [key for key in sorted(old) if key in new and new[key] != old[key]]
    assert removed == {key: old[key] for key in old if key not in new}
    assert added == {key: new[key] for key in new if key not in old}
    assert was == {key: old[key] for key in changed}
    assert now == {key: new[key] for key in changed}
    assert list(now) == changed
    assert diff_tables(nodes, schema, after, before) == (added, removed, now, was)


def test_a_diff_reads_what_differs_only() -> None:
    nodes = Nodes()
    old = build(nodes, DATASET, [numbered(DATASET, range(50_000))])
    few = Changes.upserts(numbered(DATASET, range(5000, 50_000, 9000), b"w"))
    new = edit(nodes, nodes, DATASET, old.oid, [few])
    nodes.read = 0
    assert sum(map(len, diff(nodes, DATASET, old.oid, new.oid))) == len(few)
    assert nodes.read <= 2 * (2 * len(few) + 2)
    nodes.read = 0
    assert list(diff(nodes, DATASET, old.oid, old.oid)) == []
    assert nodes.read == 0


def merged_tables(base: Table, ours: Table, theirs: Table) -> tuple[Table, list[bytes]]:
    """The rule of a three-way merge, for dictionaries."""
    merged, conflicts = dict(ours), []
    for key in sorted({*base, *theirs}):
        if theirs.get(key) == base.get(key) or theirs.get(key) == ours.get(key):
            continue
        if ours.get(key) != base.get(key):
            conflicts.append(key)
        elif key in theirs:
            merged[key] = theirs[key]
        else:
            del merged[key]
    return merged, conflicts


def conflict_table(
    merged: Merged, schema: Schema
) -> dict[bytes, tuple[Values | None, Values | None, Values | None]]:
    clash = merged.conflicts
    sides = []
    for side in (clash.base, clash.ours, clash.theirs):
        values = list(side.rows.as_dict(schema).values())
        sides.append([v if here else None for v, here in zip(values, side.there, strict=True)])
    return dict(zip(merged.conflict_keys(), zip(*sides, strict=True), strict=True))


@given(st.data(), maps.SCHEMAS)
def test_a_merge_agrees_with_dictionaries(data: st.DataObject, schema: Schema) -> None:
    base = data.draw(maps.tables(schema, 100))
    ours = applied(base, data.draw(maps.changes(schema, 60)))
    theirs = applied(base, data.draw(maps.changes(schema, 60)))
    for key in data.draw(st.lists(st.sampled_from(sorted(base)), max_size=9)) if base else []:
        ours[key] = (b"oo", b"o")
        theirs.pop(key, None)
    nodes = BatchNodes()
    roots = [built(nodes, schema, table).oid for table in (base, ours, theirs)]
    result = merge(nodes, nodes, schema, *roots)
    wanted, conflicts = merged_tables(base, ours, theirs)
    assert result.root == built(Nodes(), schema, wanted)
    assert table_of(nodes, schema, result.root) == wanted
    assert conflict_table(result, schema) == {
        key: (base.get(key), ours.get(key), theirs.get(key)) for key in conflicts
    }
    assert len(result.conflicts) == len(conflicts)


def merged(base: Table, ours: Table, theirs: Table) -> tuple[Merged, Root]:
    nodes = Nodes()
    roots = [built(nodes, FIXED, table) for table in (base, ours, theirs)]
    return merge(nodes, nodes, FIXED, *(root.oid for root in roots)), roots[1]


A, B, C = (b"aa", b"a"), (b"bb", b"b"), (b"cc", b"c")


def test_the_same_change_on_both_sides_is_no_conflict() -> None:
    result, ours = merged({b"1111": A, b"2222": A}, {b"1111": B}, {b"1111": B})
    assert result.root == ours
    assert not result.conflicts


def test_deleted_here_and_modified_there_is_a_conflict() -> None:
    base: Table = {b"111\0": A, b"2222": A}
    result, ours = merged(base, {b"2222": A}, {b"111\0": C, b"2222": B})
    assert result.conflict_keys() == [b"111\0"]
    assert result.root.count == ours.count == 1
    assert conflict_table(result, FIXED) == {b"111\0": (A, None, C)}


def test_both_added_with_different_fields_is_a_conflict() -> None:
    result, ours = merged({}, {b"1111": A}, {b"1111": B})
    assert result.root == ours
    assert conflict_table(result, FIXED) == {b"1111": (None, A, B)}
