"""Run as a process of its own: an indexing run that says when it is in the middle, and waits.

Arguments: instance, folder, worker processes. Prints `middle` after the first results and
goes on when a line comes in; prints `done` at the end, or the error.
"""

from __future__ import annotations

import sys

from ldb.backends.local import LocalBackend
from ldb.errors import LdbError
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import open_instance


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Pausing:
    """A `Progress` that waits for a line at the first step."""

    waited = False

    def start(self, label: str, total: int | None = None) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        if not self.waited:
            self.waited = True
            say("middle")
            sys.stdin.readline()


def main() -> None:
    place, folder, processes = sys.argv[1:]
    instance = open_instance(LocalBackend(place))
    try:
        index(instance, targets_of([folder]), IndexOptions(processes=int(processes)), Pausing())
    except LdbError as error:
        say(f"{type(error).__name__}: {error}; {error.hint}")
    else:
        say("done")


if __name__ == "__main__":
    main()
