"""The figures of 011-garbage.md: gc and repack of an instance of many small packs.

python docs/design/measure_garbage.py [rows] [commits]

Prints wall and processor seconds of this process, and its peak memory, in MB.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from ldb.backends.local import LocalBackend
from ldb.dataset import dataset_schema
from ldb.history import DATASET_MAP, Commit, MapRoot, publish
from ldb.instance import Instance, create, open_instance
from ldb.maps import Changes, Rows, build, edit
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.porcelain.gc import gc
from ldb.porcelain.repack import repack
from ldb.refs.name import dataset_ref

CHANGED = 100
CATS = dataset_ref("cats")


def rows(instance: Instance, ids: list[int], version: int) -> Rows:
    """Rows with an annotation each, written to the instance."""
    with instance.objects.writer() as writer:
        values = [{"id": n, "version": version, "label": "cat" * (n % 7)} for n in ids]
        notes = writer.add_many(BlobType.ANNOTATION, [encode(each) for each in values])
    keys = np.frombuffer(b"".join(n.to_bytes(16, "big") for n in ids), "S16")
    column = np.frombuffer(b"".join(notes), np.uint8).reshape(-1, 32)
    return Rows(keys, (column, np.zeros_like(column)))


def make(instance: Instance, count: int, commits: int) -> None:
    """A dataset of `count` rows, then versions that change some of them."""
    schema = dataset_schema(instance)
    for version in range(commits + 1):
        with instance.objects.writer() as writer:
            if not version:
                root = build(writer, schema, [rows(instance, list(range(count)), 0)])
            else:
                ids = sorted({(version * 7919 + n * 104729) % count for n in range(CHANGED)})
                changes = Changes.upserts(rows(instance, ids, version))
                root = edit(writer, writer, schema, root.oid, [changes])
        maps = {DATASET_MAP: MapRoot(root.oid, root.count)}
        publish(
            instance,
            CATS,
            lambda current, maps=maps: Commit(  # type: ignore[misc]
                "cats", 0, maps, (current.oid,) if current else (), time=1
            ),
        )


def timed(name: str, run: Callable[[], object]) -> None:
    """Print what a step takes."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    spent = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{name:34} {spent[0]:8.2f} {spent[1]:8.2f} {peak:8.0f}\n")


def main(count: int, commits: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(folder + "/instance")
        instance = create(backend)
        timed("make", lambda: make(instance, count, commits))
        timed("gc, nothing to do", lambda: gc(open_instance(backend)))
        timed("repack", lambda: repack(open_instance(backend)))
        timed("gc --prune --alone after repack", lambda: _prune(backend))
        timed("gc, nothing to do any more", lambda: gc(open_instance(backend)))


def _prune(backend: LocalBackend) -> None:
    done = gc(open_instance(backend), prune=True, alone=True)
    sys.stdout.write(f"deleted {done.deleted}\n")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:] or ("100000", "300")))
