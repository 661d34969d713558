"""Plumbing by its promised names: what each prints, and that a dataset can be made of it alone."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.plumbing.conftest import NONE, Run, object_id


def test_blobs(run: Run) -> None:
    oid = run.note({"class": "cat"})
    assert run("cat-file", "-t", oid).text == "annotation"
    assert int(run("cat-file", "-s", oid).text) > 0
    assert json.loads(run("cat-file", "-p", oid).out) == {"class": "cat"}
    assert run("cat-file", "-e", oid).out == ""
    assert run("cat-file", "-e", "1" * 64, code=None).code != 0
    assert oid in run("cat-file", "--batch-check", stdin=oid + "\n").out
    assert "cat" in run("cat-file", "--batch", stdin=oid + "\n").out
    assert run("hash-object", "-t", "annotation", "--stdin", stdin='{"class": "cat"}').text == oid
    assert run("count-objects").out


def test_a_dataset_of_plumbing(run: Run) -> None:
    cat, dog = run.note("cat"), run.note("dog")
    one, two = object_id("one"), object_id("two")
    first = run.save("cats", {one: cat})
    second = run.save("cats", {one: dog, two: cat}, first)
    assert run("rev-parse", "ds:cats").text == second
    assert run("rev-parse", "ds:cats.v1").text == first
    assert run("rev-parse", "ds:cats~1").text == first
    assert run("rev-list", "ds:cats").lines == [second, first]
    assert second in run("show-ref").out
    assert "ds:cats" in run("for-each-ref").out
    assert two in run("ls-map", "ds:cats").out
    assert two not in run("ls-map", "ds:cats.v1").out
    assert run("ls-map", "--prefix", two[:8], "ds:cats").out.count("\n") == 1
    differing = run("diff-map", "ds:cats.v1", "ds:cats.v2").out
    assert one in differing
    assert two in differing


def test_compare_and_swap(run: Run) -> None:
    first = run.save("cats", {object_id("one"): run.note("cat")})
    second = run.save("cats", {object_id("two"): run.note("cat")}, first)
    assert run("update-ref", "ds:cats", first, first, code=None).code == 4
    assert run("rev-parse", "ds:cats").text == second
    assert run("update-ref", "ds:cats", first, NONE, code=None).code == 4
    run("update-ref", "-d", "ds:cats", second)
    assert run("rev-parse", "ds:cats", code=None).code == 3


def test_merge_of_maps(run: Run) -> None:
    one, two = object_id("one"), object_id("two")
    cat, dog = run.note("cat"), run.note("dog")
    base, ours, theirs = (
        run.dataset(rows) for rows in ({one: cat}, {one: dog}, {one: cat, two: cat})
    )
    assert run("merge-map", base, ours, theirs).text == run.dataset({one: dog, two: cat})
    other = run.dataset({one: run.note("cow")})
    assert run("merge-map", base, ours, other, code=None).code == 4


def test_packs(run: Run, other: Run, folder: Path) -> None:
    oid = run.note({"class": "cat"})
    name = run("pack-objects", stdin=oid + "\n").out.split()[0]
    assert oid in run("show-pack", name).out
    run("verify-pack", name)
    run("pack-objects", "-o", "out.pack", stdin=oid + "\n")
    other("unpack-objects", "out.pack")
    assert json.loads(other("cat-file", "-p", oid).out) == {"class": "cat"}
