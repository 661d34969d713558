"""`ldb ls-map`."""

from __future__ import annotations

import pytest

from ldb.objects.codec import encode
from ldb.objects.model import Blob, BlobType
from tests.cli.plumbing.conftest import NONE, Run, object_id, stored

TAIL = "\t" + "\t".join(["ab" * 32, "01" * 8, "02" * 8, "00" * 16, "01"])
URIS = [
    "file:///a/b",
    "file:///a/bc",
    "file:///a/b/c",
    "file:///a/b/d/e",
    "file:///a/bb/c",
    "s3://x/y",
]


@pytest.fixture
def paths(run: Run) -> str:
    """A map of paths; its root."""
    text = "".join(f"{uri}{TAIL}\n" for uri in URIS)
    return run("mk-map", "-t", "paths", stdin=text).text


def test_rows(run: Run) -> None:
    note = run.note(1)
    ids = sorted(object_id(str(number)) for number in range(500))
    root = run.dataset(dict.fromkeys(ids, note))
    expected = [f"{key}\t{note}\t{NONE}" for key in ids]
    assert run("ls-map", root).lines == expected
    assert run("ls-map", "-z", root).raw == "".join(f"{line}\0" for line in expected).encode()
    value = run("ls-map", "--json", root).values[7]
    assert value == {"key": ids[7], "annotation": note, "transforms": NONE}
    assert run("ls-map", run.dataset({})).out == ""


def test_names_that_stand_for_maps(run: Run) -> None:
    oid = run.save("cats", {object_id("a"): run.note(1)})
    shown = run("ls-map", "ds:cats:dataset").out
    assert run("ls-map", "ds:cats").out == run("ls-map", oid[:7]).out == shown != ""


@pytest.mark.parametrize("length", [1, 2, 3, 4, 31, 32])
def test_prefix_of_ids(run: Run, length: int) -> None:
    note = run.note(1)
    ids = [object_id(str(n)) for n in range(400)] + ["f" * 32, "0" * 32, "f" * 31 + "0"]
    root = run.dataset(dict.fromkeys(ids, note))
    for prefix in ("f" * length, "0" * length, ids[3][:length].upper()):
        found = [line.split("\t")[0] for line in run("ls-map", root, "--prefix", prefix).lines]
        assert found == sorted(each for each in ids if each.startswith(prefix.lower()))
    assert run("ls-map", root, "--prefix", "f" * 40).out == ""
    for wrong in ("g", "é", "\0", "file:///"):
        run("ls-map", root, "--prefix", wrong, code=2)


@pytest.mark.parametrize(
    "prefix",
    ["f", "file:///a", "file:///a/", "file:///a/b", "file:///a/b/", "file:///a/b/c", "s3://x/y",
     "x", "é", "\udcff"],
)  # fmt: skip
def test_prefix_of_paths(run: Run, paths: str, prefix: str) -> None:
    found = [line.split("\t")[0] for line in run("ls-map", paths, "--prefix", prefix).lines]
    assert sorted(found) == sorted(uri for uri in URIS if uri.startswith(prefix))


def test_files_of_a_folder_lie_together(run: Run, paths: str) -> None:
    found = [line.split("\t")[0] for line in run("ls-map", paths).lines]
    assert found == [URIS[0], URIS[1], URIS[2], URIS[3], URIS[4], URIS[5]]


def test_schema(run: Run, paths: str) -> None:
    assert run("ls-map", "--schema", paths).text == (
        "paths\tkey:0\tcontent:32\tsize:8\tmtime:8\tstamp:16\tkind:1"
    )
    root = run.dataset({})
    assert run("ls-map", "--schema", root, "--json").values == [
        {"schema": "dataset", "columns": {"key": 16, "annotation": 32, "transforms": 32}}
    ]


def test_no_map(run: Run) -> None:
    assert "annotation, not map" in run("ls-map", run.note(1), code=2).err
    run("ls-map", "ds:cats", code=3)
    run("ls-map", "12345", code=2)
    node = {"fields": [b"", b""], "keys": b"", "level": 0, "schema": "none"}
    assert "schema" in run("ls-map", stored(run, Blob(BlobType.MAP, encode(node))), code=5).err
    run("ls-map", stored(run, Blob(BlobType.MAP, b"junk")), code=5)
    node["schema"], node["keys"] = "dataset", b"short"
    run("ls-map", stored(run, Blob(BlobType.MAP, encode(node))), code=5)


def test_commit_with_several_maps(run: Run) -> None:
    objects, paths = (run("mk-map", "-t", name).text for name in ("objects", "paths"))
    maps = ("--map", f"objects={objects}", "--map", f"paths={paths}")
    oid = run("commit-map", "--name", "root", *maps).text
    assert f"{oid}:objects" in run("ls-map", oid, code=2).err
    assert run("ls-map", f"{oid}:objects").out == ""
