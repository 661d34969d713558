"""The same as `killed_command.py` for an instance in a bucket, stopped at every call of the store.

    python -m tests.chaos.killed_in_bucket BASE SCENARIO SIGNAL SCHEME PORT BUCKET

Points are before every call of the bucket's client, after every one that writes, and amid a
delete of many. `KILL` ends the command there. `STOP` holds it, lets gc take away all that nobody
needs as far as it can tell, from another machine and without any grace period, and lets the
command go on. What it needs is then partly garbage that it relies on, left by one that was killed
right before its ref.

The driver has no threads, so that it can fork; all that asks the bucket is asked in a child.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ldb.backends.base import Backend
from ldb.backends.opening import open_backend
from ldb.clouds import opening
from ldb.clouds.base import Client
from tests.chaos.killed_command import COMMANDS, SETUP, Ground, Stopper, run_trials, stand_still
from tests.clouds.buckets import Bucket
from tests.clouds.servers import Server

READS = ("get", "get_many", "stream", "head", "list", "list_parallel", "folders")
WRITES = ("create", "put", "delete")
PREFIX = "team/ldb"
GC = ["gc", "--prune", "--alone"]

SETUP["instantiate"] = SETUP["rename"]
COMMANDS["instantiate"] = "-C cats instantiate"

_open_client = opening.open_client
_stopper: list[ClientStopper] = []


class ClientStopper(Stopper):
    """Counts calls of clients."""

    def install(self) -> None:
        _stopper.append(self)
        opening.open_client = stopping_client


def stopping_client(url: str, options: Mapping[str, Any] | None = None) -> Client:
    """What backends open; by name, for workers, which start afresh and are not stopped."""
    client = _open_client(url, options)
    return _Stopping(client, _stopper[0]) if _stopper else client


class _Stopping:
    def __init__(self, client: Client, stopper: Stopper) -> None:
        self._client, self._stopper = client, stopper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in READS + WRITES:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            about = f"{name} {args[0] if args and isinstance(args[0], str) else ''}"
            self._stopper.point(f"before {about}")
            answer = found(*args, **kwargs)
            if name in WRITES:
                self._stopper.point(f"after {about}")
            return answer

        return call

    def delete(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        self._stopper.point("before delete")
        if len(wanted) > 1:
            self._client.delete(wanted[: len(wanted) // 2])
            self._stopper.point("amid delete")
        self._client.delete(wanted)
        self._stopper.point("after delete")


class BucketGround(Ground):
    """Trials on an instance in a bucket, which is made as it was for each."""

    stopper = ClientStopper

    def __init__(self, base: Path, scenario: str, bucket: Bucket) -> None:
        self.bucket = bucket
        self._values: dict[str, bytes] = {}
        os.environ.update(bucket.environ)
        super().__init__(base, scenario)

    @property
    def instance(self) -> str:
        return f"{self.bucket.url}/{PREFIX}"

    def keep(self) -> None:
        self._values = self.files()
        super().keep()

    def restore(self) -> None:
        super().restore()
        there = self.files()
        for name in there.keys() - self._values.keys():
            self.bucket.raw.delete(f"{PREFIX}/{name}")
        for name, data in self._values.items():
            if there.get(name) != data:
                self.bucket.raw.put(f"{PREFIX}/{name}", data)

    def files(self) -> dict[str, bytes]:
        raw = self.bucket.raw
        keys = raw.list(f"{PREFIX}/")
        return {key[len(PREFIX) + 1 :]: raw.get(key) for key in keys}

    def backend(self) -> Backend:
        return open_backend(self.instance)

    def problems(self) -> tuple[list[str], list[str], int]:
        return tuple(asked(super().problems))

    def roots(self) -> dict[str, Any]:
        found: dict[str, Any] = asked(super().roots)
        return found


def asked(look: Callable[[], Any]) -> Any:
    """What a function finds in a child, by way of JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        with open(writer, "w") as pipe:
            json.dump(look(), pipe)
            pipe.flush()
            os._exit(0)
    os.close(writer)
    with open(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said)


class SleptGround(BucketGround):
    """The command has been killed once before its ref, and sleeps while gc is at work."""

    def keep(self) -> None:
        args = self.args(COMMANDS[self.scenario])
        home = self.work / "home"
        shutil.copytree(home, self.base / "home before")
        for at in range(100):
            _, _, stopped = self.run(args, at)
            if stopped.startswith("before create") and "/refs/" in stopped:
                break
        else:
            raise AssertionError("it makes no ref")
        super().keep()

    def meanwhile(self) -> None:
        code, said, _ = self.run(GC)
        assert code == 0, said


def main(base: str, scenario: str, kind: str, scheme: str, port: str, name: str) -> None:
    stand_still()
    os.environ["TMPDIR"] = base  # what killed commands leave there goes with the test
    ground = BucketGround if kind == "KILL" else SleptGround
    bucket = Bucket(scheme, Server("", int(port), 0), name)
    run_trials(ground(Path(base), scenario, bucket), signal.Signals[f"SIG{kind}"])


if __name__ == "__main__":
    main(*sys.argv[1:])
