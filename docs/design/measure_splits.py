"""What `ldb split` and `ldb merge` take on a dataset of N objects without annotations.

    python -m docs.design.measure_splits 1000000

Processor time of this process alone. The instance is in memory, so disks say nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from ldb.backends.memory import MemoryBackend
from ldb.dataset import dataset_schema
from ldb.history import DATASET_MAP, Commit, MapRoot, Version, dataset_root, publish
from ldb.instance import Instance, create
from ldb.maps import Changes, Rows, build, edit
from ldb.porcelain.merge import merge_datasets
from ldb.porcelain.place import Place
from ldb.porcelain.split import SplitSpec, parse_shares, split
from ldb.refs.name import dataset_ref, parse_version

EDITS = 1000


def rows(ids: np.typing.NDArray[np.bytes_]) -> Rows:
    nothing = np.zeros((len(ids), 32), np.uint8)
    return Rows(ids, (nothing, nothing))


def saved(instance: Instance, name: str, root: MapRoot, *parents: Version) -> Version:
    oids = tuple(each.oid for each in parents)
    make: Callable[[object], Commit] = lambda _: Commit(name, 0, {DATASET_MAP: root}, oids)  # noqa: E731
    version = publish(instance, dataset_ref(name), make)
    assert version is not None
    return version


@contextmanager
def measured(what: str) -> Iterator[None]:
    start = time.process_time()
    yield
    print(f"{what:40} {time.process_time() - start:6.2f} s", flush=True)


def main(count: int) -> None:
    lots = np.random.default_rng(1)
    raw = np.frombuffer(lots.bytes(16 * (count + EDITS)), "S16")
    ids = np.unique(raw)
    few = np.sort(lots.choice(ids, EDITS, replace=False))
    instance = create(MemoryBackend())
    place = Place(instance, "/nowhere", "ann")
    schema = dataset_schema(instance)
    with instance.objects.writer() as writer:
        made = build(writer, schema, [rows(np.setdiff1d(ids, few))])
    base = saved(instance, "a", MapRoot(made.oid, made.count))
    shares = parse_shares(["train=.8", "val=.1", "test=.1"])
    for name, spec in (
        ("split", SplitSpec(shares)),
        ("split again, nothing new", SplitSpec(shares)),
        ("split --stratify '`1`'", SplitSpec(shares, stratify="`1`", seed=1)),
    ):
        with measured(f"{name}, {count:,} objects"):
            split(place, parse_version("a"), spec)
    with instance.objects.writer() as writer:
        changes = [Changes.upserts(rows(few))]
        more = edit(writer, writer, schema, dataset_root(base).root, changes)
    saved(instance, "b", MapRoot(more.oid, more.count), base)
    with measured(f"merge, {EDITS:,} objects of {count:,} differ"):
        merge_datasets(place, parse_version("a"), parse_version("b"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
