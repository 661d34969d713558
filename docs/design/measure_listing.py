"""Measures what listing costs the driver, alone and with the workers of a cluster.

Of a bucket on a small server with so many keys, and of so many files in folders of 500. Server,
driver and two workers share this machine, so the clock says nothing of a real store or disk;
processor time of the driver is what limits one listing. By turns:

    python docs/design/measure_listing.py 100000 400000
"""

from __future__ import annotations

import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from ldb.clouds.options import configure
from ldb.engines.base import Engine
from ldb.engines.cluster import own_cluster
from ldb.indexing.spreadlisting import Spread
from ldb.indexing.spreadwalk import walk_spread
from ldb.indexing.walkers import Listed
from ldb.storage.cloudlisting import Sorted, taken
from ldb.storage.listing import Folder, walk
from ldb.storage.remote import Clients, key_of

TURNS = 3
FOLDER = b"gs://bucket/images/"
SERVER = """
import sys
from tests.clouds import minigcs
bucket = minigcs.buckets["bucket"] = minigcs.Bucket()
for number in range(int(sys.argv[2])):
    name = f"images/{number // 1000:05}/{number:08}.jpg"
    bucket.values[name] = minigcs.Value(b"x", minigcs.PLAIN, {}, "nZ3sSUa4xHJMBZlyaDzqxg==")
    bucket.names.append(name)
minigcs.main()
"""


def driver_alone(clients: Clients, entries: Sorted) -> int:
    stats = clients.of(FOLDER.decode()).list_parallel(key_of(FOLDER.decode()))
    return _take(stats, entries)


def with_workers(clients: Clients, entries: Sorted, engine: Engine) -> int:
    spread = Spread(engine, clients.of(FOLDER.decode()), FOLDER, b"")
    count = _take(spread.beginning(), entries)
    for found in spread.rest():
        assert not found.failed, found.failed
        entries.add_lines(found.entries())
        count += found.count
    return count


def _take(stats: object, entries: Sorted) -> int:
    count = 0
    for each in taken(stats, FOLDER, b"", print):  # type: ignore[arg-type]
        count += 1
        if each is not None:
            entries.add(*each)
    return count


def list_bucket(engine: Engine | None) -> int:
    with Clients() as clients, closing(Sorted()) as entries:
        if engine is None:
            listed = driver_alone(clients, entries)
        else:
            listed = with_workers(clients, entries, engine)
        assert listed == sum(len(each.names) for each in entries.windows())
        return listed


def list_folders(root: bytes, engine: Engine | None) -> int:
    if engine is None:
        found: Iterator[Folder | Listed] = walk(root, print)
    else:
        found = walk_spread(root, print, frozenset(), "", engine)
    folders = (each.folder() if isinstance(each, Listed) else each for each in found)
    return sum(len(each.names) for each in folders)


def measure(what: str, count: int, engine: Engine, listing: Callable[[Engine | None], int]) -> None:
    times: dict[str, list[tuple[float, float]]] = {"driver alone": [], "two workers": []}
    for _ in range(TURNS):
        for name, known in times.items():
            before, began = time.process_time(), time.perf_counter()
            listed = listing(None if name == "driver alone" else engine)
            assert listed == count
            known.append((time.process_time() - before, time.perf_counter() - began))
    for name, known in times.items():
        cpu, wall = (statistics.median(each) for each in zip(*known, strict=True))
        each = f"{cpu / count * 1e6:5.1f} µs CPU of the driver each"
        print(f"{count:>9,} {what} {name:13} {each}, {wall:6.1f} s")


def main() -> None:
    for count in map(int, sys.argv[1:]):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        root = Path(__file__).resolve().parents[2]
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(port), str(count)], cwd=root)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/storage/v1/b/bucket/o?maxResults=1")
            configure({"gs://bucket": {"endpoint_url": url, "allow_http": True, "anon": True}})
            with own_cluster(2) as engine, tempfile.TemporaryDirectory() as folder:
                measure("keys ", count, engine, list_bucket)
                for number in range(count):
                    path = Path(folder, f"{number // 500:05}", f"{number:08}.jpg")
                    path.parent.mkdir(exist_ok=True)
                    path.touch()
                root_of_all = os.fsencode(folder) + b"/"
                measure("files", count, engine, partial(list_folders, root_of_all))
        finally:
            server.kill()
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


if __name__ == "__main__":
    main()
