"""Measures what the driver of an indexing run does by itself: rows of workers into the two maps.

Results of workers are made up, of random ids and oids (so nothing compresses that would not in
earnest) with keys as of a real tree, and put through what `ldb/indexing/run.py` does with real
ones. Prints CPU seconds, peak memory and bytes for each number of pairs:

    python docs/design/measure_scale.py 1000000 10000000
"""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ldb.backends.local import LocalBackend
from ldb.catalog import PATHS, Catalog, objects_schema
from ldb.indexing.merge import Gathered
from ldb.indexing.publish import roots_of
from ldb.indexing.read import BatchResult
from ldb.instance import create
from ldb.maps import edit
from ldb.objects.indexrows import KIND_ANNOTATION, KIND_DATA

PAIRS = 512
"""Pairs of a batch: 1,024 jobs."""


def results(count: int) -> Iterator[BatchResult]:
    """What workers would send for so many pairs, each two files."""
    random = np.random.default_rng(1)
    for at in range(0, count, PAIRS):
        here = range(at, min(count, at + PAIRS))
        start = f"s3://bucket/images/{at // 1024:07}/\x01"
        names = [f"{start}{n:010}.{end}".encode() for n in here for end in ("jpg", "json")]
        rows, objects = len(names), len(here)
        ids = random.integers(1, 255, (objects, 16), np.uint8)  # no zero: S16 drops those at ends
        contents = random.integers(0, 256, (rows, 32), np.uint8)
        contents[::2] = 0
        contents[::2, :16] = ids
        yield BatchResult(
            keys=np.array(names, np.bytes_),
            contents=contents,
            sizes=random.integers(500, 100_000, rows).astype(np.uint64),
            mtimes=random.integers(1 << 60, (1 << 60) + (1 << 55), rows).astype(np.uint64),
            kinds=np.array([KIND_DATA, KIND_ANNOTATION] * objects, np.uint8),
            ids=ids.view("S16").ravel(),
            records=random.integers(0, 256, (objects, 32), np.uint8),
            annotations=contents[1::2],
            rows=np.arange(0, rows, 2),
            attributes=np.zeros((objects, 4), np.int64),
            problems=[],
        )


def merge(count: int) -> None:
    """Merge so many pairs into an empty index."""
    making = time.process_time()
    sent = sum(len(pickle.dumps(each)) for each in results(min(count, 100_000)))
    making = (time.process_time() - making) * count / min(count, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        instance = create(LocalBackend(Path(folder, "instance")))
        gathered = Gathered(Catalog(instance, None), 1, ())
        began, cpu = time.perf_counter(), time.process_time()
        with instance.objects.writer() as writer:
            old = roots_of(instance, None, writer)
            changes = gathered.path_changes(results(count), {})
            edit(writer, writer, PATHS, old.paths.root, changes)
            middle = time.process_time()
            rows = gathered.object_changes(writer, [])
            edit(writer, writer, objects_schema(instance), old.objects.root, rows)
        whole, end = time.perf_counter() - began, time.process_time()
        files = list(Path(folder).rglob("*.pack"))
        size = sum(each.stat().st_size for each in files)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:>11,} pairs: {whole:.1f} s, CPU paths {middle - cpu:.1f} s (of it making up "
        f"results, at most, {making:.1f}), objects {end - middle:.1f} s; peak {peak:,.0f} MB; maps "
        f"{size / count:.0f} bytes a pair in {len(files)} packs; sent "
        f"{sent / min(count, 100_000):.0f} bytes a pair",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) == 2:
        merge(int(sys.argv[1]))
    else:
        for each in sys.argv[1:]:  # a process each, for its peak
            subprocess.run([sys.executable, __file__, each], check=True)
