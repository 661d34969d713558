"""One of many processes that create the same keys, or that read them all the while.

    python -m tests.chaos.racing_create ROOT KEYS WRITER     writes, as WRITER (a number)
    python -m tests.chaos.racing_create ROOT KEYS reader     reads until every key is there

Prints `ready` and waits for a line on stdin: the time at which all go for key 0; key n's
turn is n `TURN`s later, so that each key has its race. A writer prints the keys that it
won; whoever sees a value that no writer wrote whole ends with an error.
"""

from __future__ import annotations

import hashlib
import sys
import time

from ldb.backends.base import Outcome
from ldb.backends.local import LocalBackend
from ldb.errors import NotFound

TURN = 0.008
"""Seconds."""


def value_of(writer: int, number: int) -> bytes:
    """Bytes that tell who wrote them, and whether all of them are there."""
    body = f"{writer} {number} ".encode() * (100 + 997 * (number % 5))
    return hashlib.sha256(body).digest() + body


def check(value: bytes) -> None:
    digest, body = value[:32], value[32:]
    if not body or hashlib.sha256(body).digest() != digest:
        raise SystemExit(f"a partial value of {len(value)} bytes was seen")


def key_of(number: int) -> str:
    return f"refs/race/{number % 7}/{number}"


def write(backend: LocalBackend, keys: int, writer: int, start: float) -> None:
    for number in range(keys):
        time.sleep(max(0, start + number * TURN - time.time()))
        outcome = backend.create(key_of(number), value_of(writer, number))
        check(bytes(backend.read(key_of(number))))
        if outcome is Outcome.CREATED:
            sys.stdout.write(f"{number}\n")


def read(backend: LocalBackend, keys: int) -> None:
    missing = list(range(keys))
    while missing:
        number = missing.pop(0)
        try:
            check(bytes(backend.read(key_of(number))))
        except NotFound:
            missing.append(number)
    sizes = [entry.size for entry in backend.list("refs/")]
    assert len(sizes) == keys


def main(root: str, keys: str, role: str) -> None:
    backend = LocalBackend(root)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    start = float(sys.stdin.readline())
    if role == "reader":
        read(backend, int(keys))
    else:
        write(backend, int(keys), int(role), start)


if __name__ == "__main__":
    main(*sys.argv[1:])
