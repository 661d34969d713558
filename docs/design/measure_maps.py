"""Time and peak memory of maps by their number of rows, each operation in a process of its own.

    python docs/design/measure_maps.py FOLDER 1000000 10000000

FOLDER gets a store (50 bytes a row and map) and is not emptied. Rows are as in a dataset:
16-byte keys, 32 random bytes, 32 zero bytes. They come unsorted, so `build` sorts them first.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ldb.backends.local import LocalBackend
from ldb.ids import Oid
from ldb.maps import Changes, Root, Rows, Schema, build, diff, edit, merge, scan, sort
from ldb.objects.store import ObjectStore

SCHEMA = Schema("dataset", 16, (("annotation", 32), ("transforms", 32)))
CHUNK = 65536
BOTH_UP_TO = 10_000_000
"""Above, no second map without a row in common is made."""


def rows(count: int, values: int) -> Iterator[Rows]:
    """Always the same keys, in no order; `values` chooses the fields."""
    for at in range(0, count, CHUNK):
        size = min(CHUNK, count - at)
        keys = np.frombuffer(np.random.default_rng([at, 0]).bytes(16 * size), "S16")
        notes = np.random.default_rng([at, values]).bytes(32 * size)
        column = np.frombuffer(notes, np.uint8).reshape(size, 32)
        yield Rows(keys, (column, np.zeros((size, 32), np.uint8)))


def some(count: int, wanted: int, values: int) -> Iterator[Changes]:
    """Changes to `wanted` rows, as random as all are, one in six a deletion."""
    starts = range(0, wanted, CHUNK)
    first = zip(starts, rows(count, values))
    for part in sort(SCHEMA, (each.slice(0, wanted - at) for at, each in first)):
        lots = np.random.default_rng(values).integers(0, 6, len(part))
        yield Changes(part, lots == 0)


class Store:
    """Maps by name in a folder."""

    def __init__(self, folder: Path) -> None:
        self.objects = ObjectStore(LocalBackend(folder.absolute() / "store"))
        self._names = folder / "roots.json"

    def root(self, name: str) -> Oid:
        return Oid.from_hex(json.loads(self._names.read_text())[name])

    def keep(self, name: str, root: Root) -> None:
        known = json.loads(self._names.read_text()) if self._names.exists() else {}
        self._names.write_text(json.dumps({**known, name: str(root.oid)}))


def make(store: Store, count: int, name: str, values: int) -> None:
    with store.objects.writer() as writer:
        store.keep(name, build(writer, SCHEMA, sort(SCHEMA, rows(count, values))))


def change(store: Store, count: int, name: str, wanted: int, values: int) -> None:
    with store.objects.writer() as writer:
        changes = some(count, wanted, values)
        store.keep(name, edit(store.objects, writer, SCHEMA, store.root("a"), changes))


def compare(store: Store, old: str, new: str) -> None:
    print(sum(map(len, diff(store.objects, SCHEMA, store.root(old), store.root(new)))))


def join(store: Store, ours: str, theirs: str) -> None:
    with store.objects.writer() as writer:
        roots = [store.root(name) for name in ("a", ours, theirs)]
        merge(store.objects, writer, SCHEMA, *roots)


def read(store: Store) -> None:
    print(sum(map(len, scan(store.objects, SCHEMA, store.root("a")))))


def operations(store: Store, count: int) -> dict[str, Callable[[], None]]:
    """What is measured, in an order in which each finds what it needs."""
    many = min(count // 10, 1_000_000)
    found: dict[str, Callable[[], None]] = {
        "build, unsorted": lambda: make(store, count, "a", 1),
        "scan": lambda: read(store),
        "edit 1,000": lambda: change(store, count, "few", 1000, 2),
        "diff of 1,000": lambda: compare(store, "a", "few"),
        f"edit {many:,}": lambda: change(store, count, "many", many, 3),
        f"diff of {many:,}": lambda: compare(store, "a", "many"),
        f"merge {many:,} into 1,000": lambda: join(store, "few", "many"),
    }
    if count <= BOTH_UP_TO:
        found["(another map)"] = lambda: make(store, count, "b", 4)
        found["diff of all rows"] = lambda: compare(store, "a", "b")
        found["merge all rows into 1,000"] = lambda: join(store, "few", "b")
    return found


def measure(folder: Path, count: int) -> None:
    """All operations on maps of this size."""
    here = folder / str(count)
    here.mkdir(parents=True, exist_ok=True)
    print(f"| {count:,} rows | seconds | processor | peak MB |\n|---|---|---|---|", flush=True)
    for name in operations(Store(here), count):
        command = [sys.executable, __file__, str(folder), str(count), name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"| {name} | {done.stderr.strip()} |", flush=True)


def one(folder: Path, count: int, name: str) -> None:
    """One operation in this process; figures to stderr."""
    call = operations(Store(folder / str(count)), count)[name]
    start = time.perf_counter()
    call()
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = time.perf_counter() - start
    processor, peak = used.ru_utime + used.ru_stime, used.ru_maxrss // 1024
    print(f"{seconds:.2f} | {processor:.2f} | {peak}", file=sys.stderr)


if __name__ == "__main__":
    place, size, *names = sys.argv[1:]
    if names and not names[0].isdigit():
        one(Path(place), int(size), names[0])
    else:
        for each in (size, *names):
            measure(Path(place), int(each))
