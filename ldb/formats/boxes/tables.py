"""CSV files of any length by the key of their rows: what is kept is where each row begins."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np

from ldb.errors import BadInput
from ldb.formats.base import Listing
from ldb.formats.boxes.troubles import Troubles

MOST_ROW = 1 << 20
"""Bytes of one row."""

Row = dict[str, str]


def rows_in(
    file: BinaryIO, where: str, troubles: Troubles, header: Sequence[str] = ()
) -> Iterator[tuple[int, int, Row]]:
    """Number (the first line is 1), place and content of each row that is whole.

    The first line is the `header` where none is given.
    """
    lines = _Lines(file, where)
    reader = csv.reader(lines, strict=True)
    while True:
        start, number = lines.at, lines.number + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            troubles.add(f"line {number}", str(error))
            continue
        if fields is None:
            return
        if not header:
            header = [name.strip() for name in fields]
            if len({*header}) != len(header):
                raise BadInput(where, "two columns have one name")
        elif len(fields) == len(header):
            yield number, start, dict(zip(header, fields, strict=True))
        elif fields:
            why = f"{len(fields)} fields where the header has {len(header)}"
            troubles.add(f"line {number}", why)


class _Lines:
    """Lines of a file as text, with the place of the next one."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file, self._where = file, where
        self.at = self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MOST_ROW)
        if not line:
            raise StopIteration
        if len(line) == MOST_ROW:
            raise BadInput(self._where, f"line {self.number + 1} has more than {MOST_ROW} bytes")
        text = line.decode("utf-8-sig" if not self.at else "utf-8", errors="replace")
        self.at += len(line)
        self.number += 1
        return text.replace("\0", "\ufffd")


class Table:
    """One CSV file, its rows grouped by the text in the column `key`."""

    def __init__(
        self, listing: Listing, name: str, key: str, numbers: dict[str, int], stack: ExitStack
    ) -> None:
        """`numbers` gives each key its number, and grows by those that are new."""
        self.name = name
        self.troubles = Troubles(name)
        self._file = stack.enter_context(listing.open(name))
        places, lines, of = array("q"), array("q"), array("q")
        self._header: list[str] = []
        for number, place, row in rows_in(self._file, name, self.troubles):
            self._header = self._header or [*row]
            if key not in row:
                raise BadInput(name, f"has no column {key}")
            places.append(place)
            lines.append(number)
            of.append(numbers.setdefault(row[key], len(numbers)))
        column = _column(of)
        order = np.argsort(column, kind="stable")
        self._of, self._places = column[order], _column(places)[order]
        self._lines = _column(lines)[order]

    def rows(self, number: int) -> Iterator[tuple[int, Row]]:
        """The rows with a key, with their lines, in the order of the file."""
        start, stop = np.searchsorted(self._of, [number, number + 1]).tolist()
        for at in range(start, stop):
            self._file.seek(int(self._places[at]))
            fields = next(csv.reader(_Lines(self._file, self.name), strict=True))
            yield int(self._lines[at]), dict(zip(self._header, fields, strict=True))


def _column(values: array[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.frombuffer(values, np.int64) if values else np.zeros(0, np.int64)
