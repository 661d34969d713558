"""`ldb show-ref`."""

from __future__ import annotations

from tests.cli.plumbing.conftest import Run, object_id


def test_heads(run: Run) -> None:
    assert run("show-ref").out == ""
    dogs = run.save("dogs", {})
    cats = run.save("cats", {object_id("a"): run.note(1)})
    assert run("show-ref").lines == [f"{cats} ds:cats", f"{dogs} ds:dogs"]
    assert run("show-ref", "ds:dogs").lines == [f"{dogs} ds:dogs"]
    assert run("show-ref", "--json", "ds:dogs").values == [
        {"commit": dogs, "ref": "ds:dogs", "version": "ds:dogs.v1"}
    ]


def test_versions(run: Run) -> None:
    one = run.save("cats", {})
    run("update-ref", "-d", "ds:cats")
    assert run("show-ref").out == ""
    assert run("show-ref", "--versions").lines == ["- ds:cats.v2", f"{one} ds:cats.v1"]
    assert len(run("show-ref", "--versions", "ds:cats").lines) == 2
    run("show-ref", "ds:cats", code=3)
    run("show-ref", "--versions", "ds:dogs", code=3)
    assert run("show-ref", "--versions", "--json").values[0]["commit"] is None


def test_wrong_names(run: Run) -> None:
    run("show-ref", "ds:cats", code=3)
    run("show-ref", "ds:root", code=3)
    run("show-ref", "cats", code=2)
    run("show-ref", "ds:cats.v1", code=2)
    run("show-ref", "\0", code=2)
