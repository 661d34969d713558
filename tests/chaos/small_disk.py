"""Commands on a disk that is full, or mounted read-only; run it in a mount namespace.

    unshare --mount python -m tests.chaos.small_disk DISK DATA full|limited|readonly

DISK is an empty folder, DATA one with data files. `full` mounts a small file system there
and runs each command again and again, each time with one more page left on it, until it
succeeds; `limited` does the same without a mount, by the size that files may have. Prints
a JSON list of what was found.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ldb.backends.local import LocalBackend
from ldb.cli.main import main as ldb
from ldb.cli.table import TABLE
from ldb.porcelain.fsck import fsck

PAGE = 4096
DISK_BYTES = 4 * 1024 * 1024

WRITING = (
    "index {data}",
    "stage ds:cats {disk}/cats",
    "-C {disk}/cats add ds:root",
    "-C {disk}/cats commit -m all",
    "ds rename ds:cats ds:tigers",
)
REFUSED = (
    "index {data}",
    "stage -f ds:cats {disk}/cats",
    "stage ds:dogs {disk}/dogs",
    "-C {disk}/cats add ds:root",
    "-C {disk}/cats commit -m all",
    "ds rename ds:cats ds:tigers",
    "ds del ds:cats",
    "init -f {disk}/instance",
)
"""On a read-only disk."""

READING = (
    "list ds:root",
    "-C {disk}/cats status",
    "-C {disk}/cats list",
    "-C {disk}/cats diff",
    "log ds:root",
    "ds list",
    "storage list",
    "eval ds:cats --show n",
    "fsck",
)


@dataclass
class Attempt:
    """One run of a command."""

    command: str
    code: int
    out: str
    err: str
    lost: list[str] = field(default_factory=list)
    """Files of the instance that were there before and are gone or changed."""
    left: list[str] = field(default_factory=list)
    """Temporary files that it left."""
    problems: list[str] = field(default_factory=list)
    workspace_kept: bool = True
    """Whether the draft is the same as before, or the command succeeded."""


class Disk:
    def __init__(self, root: Path, data: Path) -> None:
        self.root = root
        self.data = data
        self.instance = root / "instance"
        self.filler = root / "filler"

    def args(self, command: str) -> list[str]:
        return [each.format(disk=self.root, data=self.data) for each in command.split()]

    def must(self, command: str) -> None:
        done = self.run(command)
        assert done.code == 0, done

    def run(self, command: str, limit: int | None = None) -> Attempt:
        # Pipes and not files, which the limit would be for as well.
        ends = [os.pipe(), os.pipe()]
        child = os.fork()
        if not child:
            for number, (_, writer) in enumerate(ends, start=1):
                os.dup2(writer, number)
            self._become(self.args(command), limit)
        said = []
        for reader, writer in ends:
            os.close(writer)
            with open(reader, encoding="utf-8") as stream:
                said.append(stream.read())
        _, status = os.waitpid(child, 0)
        return Attempt(command, os.waitstatus_to_exitcode(status), said[0], said[1])

    def _become(self, args: Sequence[str], limit: int | None) -> None:
        os.environ["HOME"] = str(self.data.parent / "home")
        os.environ["LDB_DIR"] = str(self.instance)
        sys.stdout, sys.stderr = (open(fd, "w", encoding="utf-8") for fd in (1, 2))  # noqa: SIM115
        code = 70
        try:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            code = ldb(args)
        except BaseException:  # noqa: BLE001  (what a user would see as a traceback)
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def attempt(self, command: str, limit: int | None = None) -> Attempt:
        """Run a command that may fail, and look at what it left."""
        before, draft = self.files(), self.draft()
        done = self.run(command, limit)
        if self.filler.exists():
            self.filler.unlink()
        after = self.files()
        done.lost = [name for name, data in before.items() if after.get(name) != data]
        done.left = [name for name in after.keys() - before.keys() if name.startswith("tmp")]
        done.left += [str(path) for path in self.root.glob("*/.ldb_workspace/.state-*")]
        workspace = str(self.root / "cats") if draft else None
        report = fsck(LocalBackend(self.instance), workspace)
        done.problems = [str(each) for each in report.problems]
        done.workspace_kept = done.code == 0 or self.draft() == draft
        return done

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.instance.rglob("*") if path.is_file())
        return {str(path.relative_to(self.instance)): path.read_bytes() for path in found}

    def draft(self) -> bytes:
        path = self.root / "cats" / ".ldb_workspace" / "state"
        return path.read_bytes() if path.exists() else b""

    def leave(self, free: int) -> None:
        """Fill the file system up to so many bytes."""
        with open(self.filler, "wb") as file:
            size = shutil.disk_usage(self.root).free - free
            os.posix_fallocate(file.fileno(), 0, size)


def mount(root: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(root)], check=True)


def prepare(disk: Disk) -> None:
    disk.must("init {disk}/instance")
    disk.must("add-storage {data}")


def full(disk: Disk) -> Iterator[Attempt]:
    mount(disk.root, f"size={DISK_BYTES}")
    prepare(disk)
    for command in WRITING:
        for pages in range(1000):
            disk.leave(pages * PAGE)
            done = disk.attempt(command)
            yield done
            if done.code == 0:
                break


def limited(disk: Disk) -> Iterator[Attempt]:
    prepare(disk)
    for command in WRITING:
        limit = 0
        while limit < DISK_BYTES:
            done = disk.attempt(command, limit)
            yield done
            if done.code == 0:
                break
            limit = limit * 3 // 2 + 64


def readonly(disk: Disk) -> Iterator[Attempt]:
    mount(disk.root, f"size={DISK_BYTES}")
    prepare(disk)
    for command in WRITING[:-1]:
        disk.must(command)
    disk.must("-C {disk}/cats del --limit 2")
    mount(disk.root, "remount,ro")
    for command in READING + REFUSED:
        yield disk.attempt(command)


def main(root: str, data: str, trouble: str) -> None:
    for row in TABLE:
        import_module(row.module)
    kinds: dict[str, Any] = {"full": full, "limited": limited, "readonly": readonly}
    attempts = kinds[trouble](Disk(Path(root), Path(data)))
    json.dump([asdict(each) for each in attempts], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
