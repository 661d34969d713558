"""Whether a bucket can hold an instance: its prefix is empty, and conditional creates hold.

Some servers that speak a cloud's protocol drop the condition and overwrite, or look first and
write then, so that two of several writers believe that they were first. On such a store commits
would be lost in silence; `ldb init` asks before it makes an instance there. A store that looks
first is found out by a race, which it may survive by luck: the others always show.
"""

from __future__ import annotations

import os
from threading import Barrier, Thread

from ldb.backends.base import Outcome
from ldb.backends.bucket import BucketBackend
from ldb.errors import LdbError, Unsupported

WRITERS = 8
ROUNDS = 3
PROBE = "probe-"
"""What keys of probes start with; one that was killed may leave some."""


def is_empty(backend: BucketBackend) -> bool:
    """Whether nothing lies below the prefix, under whatever name."""
    for stat in backend.client.list(backend.base):
        name = stat.key[len(backend.base) :]
        if name and not name.startswith(PROBE):  # consoles make an empty object of a "folder"
            return False
    return True


def check_conditional_create(backend: BucketBackend) -> None:
    """Raise `Unsupported` unless of several creates of one key exactly one wins."""
    for at in range(ROUNDS + 1):
        key = PROBE + os.urandom(16).hex()
        try:
            # One after the other first: plain overwriting needs no luck to be found.
            problem = _one_after_the_other(backend, key) if not at else _at_once(backend, key)
        finally:
            backend.delete([key])
        if problem:
            raise Unsupported(
                f"an instance at {backend.url}: this store {problem}",
                "two people who commit at once would lose work; use S3, Google Cloud Storage, "
                "Azure, or a server that honours conditional writes",
            )


def _one_after_the_other(backend: BucketBackend, key: str) -> str:
    if backend.create(key, b"first") is not Outcome.CREATED:
        return "says that a new name is taken"
    if backend.create(key, b"second") is Outcome.CREATED or backend.read(key) != b"first":
        return "overwrites where it should only create (conditional writes do not hold)"
    return ""


def _at_once(backend: BucketBackend, key: str) -> str:
    outcomes: list[Outcome | LdbError] = []
    together = Barrier(WRITERS)

    def write(number: int) -> None:
        together.wait()
        try:
            outcomes.append(backend.create(key, b"%d" % number))
        except LdbError as error:
            outcomes.append(error)

    threads = [Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in outcomes:
        if isinstance(each, LdbError):
            raise each
    if outcomes.count(Outcome.CREATED) != 1:
        return "lets several writers create one name (it looks first and writes then)"
    return ""
