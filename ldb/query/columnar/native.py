"""The functions that need no Python call per value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldb.columns.model import Column, Ints, Kind
from ldb.query.columnar import shapes
from ldb.query.columnar.apply import Call
from ldb.query.columnar.outcome import Found, Problems, unless


class Length(Call):
    def compute(self, columns: Sequence[Column], size: int, problems: Problems) -> Found:
        if not columns:
            return super().compute(columns, size, problems)
        column = columns[0]
        wrong = unless(column, Kind.TEXT, Kind.LIST, Kind.OBJECT)
        lengths = column.lengths if Kind.LIST in column.present else np.zeros(size, np.int64)
        if Kind.TEXT in column.present:
            texts = _characters(column)
            lengths = np.where(column.are(Kind.TEXT), texts, lengths)
        if Kind.OBJECT in column.present:
            keys = np.zeros(size, np.int64)
            for below in column.fields.values():
                keys += ~below.are(Kind.MISSING)
            lengths = np.where(column.are(Kind.OBJECT), keys, lengths)
        return Found(shapes.integers(lengths), wrong)


def _characters(column: Column) -> Ints:
    """How many characters each text has: UTF-8 bytes that do not continue one."""
    words = column.words
    if not len(words):
        return np.zeros(column.size, np.int64)
    starts = np.zeros(len(words.data) + 1, np.int64)
    np.cumsum((words.data & 0xC0) != 0x80, out=starts[1:])
    lengths: Ints = np.diff(starts[words.offsets])[column.codes]
    return lengths


NATIVE: dict[str, type[Call]] = {"length": Length}
