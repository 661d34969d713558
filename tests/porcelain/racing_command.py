"""Run as a process of its own: one porcelain call, for races.

Arguments: instance, what to do, its arguments. Prints the outcome in one word.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ldb.backends.local import LocalBackend
from ldb.errors import LdbError
from ldb.instance import open_instance
from ldb.porcelain.ds import delete_datasets, rename_dataset
from ldb.porcelain.init import quick_start
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage
from ldb.refs.name import parse_version


def place(where: str) -> Place:
    return Place(open_instance(LocalBackend(where)), "/", "racer")


COMMANDS: dict[str, Callable[..., object]] = {
    "delete": lambda where, name: delete_datasets(place(where), [parse_version(name)]),
    "rename": lambda where, old, new: rename_dataset(place(where), parse_version(old), new),
    "add-storage": lambda where, path: add_storage(place(where), path),
    "read-add": lambda where, path: add_storage(place(where), path, read_add=True),
    "quick-start": lambda home: quick_start(Path(home), "racer"),
}


def main() -> None:
    where, command, *args = sys.argv[1:]
    sys.stdin.readline()  # so that all start together, imports done
    try:
        COMMANDS[command](where, *args)
    except LdbError as error:
        sys.stdout.write(type(error).__name__)
    else:
        sys.stdout.write("done")


if __name__ == "__main__":
    main()
