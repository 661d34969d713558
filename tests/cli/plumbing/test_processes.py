"""Plumbing in processes of its own, joined by pipes as scripts join them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ldb import instance as instances
from ldb.backends.local import LocalBackend
from ldb.instance import Instance
from tests.cli.plumbing.conftest import NONE, object_id


def command(folder: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "ldb.cli.main", "--instance", str(folder), *args]


def test_pack_through_a_pipe(
    instance: Instance, tmp_path: Path, environment: dict[str, str]
) -> None:
    here, there = tmp_path / "instance", tmp_path / "there"
    instances.create(LocalBackend(there))
    oid = subprocess.run(
        command(here, "hash-object", "-w", "--stdin"),
        input=b'"\xc3\xbc"',
        capture_output=True,
        check=True,
        env=environment,
    ).stdout
    with subprocess.Popen(
        command(here, "pack-objects", "--stdout"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as sender:
        assert sender.stdin is not None
        sender.stdin.write(oid)
        sender.stdin.close()
        words = command(there, "unpack-objects", "-q")
        subprocess.run(words, stdin=sender.stdout, check=True, env=environment)
    shown = subprocess.run(
        command(there, "cat-file", "-p", oid.decode().strip()),
        capture_output=True,
        check=True,
        env=environment,
    )
    assert shown.stdout == '"ü"\n'.encode()


def test_reader_that_goes_away(
    instance: Instance, tmp_path: Path, environment: dict[str, str]
) -> None:
    rows = "".join(f"{object_id(str(number))}\t{NONE}\t{NONE}\n" for number in range(60_000))
    here = tmp_path / "instance"
    made = subprocess.run(
        command(here, "mk-map", "-t", "dataset"),
        input=rows.encode(),
        capture_output=True,
        check=True,
        env=environment,
    )
    with subprocess.Popen(
        command(here, "ls-map", made.stdout.decode().strip()),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        assert len(listing.stdout.readline()) == 163
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 1


@pytest.mark.parametrize("line", [("hash-object", "--stdin"), ("mk-map", "-t", "dataset")])
def test_closed_stdin(
    instance: Instance, tmp_path: Path, environment: dict[str, str], line: tuple[str, ...]
) -> None:
    """It is no empty one, of which a map could be made."""
    words = command(tmp_path / "instance", *line)
    script = 'exec "$@" <&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *words], capture_output=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert b"is closed" in done.stderr
