"""Queries over many objects: one that fails, or lacks a key, never stops the rest.

`Filter` answers yes or no, `Projector` gives values. Both count what failed and keep the
first failure, for the one warning a command shows, and count which keys were missing, for
the hint when a query finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ldb.query.rowwise import FAILURES, Query
from ldb.query.values import Value


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a query could not be evaluated on the object that the caller calls `name`."""

    name: object
    why: str


class _Tally:
    """Counts of what went wrong, per query."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.failures = 0
        self.first_failure: Failure | None = None
        self.lacking: dict[str, int] = {}
        """Keys that were missing, with the number of objects skipped for each."""

    @property
    def skipped(self) -> int:
        """Objects that lack a key the query names; always 0 of a query that does not skip."""
        return sum(self.lacking.values())

    def _lacks(self, error: KeyError) -> None:
        key = str(error.args[0])
        self.lacking[key] = self.lacking.get(key, 0) + 1

    def _failed(self, name: object, error: Exception) -> None:
        if self.first_failure is None:
            self.first_failure = Failure(name, str(error))
        self.failures += 1


class Filter(_Tally):
    """Which objects a query lets through."""

    def matches(self, value: Value, name: object = None) -> bool:
        """Whether the query is true of `value`; `name` says whose value it is."""
        try:
            return bool(self.query.test(value))
        except KeyError as error:
            self._lacks(error)
        except FAILURES as error:
            self._failed(name, error)
        return False

    def matches_many(
        self, values: Iterable[Value], names: Sequence[object] | None = None
    ) -> list[bool]:
        """`matches` of each of `values`, in order; `names` are theirs, else their positions."""
        test = self.query.test
        found: list[bool] = []
        append = found.append
        for value in values:
            try:
                append(True if test(value) else False)  # noqa: SIM210  bool() is a call more
            except KeyError as error:
                self._lacks(error)
                append(False)
            except FAILURES as error:
                self._failed(names[len(found)] if names is not None else len(found), error)
                append(False)
        return found


class Projector(_Tally):
    """What a query says of each object; `default` where it fails, `lacking` without a key."""

    def values(
        self,
        values: Iterable[Value],
        names: Sequence[object] | None = None,
        default: Value = None,
        lacking: Value = None,
    ) -> Iterator[Value]:
        """Results in order, one for each of `values`."""
        run = self.query.run
        for place, value in enumerate(values):
            try:
                result = run(value)
            except KeyError as error:
                self._lacks(error)
                result = lacking
            except FAILURES as error:
                self._failed(names[place] if names is not None else place, error)
                result = default
            yield result
