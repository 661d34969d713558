"""`ldb rev-list`."""

from __future__ import annotations

import json

from ldb.catalog import Record, encode_record
from ldb.ids import Oid
from ldb.instance import Location, add_location
from ldb.objects.model import Blob, BlobType
from tests.cli.plumbing.conftest import NONE, Run, object_id, stored


def test_newest_first(run: Run) -> None:
    note = run.note(1)
    one = run.save("cats", {}, time=1)
    two = run.save("cats", {object_id("a"): note}, one, time=2)
    side = run.save("dogs", {object_id("b"): note}, one, time=3)
    both = run.save("cats", {object_id("a"): note, object_id("b"): note}, two, side, time=4)
    assert run("rev-list", "ds:cats").lines == [both, side, two, one]
    assert run("rev-list", "ds:cats", "ds:dogs", both[:9]).lines == [both, side, two, one]
    assert run("rev-list", "ds:cats", "^ds:dogs").lines == [both, two]
    assert run("rev-list", "-n", "2", "ds:cats").lines == [both, side]
    assert run("rev-list", "-n", "0", "ds:cats").out == ""
    assert run("rev-list", "--all").lines == [both, side, two, one]
    assert run("rev-list", "--json", "ds:dogs").values[0] == {"oid": side, "type": "commit"}
    assert run("rev-list", two, f"^{two}").out == ""


def test_objects(run: Run) -> None:
    rows = {object_id(str(number)): run.note(number) for number in range(300)}
    loose = run.note("nobody names me")
    oid = run.save("cats", rows)
    lines = [line.split() for line in run("rev-list", "--objects", "ds:cats").lines]
    assert lines[0] == [oid, "commit"]
    every = {line.split()[0] for line in run("cat-file", "--batch-check", "--all").lines}
    assert {found for found, _ in lines} == every - {loose}
    assert len(lines) == len(every) - 1
    kinds = run("cat-file", "--batch-check", stdin="\n".join(found for found, _ in lines)).lines
    assert [line.split()[:2] for line in kinds] == lines


def test_of_the_index(run: Run) -> None:
    old, new = run.note("old"), run.note("new")
    record = Record(1, "jpg", (), (Oid.from_hex(old), Oid.from_hex(new)))
    kept = stored(run, Blob(BlobType.RECORD, encode_record(record)))
    objects = run("mk-map", "-t", "objects", stdin=f"{object_id('a')}\t{kept}\t{new}").text
    paths = run("mk-map", "-t", "paths").text
    maps = ("--map", f"objects={objects}", "--map", f"paths={paths}")
    run("update-ref", "ds:root", run("commit-map", "--name", "root", *maps).text)
    found = {line.split()[0] for line in run("rev-list", "--objects", "ds:root").lines}
    assert {old, new, kept, objects, paths} < found
    run.instance.update_settings(lambda each: add_location(each, Location("file:///x")), "Ann")
    lines = run("rev-list", "--objects", "--all").lines
    assert [line.split()[1] for line in lines].count("settings") == 1
    assert {line.split()[0] for line in lines} == {
        line.split()[0] for line in run("cat-file", "--batch-check", "--all").lines
    }


def test_maps_kept_by_operations(run: Run) -> None:
    between = run.dataset({object_id("a"): run.note("between")})
    operation = {
        "command": ["add"], "counts": {}, "filters": [], "time": 1,
        "result": {"count": 1, "root": between},
        "sources": [{"commit": "12" * 32, "spec": "ds:gone"}],
    }  # fmt: skip
    words = ("commit-map", "--name", "cats", "--map", f"dataset={run.dataset({})}")
    oid = run(*words, "--operations", "-", stdin=json.dumps([operation])).text
    found = {line.split()[0] for line in run("rev-list", "--objects", oid).lines}
    assert {between, run.note("between")} < found


def test_deleted_datasets_are_kept(run: Run) -> None:
    oid = run.save("cats", {})
    run("update-ref", "-d", "ds:cats")
    assert run("rev-list", "--all").lines == [oid]


def test_missing_blob(run: Run) -> None:
    root = run(
        "mk-map", "-t", "dataset", "--missing", stdin=f"{object_id('a')}\t{'12' * 32}\t{NONE}"
    )
    oid = run("commit-map", "--name", "x", "--map", f"dataset={root.text}").text
    assert "12" * 32 in run("rev-list", "--objects", oid, code=3).err


def test_wrong(run: Run) -> None:
    run("rev-list", code=2)
    run("rev-list", "^ds:cats", code=3)
    run("rev-list", run.note(1), code=2)
    run("rev-list", "12345", code=2)
    run("rev-list", "\0", code=2)
    assert run("rev-list", "--all", "--objects").out == ""
