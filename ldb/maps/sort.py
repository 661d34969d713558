"""Rows in any order, put in key order in bounded memory: an external merge sort.

Rows are sorted in runs of some megabytes, which wait in a temporary file and are merged from
there a few blocks at a time. What fits into one run touches no file. The temporary file has
no name where the system allows that, so nothing is left of it however the process ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ldb.backends.files import store_errors
from ldb.errors import BadInput
from ldb.maps.rows import Keys, Rows, Schema, key_lengths, key_matrix

MEMORY = 32 * 1024 * 1024
"""Bytes of rows sorted at a time. The peak is about four times that, and one block a run."""

BLOCK = 64 * 1024
"""Bytes of rows written and read together; one for each run is held while runs are merged."""

Repeated = Callable[[Rows], Exception]
"""Makes the error for two rows of one key."""


def sort(
    schema: Schema,
    chunks: Iterable[Rows],
    *,
    memory: int = MEMORY,
    repeated: Repeated | None = None,
) -> Iterator[Rows]:
    """The rows of all chunks in key order, in chunks that `build` takes.

    Chunks may hold keys in any order. Raises `BadInput` (or what `repeated` makes) where two
    rows have one key, and `StoreFailed` where the temporary file cannot be written.
    """
    refuse = repeated or _refusal(schema)
    with tempfile.TemporaryFile() as file:
        runs = _Runs(schema, file, memory)
        pending = _Pending(schema, memory)
        for chunk in chunks:
            for part in _parts(chunk, memory):
                if not pending.fits(part):
                    runs.spill(pending.sorted())
                pending.add(part)
        if not runs:
            yield from _once(pending.sorted(), refuse)
            return
        runs.spill(pending.sorted())
        yield from _once(runs.merged(), refuse)


def _refusal(schema: Schema) -> Repeated:
    def refuse(pair: Rows) -> BadInput:
        key = pair.key_list(schema)[0]
        return BadInput(f"map {schema.name}", f"two rows have the key {key.hex()}")

    return refuse


def _once(chunks: Iterable[Rows], refuse: Repeated) -> Iterator[Rows]:
    """The chunks, proven to hold each key once."""
    last: Rows | None = None
    for rows in chunks:
        same = np.flatnonzero(rows.keys[1:] == rows.keys[:-1])
        if last is not None and last.keys[0] == rows.keys[0]:
            raise refuse(Rows.concat([last, rows.slice(0, 1)]))
        if len(same):
            raise refuse(rows.slice(int(same[0]), int(same[0]) + 2))
        yield rows
        last = rows.slice(len(rows) - 1)


def _row_bytes(schema: Schema, width: int) -> int:
    return width + sum(schema.widths)


def _parts(chunk: Rows, memory: int) -> Iterator[Rows]:
    """A chunk in pieces that fit into a run."""
    size = chunk.keys.dtype.itemsize + sum(each.shape[1] for each in chunk.fields)
    step = max(1, memory // size)
    for at in range(0, len(chunk), step):
        yield chunk.slice(at, at + step)


class _Pending:
    """Rows that wait for being a run. Padded to the longest key, as they are when sorted."""

    def __init__(self, schema: Schema, memory: int) -> None:
        self._schema = schema
        self._memory = memory
        self._parts: list[Rows] = []
        self._count = 0
        self._width = 1

    def fits(self, part: Rows) -> bool:
        """Whether these rows may be added; to none, any may."""
        width = max(self._width, part.keys.dtype.itemsize)
        size = (self._count + len(part)) * _row_bytes(self._schema, width)
        return not self._count or size <= self._memory

    def add(self, part: Rows) -> None:
        self._parts.append(part)
        self._count += len(part)
        self._width = max(self._width, part.keys.dtype.itemsize)

    def sorted(self) -> Iterator[Rows]:
        """Everything added so far in key order, in pieces of a block; then nothing waits."""
        if not self._parts:
            return
        rows, order = _ordered(self._parts)
        step = max(1, BLOCK // _row_bytes(self._schema, self._width))
        self._parts, self._count, self._width = [], 0, 1
        for at in range(0, len(rows), step):
            yield rows.slice(at, at + step) if order is None else rows.take(order[at : at + step])


@dataclass(slots=True)
class _Run:
    """A sorted run in the file: places of its blocks, and the rows read from it last."""

    blocks: list[tuple[int, int, int]] = field(default_factory=list)
    """Offset, rows, width of the keys."""
    read: int = 0
    rows: Rows | None = None


class _Runs:
    """The runs in a temporary file, and merging them."""

    def __init__(self, schema: Schema, file: IO[bytes], memory: int) -> None:
        self._schema = schema
        self._file = file
        self._memory = memory
        self._runs: list[_Run] = []
        self._width = 1

    def __bool__(self) -> bool:
        return bool(self._runs)

    def spill(self, blocks: Iterable[Rows]) -> None:
        """Write one run."""
        run = _Run()
        with store_errors(tempfile.gettempdir()):
            for rows in blocks:
                keys = rows.keys
                if not self._schema.key_width:
                    keys = keys.astype(f"S{max(1, int(key_lengths(keys).max()))}")
                width = keys.dtype.itemsize
                run.blocks.append((self._file.tell(), len(rows), width))
                self._width = max(self._width, width)
                for column in (key_matrix(keys), *rows.fields):
                    self._file.write(np.ascontiguousarray(column).data)
        if run.blocks:
            self._runs.append(run)

    def merged(self) -> Iterator[Rows]:
        """All rows in key order."""
        with store_errors(tempfile.gettempdir()):
            self._file.flush()
        share = self._memory // 2 // len(self._runs)
        quota = max(1, share // _row_bytes(self._schema, self._width))
        runs = [run for run in self._runs if self._fill(run, share)]
        while runs:
            bound = min(bytes(rows.keys[min(quota, len(rows)) - 1]) for rows in _held(runs))
            pieces = []
            for run, rows in zip(runs, _held(runs), strict=True):
                stop = int(rows.keys.searchsorted(bound, "right"))
                if stop:
                    pieces.append(rows.slice(0, stop))
                    run.rows = rows.slice(stop)
            joined, order = _ordered(pieces)
            yield joined if order is None else joined.take(order)
            runs = [run for run in runs if len(run.rows or ()) or self._fill(run, share)]

    def _fill(self, run: _Run, share: int) -> bool:
        """Read the next blocks of a run; whether there was one."""
        found: list[Rows] = []
        size = 0
        while run.read < len(run.blocks) and (not found or size < share):
            offset, count, width = run.blocks[run.read]
            found.append(self._block(offset, count, width))
            size += count * _row_bytes(self._schema, width)
            run.read += 1
        run.rows = Rows.concat(found) if found else None
        return bool(found)

    def _block(self, offset: int, count: int, width: int) -> Rows:
        self._file.seek(offset)
        data = self._file.read(count * _row_bytes(self._schema, width))
        at = count * width
        fields = []
        for each in self._schema.widths:
            column = np.frombuffer(data, np.uint8, count * each, at)
            fields.append(column.reshape(count, each))
            at += count * each
        return Rows(np.frombuffer(data, f"S{width}", count), tuple(fields))


def _held(runs: Iterable[_Run]) -> list[Rows]:
    return [run.rows for run in runs if run.rows is not None]


def _ordered(parts: list[Rows]) -> tuple[Rows, NDArray[np.intp] | None]:
    """The parts as one, and the positions of its rows in key order (None: as they are)."""
    rows = Rows.concat(parts)
    return rows, key_order(rows.keys)


def key_order(keys: Keys) -> NDArray[np.intp] | None:
    """Positions of keys in order, equal ones as they come; None where they are in order."""
    heads = _heads(keys)
    if bool((heads[1:] > heads[:-1]).all()) or bool((keys[1:] >= keys[:-1]).all()):
        return None
    order = np.argsort(heads)
    ranked = heads[order]
    same = ranked[1:] == ranked[:-1]
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        among = np.sort(order[tied])
        order[tied] = among[np.argsort(keys[among], kind="stable")]
    return order


def _heads(keys: Keys) -> NDArray[np.uint64]:
    """Eight bytes of each key, from where keys begin to differ, as a number that sorts so."""
    matrix = key_matrix(keys)
    differ = np.flatnonzero((matrix != matrix[:1]).any(axis=0))
    start = int(differ[0]) if len(differ) else 0
    heads = np.zeros((len(keys), 8), np.uint8)
    part = matrix[:, start : start + 8]
    heads[:, : part.shape[1]] = part
    return heads.view(">u8").ravel().astype(np.uint64)
