"""Fixtures for plumbing: commands run in this process on an instance held in memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ldb import instance as instances
from ldb.backends.opening import open_backend
from ldb.cli.main import main
from ldb.instance import Instance
from ldb.objects.model import Blob

NONE = "0" * 64
"""The oid that is none."""
TIME = 1767225600000
_fresh = itertools.count()


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode("utf-8", "surrogateescape")

    @property
    def text(self) -> str:
        """The one line of stdout, without its end."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, self.out
        return self.out[:-1]

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def values(self) -> list[Any]:
        """What `--json` printed."""
        return [json.loads(line) for line in self.lines]


class Run:
    """`run("cat-file", …)` runs a command that is expected to end with `code` (None: any)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, url: str = "") -> None:
        self._monkeypatch = monkeypatch
        if not url:
            url = f"memory://plumbing-{os.getpid()}-{next(_fresh)}"
            instances.create(open_backend(url))
        self.url = url

    @property
    def instance(self) -> Instance:
        """The instance, opened anew."""
        return instances.open_instance(open_backend(self.url))

    def __call__(self, *args: str, stdin: bytes | str = b"", code: int | None = 0) -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            found = main(["--instance", self.url, *args])
        result = Result(found, _bytes(out), _bytes(err).decode())
        assert code in (None, found), f"exit code {found}: {result.err}{result.out[:500]}"
        return result

    def note(self, value: object) -> str:
        """Store an annotation; its oid."""
        return self("hash-object", "-w", "--stdin", stdin=json.dumps(value)).text

    def dataset(self, rows: Mapping[str, str]) -> str:
        """Store a dataset map of ids and annotation oids; its root."""
        text = "".join(f"{key}\t{note}\t{NONE}\n" for key, note in rows.items())
        return self("mk-map", "-t", "dataset", stdin=text).text

    def commit(self, name: str, rows: Mapping[str, str], *parents: str, time: int = TIME) -> str:
        """Store a commit of a dataset map; its oid."""
        options = [word for parent in parents for word in ("-p", parent)]
        root = self.dataset(rows)
        fixed = ("--time", str(time), "--author", "Ann")
        return self("commit-map", "--name", name, "--map", f"dataset={root}", *options, *fixed).text

    def save(self, name: str, rows: Mapping[str, str], *parents: str, time: int = TIME) -> str:
        """Make a version of a dataset; the oid of its commit."""
        oid = self.commit(name, rows, *parents, time=time)
        self("update-ref", f"ds:{name}", oid)
        return oid


def _bytes(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def object_id(name: str) -> str:
    """The id of a data object that holds these characters."""
    return hashlib.md5(name.encode()).hexdigest()


def stored(run: Run, blob: Blob) -> str:
    """Store a blob as it is, whatever it holds."""
    return str(run.instance.objects.put(blob))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands on a new, empty instance."""
    return Run(monkeypatch)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same on another one."""
    return Run(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty working folder."""
    before = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
