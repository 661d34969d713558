"""Rows of a map by their number, in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.maps import Schema, build
from ldb.maps.leaves import Leaves
from ldb.objects.model import Blob, BlobType
from tests.maps import strategies as maps
from tests.maps.memory import DATASET, BatchNodes, built
from tests.maps.test_edit import numbered


@given(st.data(), maps.SCHEMAS)
def test_rows_by_number_are_those_of_the_sorted_table(data: st.DataObject, schema: Schema) -> None:
    table = data.draw(maps.tables(schema, 150))
    store = BatchNodes()
    leaves = Leaves(store, schema, built(store, schema, table).oid)
    assert leaves.size == len(table)
    keys = sorted(table)
    numbers = (
        data.draw(st.lists(st.integers(0, len(table) - 1), unique=data.draw(st.booleans())))
        if table
        else []
    )
    for wanted in (numbers, sorted(set(numbers)), [*range(len(table) // 3, len(table) // 2)]):
        rows = leaves.rows(np.array(wanted, np.intp))
        assert rows.key_list(schema) == [keys[at] for at in wanted]
        fields = [tuple(bytes(field[at]) for field in rows.fields) for at in range(len(rows))]
        assert fields == [table[keys[at]] for at in wanted]
    assert leaves.rows(None).key_list(schema) == keys


def test_a_few_rows_cost_a_few_leaves() -> None:
    store = BatchNodes()
    root = build(store, DATASET, [numbered(DATASET, range(30_000))])
    leaves = Leaves(store, DATASET, root.oid)
    store.read = 0
    assert len(leaves.rows(np.array([5, 7, 20_000]))) == 3
    assert store.read == 2


def test_leaves_are_what_their_parents_say() -> None:
    store = BatchNodes()
    root = build(store, DATASET, [numbered(DATASET, range(3_000))])
    leaves = Leaves(store, DATASET, root.oid)
    names = [Oid(each.tobytes()) for each in leaves.oids]
    store.blobs[names[2]] = Blob(BlobType.MAP, store.blobs[names[3]].payload)
    with pytest.raises(Corrupt, match="parent says"):
        leaves.rows(None)
