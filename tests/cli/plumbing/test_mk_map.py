"""`ldb mk-map`."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb import instance as instances
from ldb.backends.memory import MemoryBackend
from ldb.ids import NO_OID, Oid
from ldb.instance import Instance
from ldb.maps import build
from ldb.objects.model import BlobType
from ldb.porcelain.plumbing import mk_map as module
from ldb.porcelain.plumbing.maps import ls_map, schema_named
from ldb.porcelain.plumbing.mk_map import mk_map
from ldb.porcelain.plumbing.rowtext import block
from tests.cli.plumbing.conftest import NONE, Run, object_id
from tests.cli.plumbing.test_ls_map import TAIL

ID = object_id("a")
ROW = f"{ID}\t{'12' * 32}\t{NONE}\n"


class Sink:
    """Takes nodes and forgets them."""

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid:
        assert oid is not None
        return oid


def test_any_order_gives_one_root(run: Run) -> None:
    note = run.note(1)
    lines = [f"{object_id(str(number))}\t{note}\t{NONE}\n" for number in range(3000)]
    root = run("mk-map", "-t", "dataset", stdin="".join(sorted(lines))).text
    random.Random(1).shuffle(lines)
    assert run("mk-map", "-t", "dataset", stdin="".join(lines)).text == root
    assert run("mk-map", "-t", "dataset", stdin="".join(lines).upper().strip()).text == root
    zeros = "".join(lines).replace("\n", "\0")
    assert run("mk-map", "-z", "-t", "dataset", stdin=zeros).text == root
    assert run("mk-map", "--json", "-t", "dataset", stdin="".join(lines)).values == [
        {"root": root, "count": 3000}
    ]
    schema = schema_named(run.instance, "dataset")
    rows = {bytes.fromhex(line[:32]): (bytes.fromhex(note), NO_OID) for line in lines}
    assert str(build(Sink(), schema, [schema.rows(rows)]).oid) == root


def test_several_batches(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    note = run.note(1)
    lines = [f"{object_id(str(number))}\t{note}\t{NONE}\n" for number in range(500)]
    root = run("mk-map", "-t", "dataset", stdin="".join(lines)).text
    paths = [f"file:///{number * 7919 % 500}/x{TAIL}\n" for number in range(500)]
    tree = run("mk-map", "-t", "paths", stdin="".join(paths)).text
    monkeypatch.setattr(module, "LINES", 64)
    monkeypatch.setattr(module, "PATH_LINES", 64)
    monkeypatch.setattr(module, "MEMORY", 8192)
    assert run("mk-map", "-t", "dataset", stdin="".join(lines)).text == root
    assert run("mk-map", "-t", "paths", stdin="".join(paths)).text == tree
    assert "line 300" in run("mk-map", "-t", "dataset", stdin=_spoilt(lines, 300), code=2).err
    assert "line 300" in run("mk-map", "-t", "paths", stdin=_spoilt(paths, 300), code=2).err
    twice = "".join([*paths, paths[0]])
    assert "lines 1 and 501" in run("mk-map", "-t", "paths", stdin=twice, code=2).err
    twice = "".join([*lines, lines[80]])
    assert "lines 81 and 501" in run("mk-map", "-t", "dataset", stdin=twice, code=2).err


def _spoilt(lines: list[str], number: int) -> str:
    return "".join([*lines[: number - 1], "x" + lines[number - 1][1:-2] + "x\n", *lines[number:]])


def test_empty(run: Run) -> None:
    roots = {run("mk-map", "-t", name).text for name in ("dataset", "objects", "paths")}
    assert len(roots) == 3
    assert [run("ls-map", root).out for root in roots] == [""] * 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n", "line 1"),
        (ROW + "\n", "line 2"),
        (ROW[:-2], "line 1: transforms is not 64 hex digits"),
        (ROW + ROW[:5], "line 2"),
        (ROW.replace("\n", "\r\n"), "line 1: transforms"),
        (ROW.replace("\t", " "), "1 columns where 3"),
        ("é" * 163, "line 1"),
        (ROW[:10] + "  " + ROW[12:], "line 1: key"),
        (ROW[:10] + "g" + ROW[11:], "line 1: key"),
        (ROW + ROW, "lines 1 and 2: both have the key " + ID),
        (ROW + ROW.replace("12", "13"), "both have the key"),
        ("\0" * 163, "line 1"),
        ("a" * 300_000, "line 1"),
        (bytes(range(256)) * 50, "line 1"),
        (ROW.replace("\n", "\0"), "line 1"),
    ],
)
def test_bad_rows(run: Run, text: bytes | str, says: str) -> None:
    assert says in run("mk-map", "-t", "dataset", "--missing", stdin=text, code=2).err
    assert run("cat-file", "--batch-check", "--all").out == ""


def test_blobs_must_be_there(run: Run) -> None:
    lost = run("mk-map", "-t", "dataset", stdin=ROW, code=3)
    assert "annotation not found" in lost.err
    assert "line 1" in lost.err
    note = run.note(1)
    row = f"{ID}\t{note}\t{'34' * 32}\n"
    assert "transforms" in run("mk-map", "-t", "dataset", stdin=row, code=3).err
    run("mk-map", "-t", "dataset", "--missing", stdin=row)
    run("mk-map", "-t", "dataset", stdin=f"{ID}\t{NONE}\t{NONE}\n")
    zeros = run("mk-map", "-t", "objects", stdin=f"{ID}\t{NONE}\t{NONE}\n", code=2)
    assert "record is zeros" in zeros.err


def test_paths(run: Run) -> None:
    odd = ["file:///a/b c", r"file:///a/x\x0ay", r"file:///tab\x09/\x5cend", "s3://ü/\x80"]
    text = "".join(f"{uri}{TAIL}\n" for uri in odd)
    root = run("mk-map", "-t", "paths", stdin=text).text
    shown = run("ls-map", root).out
    assert sorted(shown.splitlines()) == sorted(text.splitlines())
    assert run("mk-map", "-t", "paths", stdin=shown).text == root
    raw = run("ls-map", "-z", root).raw
    assert b"file:///a/x\ny\t" in raw
    assert run("mk-map", "-z", "-t", "paths", stdin=raw).text == root
    assert "file:///a/x\ny" in [row["key"] for row in run("ls-map", "--json", root).values]


def test_paths_that_are_not_text(run: Run) -> None:
    root = run("mk-map", "-t", "paths", stdin=b"file:///\xff\xfe" + TAIL.encode()).text
    assert run("ls-map", root).raw.startswith(b"file:///\xff\xfe\t")
    assert run("ls-map", root, "--prefix", "file:///\udcff").raw != b""
    assert run("ls-map", "--json", root).values[0]["key"] == "file:///\udcff\udcfe"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n", "line 1"),
        (f"nowhere{TAIL}\n", "not a URI"),
        (f"{TAIL}\n", "not a URI"),
        (f"file:///a\n{TAIL}\n", "line 1"),
        (f"file:///a{TAIL}0\n", "line 1"),
        (f"file:///a{TAIL[:-1]}g\n", "kind is not 2 hex digits"),
        (f"file:///a\\{TAIL}\n", "backslash"),
        (f"file:///a\\x00b{TAIL}\n", "zero byte"),
        (f"file:///a\0b{TAIL}\n", "zero byte"),
        ("file:///" + "a" * 5000 + TAIL, "longer than 4096"),
        ("a" * 3_000_000, "line 1: longer than"),
        (f"file:///a{TAIL}\n" * 2, "lines 1 and 2: both have the key file:///a"),
        (bytes(range(256)) * 20, "line 1"),
    ],
)
def test_bad_paths(run: Run, text: bytes | str, says: str) -> None:
    assert says in run("mk-map", "-t", "paths", stdin=text, code=2).err
    assert run("cat-file", "--batch-check", "--all").out == ""


def test_usage(run: Run) -> None:
    run("mk-map", code=2)
    run("mk-map", "-t", "tree", code=2)


URI = st.builds(
    lambda folders, name: b"/".join([b"file://", *folders, name]),
    st.lists(
        st.binary(min_size=1, max_size=3).map(
            lambda raw: raw.replace(b"/", b"-").replace(b"\0", b"0")
        )
    ),
    st.binary(min_size=1, max_size=3).map(lambda raw: raw.replace(b"/", b"-").replace(b"\0", b"0")),
)


@settings(max_examples=40)
@given(st.lists(URI, unique=True, max_size=30), st.sampled_from([b"\n", b"\0"]))
def test_text_and_back(uris: list[bytes], end: bytes) -> None:
    instance: Instance = instances.create(MemoryBackend())
    schema = schema_named(instance, "paths")
    plain = b"".join(uri + TAIL.encode() + b"\0" for uri in uris)
    root = mk_map(instance, schema, io.BytesIO(plain), end=b"\0")
    text = b"".join(block(schema, rows, end) for rows in ls_map(instance, schema, root.oid))
    assert text.count(end) == len(uris)
    assert mk_map(instance, schema, io.BytesIO(text), end=end) == root
