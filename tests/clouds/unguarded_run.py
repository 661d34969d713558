"""Indexes a bucket into a local instance by several processes, and instantiates it.

Started by test_forks.py. A script as users write them, without `if __name__ == "__main__"`: what
workers do must not begin with running it again. Takes JSON: the
bucket's URL, its options, a folder.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

from ldb.indexing import cloudscan
from ldb.indexing import run as indexing_run
from ldb.instantiate import run as instantiate_run
from ldb.instantiate.options import InstantiateOptions
from ldb.porcelain.cloudstorage import add_cloud
from ldb.porcelain.index import index
from ldb.porcelain.init import init
from ldb.porcelain.instantiate import instantiate
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage
from ldb.storage.cache import CacheOptions

url, options, folder = json.loads(sys.argv[1])
forks: list[int] = []
"""How many threads there were at each fork."""
started: list[str] = []


def watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "os.fork":
        forks.append(threading.active_count())
    if event == "import" and args[0] == "multiprocessing.popen_spawn_posix":
        started.append("afresh")


def two() -> int:
    return 2


sys.addaudithook(watch)
cloudscan.__dict__["BATCH"] = 7
for module in (indexing_run, instantiate_run):
    module.__dict__["default_processes"] = two
mine: dict[str, dict[str, str]] = {}


def remember(key: str, value: str) -> None:
    mine.setdefault(url, {})[key.removeprefix(f"storage.{url}.")] = value


place = Place(init(os.path.join(folder, "instance")), folder, "ann", False, mine)
add_storage(place, os.path.join(folder, "local"))
add_cloud(place, url, remember, options=options)
indexed = index(place, [url, os.path.join(folder, "local")]).report
cache = CacheOptions(os.path.join(folder, "cache"))
made = instantiate(
    place, ["ds:root"], [], InstantiateOptions(os.path.join(folder, "out"), cache=cache)
).report
problems = list(map(str, [*indexed.problems, *made.problems]))
sys.stdout.write(json.dumps([indexed.new_objects, made.objects, problems, forks, started]))
