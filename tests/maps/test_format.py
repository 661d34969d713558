"""The bytes of a map, and where it is cut, are those of docs/formats/map.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.ids import Oid
from ldb.maps import Root, Schema, build, empty, nodes, scan
from ldb.maps.boundary import Cutter, boundary_values
from ldb.objects.model import BlobType
from tests.maps import strategies as maps
from tests.maps.memory import Nodes, built

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/formats/map.md").read_text()
GOLDEN = REPOSITORY / "tests/golden/maps"
PETS = Schema("pets", 0, (("sound", 2),))


def reference() -> dict[str, Callable[..., Any]]:
    """The functions of the page's Python text."""
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(code[1], names)
    return names


VALUE, NODES = reference()["value"], reference()["nodes"]


def test_the_worked_example_is_what_is_written() -> None:
    example = PAGE.split("## Worked example")[1]
    payload = bytes.fromhex("".join(re.findall(r"^ {4,8}((?:[0-9a-f]{2,} ?)+)  ", example, re.M)))
    oid = re.search(r"oid +([0-9a-f]{64})", example)
    store = Nodes()
    root = built(store, PETS, {b"cat": (b"me",), b"cattle": (b"mo",), b"dog": (b"wu",)})
    assert oid
    assert store.blobs[root.oid].payload == payload
    assert root == Root(Oid.from_hex(oid[1]), 3)
    values = re.findall(r"^\| `(\w+)` \| (\d) \| `([0-9a-f]{8})` \|$", example, re.M)
    assert len(values) == 4
    for key, level, value in values:
        found = boundary_values(np.array([key.encode()]), int(level))
        assert found.tolist() == [int(value, 16)]


def test_the_example_of_several_leaves_is_cut_as_the_page_says() -> None:
    schema = Schema("pets", 0, (("sound", 2),), target=8)
    names = [b"pet%d" % number for number in range(10, 30)]
    store = Nodes()
    root = built(store, schema, dict.fromkeys(names, (b"me",)))
    sizes = [len(node) for node in NODES(names, 0, 8, False)]
    assert sizes == [4, 3, 12, 1]
    assert f"leaves of {sizes[0]}, {sizes[1]}, {sizes[2]} and {sizes[3]} rows" in PAGE
    assert len(list(nodes(store, root.oid))) == 5


def cut(keys: list[bytes], level: int, schema: Schema, pushes: int) -> list[list[bytes]]:
    cutter = Cutter(schema, level)
    made = []
    for at in range(0, len(keys), pushes):
        column = schema.column(keys[at : at + pushes])
        made += cutter.push(schema.blank(column))
    rest = cutter.finish()
    return [node.key_list(schema) for node in [*made, *([rest] if rest else [])]]


@given(
    st.lists(st.binary(min_size=1, max_size=20).filter(lambda key: 0 not in key), unique=True),
    st.integers(0, 3),
    st.sampled_from([8, 9, 64]),
    st.integers(1, 50),
    st.sampled_from([1, 90, 250, 4000]),
)
def test_cuts_agree_with_the_page_for_byte_strings(
    keys: list[bytes], level: int, target: int, pushes: int, longer: int
) -> None:
    schema = Schema("t", 0, (("a", 1),), target)
    keys = sorted(key * (longer // len(key) + 1 if key[0] % 3 == 0 else 1) for key in set(keys))
    keys = sorted(set(keys))
    assert cut(keys, level, schema, pushes) == NODES(keys, level, target, False)


@given(st.data(), st.sampled_from([1, 2, 7, 8, 16, 33]), st.sampled_from([8, 30]))
def test_cuts_agree_with_the_page_for_fixed_keys(
    data: st.DataObject, width: int, target: int
) -> None:
    schema = Schema("t", width, (("a", 1),), target)
    drawn = data.draw(st.sets(st.binary(min_size=width, max_size=width), max_size=200))
    assert cut(sorted(drawn), 0, schema, 64) == NODES(sorted(drawn), 0, target, True)


@pytest.mark.parametrize(("avoid", "least"), [(0, 150), (2**27, 250)])
def test_cuts_agree_with_the_page_for_long_runs(avoid: int, least: int) -> None:
    schema = Schema("t", 8, (("a", 1),))
    keys = [at.to_bytes(8, "big") for at in range(9000)]
    keys = [key for key in keys if VALUE(key, 0) >= avoid]
    made = cut(keys, 0, schema, 1000)
    assert made == NODES(keys, 0, 128, True)
    assert max(map(len, made)) >= least


@given(st.data(), maps.SCHEMAS, st.integers(0, 5))
def test_values_agree_with_the_page(data: st.DataObject, schema: Schema, level: int) -> None:
    drawn = data.draw(st.lists(maps.keys(schema), min_size=1))
    found = boundary_values(schema.column(drawn), level)
    assert found.tolist() == [VALUE(key, level) for key in drawn]


GOLDEN_SCHEMAS = {
    "dataset": Schema("dataset", 16, (("annotation", 32), ("transforms", 32))),
    "paths": Schema("paths", 0, (("content", 32), ("size", 8), ("kind", 1))),
}


def golden_table(name: str) -> dict[bytes, tuple[bytes, ...]]:
    """Rows made by arithmetic alone; the same for ever."""
    table: dict[bytes, tuple[bytes, ...]] = {}
    for at in range(3000):
        mixed = at * 0x9E3779B97F4A7C15 % 2**64
        oid = mixed.to_bytes(8, "big") * 4
        if name == "dataset":
            table[oid[:16]] = (oid[::-1], bytes(32))
        else:
            path = b"file:///data/%03d/image-%05d.jpg" % (at // 77, at * 37 % 3000)
            table[path * (1 + (at % 50 == 0) * 12)] = (oid, at.to_bytes(8, "little"), b"\1")
    return table


@pytest.mark.parametrize("name", sorted(GOLDEN_SCHEMAS))
def test_roots_never_change(name: str) -> None:
    golden = json.loads((GOLDEN / "roots.json").read_text())[name]
    schema, store = GOLDEN_SCHEMAS[name], Nodes()
    root = build(store, schema, [schema.rows(golden_table(name))])
    assert {"root": str(root.oid), "rows": root.count, "nodes": len(store.blobs)} == golden


@pytest.mark.parametrize("name", sorted(GOLDEN_SCHEMAS))
def test_a_node_written_by_version_1_is_read(name: str) -> None:
    payload = bytes.fromhex((GOLDEN / f"{name}-leaf.hex").read_text())
    schema, store = GOLDEN_SCHEMAS[name], Nodes()
    oid = store.add(BlobType.MAP, payload)
    table = dict(sorted(golden_table(name).items())[:5])
    assert [rows.as_dict(schema) for rows in scan(store, schema, oid)] == [table]
    assert built(Nodes(), schema, table).oid == oid


def test_the_empty_map_has_one_root() -> None:
    store = Nodes()
    root = empty(store, PETS)
    assert str(root.oid).startswith("53ece5e3")
    assert [*scan(store, PETS, root.oid)] == []
