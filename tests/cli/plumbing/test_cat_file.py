"""`ldb cat-file`."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldb.objects.codec import encode
from ldb.objects.loose import loose_key, pack_loose
from ldb.objects.model import Blob, BlobType
from tests.cli.conftest import ROOT
from tests.cli.plumbing.conftest import NONE, Run, object_id, stored


def test_type_size_value(run: Run) -> None:
    oid = run.note({"class": "cat", "ü": [1, 1.5, None]})
    assert run("cat-file", "-t", oid).text == "annotation"
    assert run("cat-file", "-s", oid).text == str(len(run("cat-file", "--raw", oid).raw))
    assert json.loads(run("cat-file", "-p", oid).out) == {"class": "cat", "ü": [1, 1.5, None]}
    assert run("cat-file", "-e", oid).out == ""
    assert run("cat-file", "-p", oid[:6].upper()).out == run("cat-file", "-p", oid).out
    record = run("cat-file", "-p", "--json", oid).values[0]
    assert list(record) == ["oid", "type", "size", "value"]
    assert "value" not in run("cat-file", "-t", "--json", oid).values[0]


def test_names(run: Run) -> None:
    oid = run.save("cats", {object_id("a"): run.note(1)})
    assert run("cat-file", "-t", "ds:cats").text == "commit"
    assert run("cat-file", "-t", "ds:cats:dataset").text == "map"
    shown = json.loads(run("cat-file", "-p", oid).out)
    assert shown["maps"]["dataset"] == {
        "count": 1,
        "root": run("rev-parse", "ds:cats:dataset").text,
    }


def test_nodes(run: Run) -> None:
    note = run.note(1)
    root = run.dataset({object_id(str(n)): note for n in range(600)})
    rows = [line.split("\t") for line in run("cat-file", "-p", root).lines]
    assert all(len(row) == 3 for row in rows)
    assert sum(int(count) for _, _, count in rows) == 600
    assert rows[-1][0] == max(object_id(str(n)) for n in range(600))
    leaf = run("cat-file", "-p", rows[0][1]).lines
    assert len(leaf) == int(rows[0][2])
    assert leaf[0].endswith(f"\t{note}\t{NONE}")


def test_missing_and_wrong(run: Run) -> None:
    oid = run.note(1)
    run("cat-file", "-e", "123456", code=3)
    assert run("cat-file", "-e", NONE, code=3).err == ""
    assert "not found" in run("cat-file", "-t", NONE, code=3).err
    for name in ("", "12345", "zzzzzz", oid + "00", "a\0b", "-" * 3, "é" * 9):
        run("cat-file", "-t", "--", name, code=2)
    run("cat-file", oid, code=2)
    run("cat-file", "-t", code=2)
    run("cat-file", "--batch", oid, code=2)
    run("cat-file", "-p", "--all", oid, code=2)


def test_ambiguous_prefix(run: Run) -> None:
    pair = _same_prefix()
    oids = [stored(run, blob) for blob in pair]
    prefix = oids[0][:6]
    wrong = run("cat-file", "-t", prefix, code=3)
    assert all(oid in wrong.err for oid in oids)
    assert run("cat-file", "--batch-check", stdin=prefix).out == f"{prefix} ambiguous\n"
    assert run("cat-file", "-t", oids[0][:12]).text == "annotation"


def _same_prefix() -> tuple[Blob, Blob]:
    """Two blobs whose oids begin with the same six digits."""
    seen: dict[str, Blob] = {}
    for number in itertools.count():  # of 24 bits, some 5,000 are enough
        blob = Blob(BlobType.ANNOTATION, encode(number))
        other = seen.setdefault(blob.oid.hex()[:6], blob)
        if other is not blob:
            return other, blob
    raise AssertionError


def test_damaged(run: Run) -> None:
    blob, other = (Blob(BlobType.ANNOTATION, encode(text)) for text in ("one", "two"))
    run.instance.backend.create(loose_key(blob.oid), pack_loose(other))
    for mode in ("-t", "-p", "-e", "--raw"):
        assert "corrupt" in run("cat-file", mode, str(blob.oid), code=5).err
    run("cat-file", "--batch-check", stdin=str(blob.oid), code=5)


def test_not_canonical_inside(run: Run) -> None:
    oid = stored(run, Blob(BlobType.ANNOTATION, b"\xff\xff"))
    assert run("cat-file", "-s", oid).text == "2"
    run("cat-file", "-p", oid, code=5)


def test_batch(run: Run) -> None:
    oid = run.note({"a": 1})
    payload = encode({"a": 1})
    asked = f"{oid}\n\n{oid[:8]} and more\nds:cats\nx\r\n"
    head = b"%s annotation %d\n" % (oid.encode(), len(payload))
    end = b"ds:cats missing\nx missing\n"
    assert run("cat-file", "--batch", stdin=asked).raw == (head + payload + b"\n") * 2 + end
    assert run("cat-file", "--batch-check", stdin=asked).raw == head * 2 + end
    assert run("cat-file", "--batch-check", "--buffer", stdin=asked).raw == head * 2 + end
    assert run("cat-file", "--batch").raw == b""
    values = run("cat-file", "--batch", "--json", stdin=asked).values
    assert values[0] == {"oid": oid, "type": "annotation", "size": len(payload), "value": {"a": 1}}
    assert values[2] == {"name": "ds:cats", "error": "missing"}


def test_batch_all(run: Run) -> None:
    oids = {run.note(number) for number in range(5)} | {run("mk-map", "-t", "paths").text}
    lines = run("cat-file", "--batch-check", "--all").lines
    assert {line.split()[0] for line in lines} == oids
    assert len(lines) == 6


@pytest.mark.parametrize("junk", [b"\0\xff\x80\n", b"a" * 3000, "ü\n".encode()])
def test_batch_junk(run: Run, junk: bytes) -> None:
    assert run("cat-file", "--batch-check", stdin=junk).raw.endswith(b" missing\n")


def test_batch_huge_line(run: Run) -> None:
    assert "longer than" in run("cat-file", "--batch-check", stdin=b"a" * 100_000, code=2).err


def test_answers_at_once(instance: object, tmp_path: Path) -> None:
    """A script may ask, wait for the answer, and ask again."""
    words = [sys.executable, "-m", "ldb.cli.main", "--instance", str(tmp_path / "instance")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*words, "cat-file", "--batch-check"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for word in (b"one", b"two"):
            asked.stdin.write(word + b"\n")
            asked.stdin.flush()
            assert asked.stdout.readline() == word + b" missing\n"
        asked.stdin.close()
    assert asked.returncode == 0
