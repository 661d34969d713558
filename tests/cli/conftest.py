"""Fixtures for the command line: `ldb(...)` runs a command in this process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from ldb.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Ldb(Protocol):
    """Runs `ldb` with these arguments."""

    def __call__(self, *args: str, stdin: str = "") -> Result: ...


@pytest.fixture
def ldb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ldb]:
    """Run commands through the real entry point, in an empty working folder."""
    work = tmp_path / "work"
    work.mkdir()
    before = os.getcwd()
    os.chdir(work)

    def run(*args: str, stdin: str = "") -> Result:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(args))
        return Result(code, _text(out), _text(err))

    yield run
    os.chdir(before)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8", "surrogateescape")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment for `python -m ldb.cli.main` in a process of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
