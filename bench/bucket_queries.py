"""A query of an instance in a bucket beside the same one in a folder:
`python -m bench.bucket_queries 100k [--runs 5] [--strict]`.

Whole processes, `ldb list -s ds:root --query …`, in turn on both: warm (everything in the cache but
the newest head) and cold (an empty cache). The bucket is SeaweedFS on loopback, the instance
that of `synthetic_annotations.py`, copied as it is. The bandwidth by which the cold bound goes is
measured by reading the packs one by one with obstore.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.clouds import bare_store
from bench.generate import parse_size
from bench.queries import QUERIES
from bench.synthetic_annotations import make_annotations
from tests.clouds import servers
from tests.clouds.buckets import Bucket, fresh_bucket

PREFIX = "bench/ldb"
WARM = 1.3
"""Times that a warm query may take as long as a local one."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.bucket_queries", description=__doc__)
    parser.add_argument("size", help="annotations: 10k, 100k, 1M")
    parser.add_argument("--runs", type=int, default=5, help="turns of every query (5)")
    parser.add_argument("--home", type=Path, help="where instances are kept for the next time")
    parser.add_argument("--strict", action="store_true", help="a missed target fails the run")
    arguments = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="ldb-bench-bucket-"))
    data = make_annotations((arguments.home or folder).resolve(), parse_size(arguments.size), None)
    try:
        with fresh_bucket("s3", "seaweedfs", folder) as bucket:
            store = bare_store(bucket)
            for path in sorted(data.instance.rglob("*")):
                if path.is_file():
                    store.put(f"{PREFIX}/{path.relative_to(data.instance)}", path.read_bytes())
            met = [
                _compare(bucket, store, data.instance, folder, query.jmespath, arguments.runs)
                for query in QUERIES
            ]
    finally:
        servers.stop_all(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return int(arguments.strict and not all(met))


def _compare(
    bucket: Bucket, store: Any, instance: Path, folder: Path, query: str, runs: int
) -> bool:
    """Print one query's figures; whether its bounds hold."""
    cache, url = folder / "cache", f"{bucket.url}/{PREFIX}"
    shutil.rmtree(cache, ignore_errors=True)
    _run(bucket, str(instance), cache, query)
    cold = _run(bucket, url, cache, query)[0]
    kept = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    bound = kept / _bandwidth(store) * 1.5 + 1
    turns = [
        (_run(bucket, str(instance), cache, query), _run(bucket, url, cache, query))
        for _ in range(runs)
    ]
    local, warm = (statistics.median(turn[at][0] for turn in turns) for at in (0, 1))
    wall, cpu = (statistics.median(b[at] / a[at] for a, b in turns) for at in (0, 1))
    print(
        f"{query:45} local {local:.2f} s  warm {warm:.2f} s: {wall:.2f} times (CPU {cpu:.2f}), "
        f"at most {WARM}; cold {cold:.2f} s, at most {bound:.2f} for {kept:,} bytes",
        flush=True,
    )
    return wall <= WARM and cold <= bound


def _run(bucket: Bucket, url: str, cache: Path, query: str) -> tuple[float, float]:
    """Seconds and processor seconds of the command."""
    environ = {**os.environ, **bucket.environ, "XDG_CACHE_HOME": str(cache), "LDB_DIR": url}
    command = [sys.executable, "-m", "ldb.cli.main", "list", "-s", "ds:root", "--query", query]
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    seconds, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system


def _bandwidth(store: Any) -> float:
    """Bytes a second of reading the instance's packs one by one."""
    keys = [item["path"] for page in store.list(f"{PREFIX}/objects/pack") for item in page]
    began = time.perf_counter()
    size = sum(len(bytes(store.get(key).bytes())) for key in keys)
    return size / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
