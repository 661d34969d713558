"""`ldb query`: loose JSON files, without an instance."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ldb

FILES = {
    "a.json": {"class": "cat", "n": 1},
    "b.json": {"class": "dog", "n": 2},
    "sub/c.json": {"class": "cat"},
}


@pytest.fixture
def ask(ldb: Ldb, home: Path) -> Callable[..., list[Any]]:
    """Asks the files of a folder; values in the order printed."""
    for path, value in FILES.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(json.dumps(value))
    Path("notes.txt").write_text("no JSON")

    def run(*args: str) -> list[Any]:
        result = ldb("query", *args, "--indent", "none")
        assert (result.code, result.err) == (0, "")
        assert os.listdir(home) == [], "no instance is made"
        return [json.loads(line) for line in result.out.splitlines()]

    return run


def test_whole_files(ask: Callable[..., list[Any]]) -> None:
    assert ask("a.json") == [FILES["a.json"]]
    assert ask(".") == list(FILES.values())
    assert ask("b.json", "sub", "a.json") == [FILES["b.json"], FILES["sub/c.json"], FILES["a.json"]]
    assert ask(f"file://{Path.cwd()}/a.json") == [FILES["a.json"]]


@pytest.mark.parametrize(
    ("args", "values"),
    [
        (["--query", "class"], ["cat", "dog", "cat"]),
        (["--query", "n"], [1, 2]),
        (["--jquery", "n"], [1, 2, None]),
        (["--query", "class == 'cat'", "--query", "n"], [1]),
        (["--query", "class == 'cat'", "--jquery", "n"], [1, None]),
        (["--query", "class == 'cat'", "--show", "class"], ["cat", "cat"]),
        (["--query", "class == 'cat'", "--jshow", "n"], [1, None]),
        (["--jquery", "n", "--query", "class == 'dog'", "--show", "n"], [2]),
        (["--show", "n > `1`"], [False, True]),
    ],
)
def test_queries(ask: Callable[..., list[Any]], args: list[str], values: list[Any]) -> None:
    assert ask(".", *args) == values


def test_json(ask: Callable[..., list[Any]]) -> None:
    here = Path.cwd()
    assert ask("a.json", "sub", "--query", "class", "--json") == [
        {"path": str(here / "a.json"), "value": "cat"},
        {"path": str(here / "sub" / "c.json"), "value": "cat"},
    ]


def test_indented_by_default(ask: Callable[..., list[Any]], ldb: Ldb) -> None:
    assert ldb("query", "sub").out == '{\n  "class": "cat"\n}\n'


def test_bad_files_are_told_and_the_rest_goes_on(ask: Callable[..., list[Any]], ldb: Ldb) -> None:
    Path("bad.json").write_text('{"class": "cow",,}')
    result = ldb("query", ".", "--query", "class", "--indent", "none")
    assert result.code == 1
    assert result.out == '"cat"\n"dog"\n"cat"\n'
    assert result.err.startswith(f"warning: {Path.cwd() / 'bad.json'}: ")
    assert "line 1, column" in result.err


def test_failing_query(ask: Callable[..., list[Any]], ldb: Ldb) -> None:
    result = ldb("query", ".", "--query", "abs(class)", "--show", "n")
    assert (result.code, result.out) == (0, "")
    assert "--query failed on" in result.err
    assert "(and on 2 more)" in result.err
    result = ldb("query", "a.json", "--query", "abs(class)")
    assert result.out == "null\n"
    assert "'abs(class)' failed on" in result.err


def test_misspelt_key(ask: Callable[..., list[Any]], ldb: Ldb) -> None:
    for args in (["--query", "clas"], ["--query", "clas == 'x'", "--show", "n"]):
        result = ldb("query", ".", *args)
        assert (result.code, result.out) == (0, "")
        assert result.err == "warning: no annotation has the key `clas`; did you mean `class`?\n"


def test_missing_file(ask: Callable[..., list[Any]], ldb: Ldb) -> None:
    result = ldb("query", "nowhere.json")
    assert (result.code, result.out) == (3, "")
    assert "nowhere.json" in result.err


@pytest.mark.parametrize(
    "args",
    [(), ("a.json", "--query", "a ="), ("a.json", "--show", "a", "--jshow", "b"),
     ("a.json", "--limit", "1"), ("a.json", "--show", "")],
)  # fmt: skip
def test_what_cannot_be_meant(
    ask: Callable[..., list[Any]], ldb: Ldb, args: tuple[str, ...]
) -> None:
    result = ldb("query", *args)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")


def test_empty_folder(ldb: Ldb) -> None:
    result = ldb("query", ".")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_deep_and_large_files(ldb: Ldb) -> None:
    Path("deep.json").write_text("[" * 5000 + "]" * 5000)
    Path("list.json").write_text(json.dumps(list(range(100_000))))
    result = ldb("query", ".", "--show", "length(@)")
    assert (result.code, result.out) == (1, "100000\n")
    assert "deep.json" in result.err
