"""`ldb commit-map`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.plumbing.conftest import Run, object_id

FIXED = ("--time", "5", "--author", "Ann", "--number", "1")


def test_deterministic(run: Run, other: Run) -> None:
    root = run.dataset({})
    words = ("commit-map", "--name", "cats", "--map", f"dataset={root}", "-m", "möve", *FIXED)
    oid = run(*words).text
    assert run(*words).text == oid
    assert other.dataset({}) == root
    assert other(*words).text == oid
    shown = json.loads(run("cat-file", "-p", oid).out)
    assert shown == {
        "author": "Ann", "maps": {"dataset": {"count": 0, "root": root}}, "message": "möve",
        "name": "cats", "number": 1, "operations": [], "parents": [], "time": 5,
    }  # fmt: skip
    assert run(*words[:-2], "--json").values == [oid]


def test_number_is_the_next(run: Run) -> None:
    run.save("cats", {})
    oid = run.commit("cats", {object_id("a"): run.note(1)}, "ds:cats")
    shown = json.loads(run("cat-file", "-p", oid).out)
    assert shown["number"] == 2
    assert shown["parents"] == [run("rev-parse", "ds:cats").text]


def test_default_author_and_time(run: Run) -> None:
    root = run.dataset({})
    oid = run("commit-map", "--name", "ds:cats", "--map", f"dataset={root[:8]}").text
    shown = json.loads(run("cat-file", "-p", oid).out)
    assert "@" in shown["author"]
    assert shown["time"] > 1_700_000_000_000


def test_operations(run: Run, folder: Path) -> None:
    root = run.dataset({})
    words = ("commit-map", "--name", "cats", "--map", f"dataset={root}", *FIXED)
    operation = {
        "command": ["add"], "counts": {"added": 1}, "filters": [["limit", 3]], "time": 1,
        "result": {"count": 0, "root": root}, "sources": [{"commit": None, "spec": "ds:root"}],
    }  # fmt: skip
    (folder / "ops.json").write_text(json.dumps([operation]))
    oid = run(*words, "--operations", "ops.json").text
    assert json.loads(run("cat-file", "-p", oid).out)["operations"] == [operation]
    assert run(*words, "--operations", "-", stdin=json.dumps([operation])).text == oid
    for wrong in ("", "{}", "[{}]", "[" + json.dumps({**operation, "filters": [3]}) + "]", "\0"):
        run(*words, "--operations", "-", stdin=wrong, code=2)
    run(*words, "--operations", "missing", code=3)


@pytest.mark.parametrize(
    ("maps", "code"),
    [
        (["dataset"], 2),
        (["dataset="], 2),
        (["dataset=12345"], 2),
        (["dataset=zzzzzz"], 2),
        (["dataset=" + "12" * 32], 3),
        (["objects={root}"], 2),
        (["dataset={root}", "dataset={root}"], 2),
        (["dataset={root}", "paths={root}"], 2),
        (["dataset={note}"], 2),
        (["dataset={paths}"], 2),
    ],
)
def test_wrong_maps(run: Run, maps: list[str], code: int) -> None:
    given = {
        "root": run.dataset({}),
        "note": run.note(1),
        "paths": run("mk-map", "-t", "paths").text,
    }
    words = [word for text in maps for word in ("--map", text.format(**given))]
    run("commit-map", "--name", "cats", *words, code=code)
    assert not any("commit" in line for line in run("cat-file", "--batch-check", "--all").lines)


def test_wrong_words(run: Run) -> None:
    root = run.dataset({})
    words = ("commit-map", "--map", f"dataset={root}")
    for name in ("", "a/b", "ds:a.v3", "a\nb", "\0", "../x"):
        run(*words, "--name", name, code=2)
    run(*words, "--name", "root", code=2)
    run(*words, "--name", "x", "--time", "-1", code=2)
    run(*words, "--name", "x", "--number", "0", code=2)
    run(*words, "--name", "x", "-p", root, code=2)
    run(*words, "--name", "x", "-p", "ds:x", code=3)
    run(*words, "--name", "x", "--time", str(2**65), code=2)
