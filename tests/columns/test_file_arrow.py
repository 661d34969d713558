"""Column files are Arrow files: pyarrow reads every one, and finds the same values in it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given

from ldb.columns import write
from ldb.columns.build import MISSING, from_values
from ldb.columns.model import Kind
from ldb.columns.write import encode_columns
from tests.columns.test_file import OBJECTS, ROWS, nested

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
ipc = pytest.importorskip("pyarrow.ipc")


def table(values: list[Any]) -> Any:
    """The table that pyarrow reads, having checked all of it."""
    file = ipc.open_file(io.BytesIO(encode_columns(from_values(values))))
    assert file.num_record_batches == 1
    found = file.read_all()
    found.validate(full=True)
    assert found.num_rows == len(values)
    return found


def as_arrow(value: Any, field: Any) -> Any:
    """A JSON value as `to_pylist` shows it in a column of this field."""
    if (field.metadata or {}).get(b"ldb.mixed"):
        return _as_mixed(value, field.type)
    if value is None or value is MISSING:
        return None
    if isinstance(value, list):
        return [as_arrow(each, field.type.value_field) for each in value]
    if isinstance(value, dict):
        return _as_struct(value, field.type)
    return value


def _as_struct(value: dict[str, Any], kind: Any) -> dict[str, Any]:
    return {each.name: as_arrow(value.get(each.name, MISSING), each) for each in kind}


def _as_mixed(value: Any, kind: Any) -> dict[str, Any]:
    of = Kind(int(from_values([value]).kinds[0]))
    name = {Kind.FALSE: "bool", Kind.TRUE: "bool"}.get(of, of.name.lower())
    found: dict[str, Any] = {each.name: None for each in kind}
    found["kind"] = int(of)
    if of not in (Kind.MISSING, Kind.NULL, Kind.OPAQUE):
        found[name] = as_arrow(value, kind.field(name))
    return found


@given(ROWS)
def test_pyarrow_finds_the_values_that_were_written(values: list[Any]) -> None:
    found = table(values)
    if values and all(isinstance(value, dict) for value in values):
        expected = [_as_struct(value, found.schema) for value in values]
    else:
        expected = [{"value": as_arrow(value, found.schema[0])} for value in values]
    assert repr(found.to_pylist()) == repr(expected)


@given(OBJECTS)
def test_feather_and_single_columns_work(row: dict[str, Any]) -> None:
    data = encode_columns(from_values([row, {}]))
    names = list(row)[:1]
    assert feather.read_table(io.BytesIO(data), columns=names).column_names == names


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, -1], "int8"),
        ([1, 300], "int16"),
        ([1, None], "int8"),
        ([1.0], "double"),
        ([True, False], "bool"),
        ([None], "null"),
        (["a", "b"], "string"),
        (["a", "a"], "dictionary<values=string, indices=int8, ordered=0>"),
        ([[1], [2, 3]], "list<item: int8 not null>"),
        ([[1, 2], [2, 3]], "fixed_size_list<item: int8 not null>[2]"),
        ([[1], None], "list<item: int8 not null>"),
        ([{"a": 1}, None], "struct<a: int8>"),
        ([1, 1.0], "struct<kind: uint8 not null, int: int8, float: double>"),
        ([None, MISSING], "struct<kind: uint8 not null>"),
        ([1 << 70], "struct<kind: uint8 not null>"),
    ],
)
def test_the_type_of_a_path(values: list[Any], expected: str) -> None:
    assert str(table(values).schema.field("value").type) == expected


def test_metadata_says_what_is_not_there() -> None:
    schema = table([{"a": 1, "b": None, "c": 1}, {"b": 2, "c": 1}]).schema
    assert schema.metadata == {b"ldb.columns": b"1", b"ldb.rows": b"objects"}
    assert schema.field("a").metadata == {b"ldb.absent": b"missing"}
    assert schema.field("b").metadata == {b"ldb.absent": b"null"}
    assert schema.field("c").metadata is None
    assert [field.nullable for field in schema] == [True, True, False]


def test_large_offsets_are_those_of_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "LARGE", 2)
    found = table([["one", "two"], [], ["one"]])
    assert "large_list<item: dictionary<values=large_string" in str(found.schema)
    assert found.to_pylist() == [{"value": ["one", "two"]}, {"value": []}, {"value": ["one"]}]


def test_deep_nesting_stays_within_what_arrow_reads() -> None:
    assert table([nested(100)]).num_rows == 1
    assert table([{"a": nested(40)}, {"a": nested(100)}, {"a": 1}]).num_rows == 3
    value: Any = None
    for _ in range(100):
        value = [value, 1, {"a": value}][:2]
    assert table([value]).num_rows == 1


def test_buffers_are_compressed_and_aligned() -> None:
    data = encode_columns(from_values([{"a": at % 7, "b": "x" * at} for at in range(500)]))
    assert len(data) < 10_000
    assert len(data) % 8 == (10 + 8 * 0) % 8
