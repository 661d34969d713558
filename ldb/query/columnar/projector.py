"""A projector over columns, with the tally of `ldb.query.filters`.

What columns cannot decide goes to the query's own closures, on values that the caller
fetches; so do the first document that fails, for its message, and the first that lacks a
key, for its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column
from ldb.query.columnar.outcome import Status
from ldb.query.columnar.program import Program
from ldb.query.filters import Failure
from ldb.query.rowwise import FAILURES
from ldb.query.values import Value

Redo = Callable[[NDArray[np.intp]], Sequence[Value]]
"""The decoded values at these positions of the column."""


class ColumnProjector:
    """What a query says of each document; `default` where it fails, `lacking` without a key."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.row = program.query.run
        self.failures = 0
        self.first_failure: Failure | None = None
        self.lacking: dict[str, int] = {}
        """Keys that were missing. The sum is exact; of the documents of one column that columns
        decided, all count for the key that the first of them lacks."""

    @property
    def skipped(self) -> int:
        """Documents that lack a key the query names; always 0 of a query that does not skip."""
        return sum(self.lacking.values())

    def _decided(self, status: NDArray[np.uint8], redo: Redo) -> dict[int, str]:
        """Count what columns decided; the position and message of the first failure."""
        lacks = np.flatnonzero(status == Status.LACKS)
        if len(lacks):
            self._lacks(self._lacked(redo(lacks[:1])[0]), len(lacks))
        failed = np.flatnonzero(status == Status.FAILED)
        self.failures += len(failed)
        if not len(failed) or self.first_failure is not None:
            return {}
        return {int(failed[0]): self._message(redo(failed[:1])[0])}

    def _lacks(self, key: str, count: int = 1) -> None:
        self.lacking[key] = self.lacking.get(key, 0) + count

    def _lacked(self, value: Value) -> str:
        try:
            self.row(value)
        except KeyError as error:
            return str(error.args[0])
        raise AssertionError(f"{self._text}: lacks no key row by row")

    def _message(self, value: Value) -> str:
        try:
            self.row(value)
        except FAILURES as error:
            return str(error)
        raise AssertionError(f"{self._text}: does not fail row by row")

    @property
    def _text(self) -> str:
        return self.program.query.expression.text

    def _again(
        self, positions: NDArray[np.intp], redo: Redo
    ) -> tuple[list[tuple[Status, Value]], dict[int, str]]:
        """Row by row: how each ended, with what; and failures by position."""
        ends: list[tuple[Status, Value]] = []
        failed: dict[int, str] = {}
        for place, value in zip(positions.tolist(), redo(positions)):
            try:
                ends.append((Status.OK, self.row(value)))
            except KeyError as error:
                self._lacks(str(error.args[0]))
                ends.append((Status.LACKS, None))
            except FAILURES as error:
                self.failures += 1
                failed.setdefault(place, str(error))
                ends.append((Status.FAILED, None))
        return ends, failed

    def _note(self, failed: dict[int, str], names: Sequence[Any]) -> None:
        if failed and self.first_failure is None:
            first = min(failed)
            self.first_failure = Failure(names[first], failed[first])

    def values(
        self,
        column: Column,
        redo: Redo,
        names: Sequence[Any],
        default: Value = None,
        lacking: Value = None,
    ) -> Union[Column, list[Value]]:
        """Results in order: a column where all came from columns, else Python values."""
        outcome = self.program.run(column)
        status = outcome.status
        if not status.any():
            return outcome.values
        failed = self._decided(status, redo)
        results: list[Value] = [None] * column.size
        instead = {Status.LACKS: lacking, Status.FAILED: default}
        fine = np.flatnonzero(status == Status.OK)
        for place, value in zip(fine.tolist(), outcome.values.take(fine).values()):
            results[place] = value
        for kind, value in instead.items():
            for place in np.flatnonzero(status == kind).tolist():
                results[place] = value
        positions = np.flatnonzero(status == Status.REDO)
        if len(positions):
            ends, others = self._again(positions, redo)
            for place, (end, value) in zip(positions.tolist(), ends):
                results[place] = instead.get(end, value)
            failed.update(others)
        self._note(failed, names)
        return results
