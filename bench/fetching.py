"""Instantiating small objects out of S3, beside bare loops that write the same files.

    python -m bench.fetching [COUNT]        # 10,000 objects of 3 kB by default

Starts the S3 server of the tests on loopback. Each way is a process of its own, into a folder
that was never there, in turn, three rounds; least seconds on the clock and of processor time
(the server's not included). The loops verify nothing, keep no cache and make up no names;
LDB's first run fills the cache, its second finds everything there.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SIZE = 3000

OBSTORE = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import obstore
from obstore.store import S3Store
store = S3Store(sys.argv[1], client_options={"allow_http": True})
keys = [meta["path"] for page in obstore.list(store) for meta in page]
os.mkdir(sys.argv[2])
def get(key):
    with open(os.path.join(sys.argv[2], os.path.basename(key)), "wb") as file:
        file.write(obstore.get(store, key).bytes())
with ThreadPoolExecutor(64) as threads:
    list(threads.map(get, keys))
"""

S3FS = """
import asyncio, os, sys
import s3fs
async def main():
    fs = s3fs.S3FileSystem(asynchronous=True, max_concurrency=1)
    session = await fs.set_session()
    keys = await fs._find(sys.argv[1])
    os.mkdir(sys.argv[2])
    free = asyncio.Semaphore(64)
    async def get(key):
        async with free:
            data = await fs._cat_file(key)
        with open(os.path.join(sys.argv[2], os.path.basename(key)), "wb") as file:
            file.write(data)
    await asyncio.gather(*map(get, keys))
    await session.close()
asyncio.run(main())
"""


def main(count: int) -> None:
    """Print a line for each way."""
    from tests.clouds.buckets import fresh_bucket
    from tests.clouds.servers import stop_all

    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        try:
            with fresh_bucket("s3", "seaweedfs", folder / "servers") as bucket:
                bucket.fill({f"d/{n:06}.bin": b"%*d" % (SIZE, n) for n in range(count)})
                environ = {**os.environ, **bucket.environ, "HOME": base}
                _measure(folder, bucket.name, bucket.url, environ, count)
        finally:
            stop_all(folder / "servers")


def _measure(folder: Path, name: str, url: str, environ: dict[str, str], count: int) -> None:
    ldb = [sys.executable, "-m", "ldb.cli.main"]
    environ["AWS_ALLOW_HTTP"] = "true"
    _run([*ldb, "add-storage", url], environ)
    _run([*ldb, "index", url], environ)
    best: dict[str, tuple[float, float]] = {}
    for number in range(ROUNDS):
        _run([*ldb, "cache", "clean"], environ)
        ways = {
            "bare loop, obstore": [sys.executable, "-c", OBSTORE, name],
            "bare loop, s3fs": [sys.executable, "-c", S3FS, name],
            "ldb instantiate": [*ldb, "instantiate", "ds:root", "-t"],
            "ldb instantiate, cached": [*ldb, "instantiate", "ds:root", "-t"],
        }
        for way, command in ways.items():
            target = folder / f"{way} {number}".replace(" ", "-")
            took = _run([*command, str(target)], environ)
            files = sum(not each.startswith(".") for each in os.listdir(target))
            assert files == count, (way, files)
            best[way] = min(best.get(way, took), took)
            print(f"round {number + 1}  {way:<26}{took[0]:8.2f} s {took[1]:8.2f} s cpu", flush=True)
    for way, (clock, cpu) in best.items():
        print(f"{way:<26}{clock:8.2f} s {cpu:8.2f} s cpu {count / clock:8.0f}/s", flush=True)


def _run(command: Sequence[str], environ: dict[str, str]) -> tuple[float, float]:
    """Seconds on the clock, and of processor time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL)
    clock, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
