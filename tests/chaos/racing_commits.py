"""One of many processes that commit to one dataset, or index a folder, at the same moment.

    python -m tests.chaos.racing_commits INSTANCE commit WORKSPACE ID…
    python -m tests.chaos.racing_commits INSTANCE index FOLDER

Prints `ready`, waits for a line on stdin, and goes. Commits one object after the other
from its own workspace; prints `<version> <id>` for each version that it made.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ldb.backends.objectcache import CacheSettings
from ldb.backends.opening import open_backend
from ldb.instance import open_instance
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.refs.name import parse_version


def place(instance: str, folder: str) -> Place:
    cache = os.environ.get("RACERS_CACHE")  # as one machine's processes share it
    backend = open_backend(instance, CacheSettings(cache, 1 << 30) if cache else None)
    return Place(open_instance(backend), folder, f"racer in {folder}")


def commit_all(instance: str, workspace: str, ids: Sequence[str]) -> None:
    stage(place(instance, "/"), parse_version("ds:cats"), workspace)
    wait()
    for each in ids:
        add(place(instance, workspace), [f"id:{each}"])
        version = commit(place(instance, workspace)).version
        assert version is not None
        sys.stdout.write(f"{version} {each}\n")


def index_one(instance: str, folder: str) -> None:
    wait()
    version = index(place(instance, "/"), [folder]).report.version
    sys.stdout.write(f"{version} {folder}\n")


def wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(instance: str, what: str, where: str, *ids: str) -> None:
    if what == "commit":
        commit_all(instance, where, ids)
    else:
        index_one(instance, where)


if __name__ == "__main__":
    main(*sys.argv[1:])
