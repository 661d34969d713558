"""`ldb for-each-ref`."""

from __future__ import annotations

import pytest

from tests.cli.plumbing.conftest import TIME, Run, object_id


def test_fields(run: Run, home: object) -> None:
    oid = run.save("cats", {object_id("a"): run.note(1)})
    run.save("dogs", {})
    assert run("for-each-ref").lines[0] == f"{oid} ds:cats.v1"
    fields = "%(refname) %(refname:short) %(objectname:short) %(number) %(kind) %(rows)"
    text = run("for-each-ref", "--format", fields, "ds:c*").text
    assert text == f"ds:cats cats {oid[:12]} 1 dataset 1"
    assert run("for-each-ref", "--format", "a%%b%09c%%0a", "--count", "1").text == "a%b\tc%0a"
    assert run("for-each-ref", "--format", "x", "ds:none").out == ""
    assert run("for-each-ref", "--count", "0").out == ""
    value = run("for-each-ref", "--json", "ds:cats").values[0]
    assert value["version"] == "ds:cats.v1"
    assert value["message"] == ""
    assert TIME  # time and author are the ref's own
    assert value["time"].endswith("Z")
    assert "@" in value["author"]


def test_zero_bytes(run: Run) -> None:
    run.save("cats", {})
    assert run("for-each-ref", "--format", "%(refname)%00").raw == b"ds:cats\0\n"


@pytest.mark.parametrize("wrong", ["%(no)", "%(", "%", "50%", "%(refname", "%()", "%zz"])
def test_wrong_format(run: Run, wrong: str) -> None:
    assert "--format" in run("for-each-ref", "--format", wrong, code=2).err
