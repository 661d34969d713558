"""LDB's client of object stores beside bare loops: `python -m bench.clouds [options]`.

Starts SeaweedFS on loopback, fills a bucket, and lets every tool of `scripts/cloud_ops.py` read
all objects and list all keys in turn, so that a busy machine slows all alike. Prints medians and
ratios; with `--strict`, a missed target fails the run. A wrong count always does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.scripts.cloud_ops import CONCURRENCY, TOOLS, keys_below
from tests.clouds import servers
from tests.clouds.buckets import Bucket, fresh_bucket

SIZE = 1000
TARGETS = (("ldb-obstore", "obstore", 1.4), ("ldb-s3fs", "s3fs", 1.3))
"""Who may take how many times as long as whom."""


@dataclass(frozen=True)
class Cost:
    """What one run cost."""

    seconds: float
    cpu: float
    mb: float


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.clouds", description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000, help="to read (10,000)")
    parser.add_argument("--keys", type=int, default=100_000, help="to list (100,000)")
    parser.add_argument("--runs", type=int, default=5, help="turns of every operation (5)")
    parser.add_argument("--strict", action="store_true", help="a missed target fails the run")
    arguments = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="ldb-bench-clouds-"))
    try:
        with fresh_bucket("s3", "seaweedfs", folder) as bucket:
            _fill(bucket, arguments.objects, arguments.keys)
            met = [
                _compare(bucket, operation, count, arguments.runs)
                for operation, count in (("read", arguments.objects), ("list", arguments.keys))
            ]
    finally:
        servers.stop_all(folder)
    return int(arguments.strict and not all(met))


def _fill(bucket: Bucket, objects: int, keys: int) -> None:
    """Store what is read, and what is listed: a thousand keys a folder."""
    store = bare_store(bucket)
    values = dict.fromkeys(keys_below(objects), bytes(SIZE))
    values |= {f"list/{number // 1000:04}/{number:06}": b"x" for number in range(keys)}

    async def put_all() -> None:
        left = iter(values.items())

        async def put() -> None:
            for key, value in left:
                await store.put_async(key, value)

        await asyncio.gather(*(put() for _ in range(CONCURRENCY)))

    asyncio.run(put_all())


def bare_store(bucket: Bucket) -> Any:
    """obstore on the bucket, without LDB."""
    from obstore.store import S3Store

    return S3Store(
        bucket.name,
        endpoint=bucket.address,
        access_key_id=servers.KEY,
        secret_access_key=servers.SECRET,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def _compare(bucket: Bucket, operation: str, count: int, runs: int) -> bool:
    """Let every tool do it so many times, in turn; print; whether all targets were met."""
    costs: dict[str, list[Cost]] = {tool: [] for tool in TOOLS}
    for _ in range(runs):
        for tool in TOOLS:
            costs[tool].append(_run(bucket, tool, operation, count))
    print(f"\n{operation} {count:,}: medians of {runs} runs on SeaweedFS, {CONCURRENCY} at once")
    print(f"{'':14}{'seconds':>9}{'CPU':>9}{'MB':>7}")
    for tool, each in costs.items():
        seconds, cpu, mb = (
            statistics.median(getattr(cost, name) for cost in each)
            for name in ("seconds", "cpu", "mb")
        )
        print(f"{tool:14}{seconds:9.2f}{cpu:9.2f}{mb:7.0f}")
    met = True
    for ours, peer, most in TARGETS:
        ratio = _ratio(costs[ours], costs[peer], "seconds")
        used = _ratio(costs[ours], costs[peer], "cpu")
        met = met and ratio <= most
        print(f"{ours} / {peer}: {ratio:.2f} (CPU {used:.2f}), at most {most}")
    return met


def _ratio(ours: list[Cost], peer: list[Cost], name: str) -> float:
    """Median of the ratios of runs that were beside each other."""
    return float(statistics.median(getattr(a, name) / getattr(b, name) for a, b in zip(ours, peer)))


def _run(bucket: Bucket, tool: str, operation: str, count: int) -> Cost:
    command = [sys.executable, "-m", "bench.scripts.cloud_ops", tool, operation, bucket.name]
    done = subprocess.run(
        [*command, str(count)],
        env={**os.environ, **bucket.environ},
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    if figures.pop("found") != count:
        raise SystemExit(f"{tool} {operation}: not all {count} were found")
    figures.pop("size")
    return Cost(**figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
