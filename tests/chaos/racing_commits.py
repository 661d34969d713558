"""One of many processes that commit to one dataset, or index a folder, at the same moment.

    python -m tests.chaos.racing_commits INSTANCE commit WORKSPACE ID…
    python -m tests.chaos.racing_commits INSTANCE index FOLDER…

Prints `ready`, waits for a line on stdin, and goes. Commits one object after the other
from its own workspace, or indexes one folder after the other; prints `<version> <id or folder>`
for each version that it made, and at the end `lost <number>`: how often somebody else was first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from ldb.backends.objectcache import CacheSettings
from ldb.backends.opening import open_backend
from ldb.ids import Oid
from ldb.instance import open_instance
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.refs.name import RefName, parse_version
from ldb.refs.store import Advanced, Lost, Ref, RefStore

lost = 0


class CountedRefs(RefStore):
    """Counts the races that are lost."""

    def advance(
        self,
        name: RefName,
        expected: Ref | None,
        target: Oid | None,
        author: str,
        renamed: RefName | None = None,
    ) -> Advanced | Lost:
        global lost
        outcome = super().advance(name, expected, target, author, renamed)
        lost += isinstance(outcome, Lost)
        return outcome


def place(instance: str, folder: str) -> Place:
    cache = os.environ.get("RACERS_CACHE")  # as one machine's processes share it
    backend = open_backend(instance, CacheSettings(cache, 1 << 30) if cache else None)
    opened = replace(open_instance(backend), refs=CountedRefs(backend))
    return Place(opened, folder, f"racer in {folder}")


def commit_all(instance: str, workspace: str, ids: Sequence[str]) -> None:
    stage(place(instance, "/"), parse_version("ds:cats"), workspace)
    wait()
    for each in ids:
        add(place(instance, workspace), [f"id:{each}"])
        version = commit(place(instance, workspace)).version
        assert version is not None
        sys.stdout.write(f"{version} {each}\n")


def index_all(instance: str, folders: Sequence[str]) -> None:
    wait()
    for folder in folders:
        version = index(place(instance, "/"), [folder]).report.version
        sys.stdout.write(f"{version} {folder}\n")


def wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(instance: str, what: str, where: str, *others: str) -> None:
    if what == "commit":
        commit_all(instance, where, others)
    else:
        index_all(instance, (where, *others))
    sys.stdout.write(f"lost {lost}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
