"""What is wrong in one label file, told record by record up to a number, then counted."""

from __future__ import annotations

from ldb.formats.base import Trouble

MOST = 50
"""Records of a file that are told one by one."""


class Troubles:
    """Collects what is wrong; `found` hands it on."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told = self._more = 0
        self.waiting: list[Trouble] = []

    def add(self, record: str, why: str, source: str = "") -> None:
        if self._told < MOST:
            self._told += 1
            self.waiting.append(Trouble(source or self._source, why, record))
        else:
            self._more += 1

    def found(self, last: bool = True) -> list[Trouble]:
        """What was not handed on yet; after the `last` call the number that was not told."""
        found, self.waiting = self.waiting, []
        if last and self._more:
            found.append(Trouble(self._source, f"{self._more} more records like these"))
            self._more = 0
        return found
