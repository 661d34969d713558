"""What is not there, or was eaten on the way: the message says what was meant."""

from __future__ import annotations

import pytest

from tests.cli.porcelain.conftest import Pets


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cats"], "did you mean ds:cats?"),
        (["cats.v1"], "did you mean ds:cats.v1?"),
        (["DS:cats"], "did you mean ds:cats?"),
        (["cast"], "did you mean ds:cats?"),
        (["root"], "did you mean ds:root?"),
        (["ds:cast"], "did you mean ds:cats?"),
        (["ds:cast.v1"], "did you mean ds:cats?"),
        (["ds:cats.v7"], "the newest version is ds:cats.v1"),
        (["ds:root", "--query", "class", "==", "cat"], "put quotes around all of it"),
        (["class == 'cat'"], "put quotes around all of it"),
        (["score", "==", "1"], "put quotes around all of it"),
        (["nowhere"], "path not found: nowhere"),
    ],
)
def test_sources(cats: Pets, words: list[str], said: str) -> None:
    message = cats.fails(3, "list", *words)
    assert said in message
    assert ("did you mean" in message) == ("did you mean" in said)


def test_deleted_dataset_is_not_meant(cats: Pets) -> None:
    cats.ok("ds", "del", "ds:cats")
    assert "did you mean" not in cats.fails(3, "list", "ds:cast")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--query", "clas == 'cat'"], "key `clas`; did you mean `class`?"),
        (["--query", "boxes[?labl == 'x']"], "key `boxes[].labl`; did you mean `boxes[].label`?"),
        (["--query", "class == cat"], "give it single quotes"),
        (["--query", "cat"], "no annotation has the key `cat`"),
        (["--file", "type == jpg"], "give it single quotes"),
        (["--file", "fs.sise > `1`"], "key `fs.sise`; did you mean `fs.size`?"),
        (["--file", "tag"], "key `tag`; did you mean `tags`?"),
        (["--vquery", "class == 'cat'"], "write `v1.class`"),
        (["--tag", "blured"], "the tag `blured`; did you mean `blurred`?"),
        (["--tag", "nothing"], "the tag `nothing`; there are blurred, old"),
    ],
)
@pytest.mark.parametrize("command", ["list", "add"])
def test_filters(cats: Pets, words: list[str], said: str, command: str) -> None:
    cats.ok("tag", "-a", "blurred,old", cats.id("tom"))
    (line, *_) = cats.ok(command, "ds:root", *words).err.splitlines()
    assert line.startswith("warning: ")
    assert said in line


def test_nothing_is_said_where_something_was_found(cats: Pets) -> None:
    cats.ok("tag", "-a", "x", cats.id("tom"))
    assert cats.ok("list", "ds:root", "--tag", "x,nosuch").err == ""
    assert cats.ok("list", "--query", "class == 'cat' || clas == 'x'").err == ""
    assert cats.ok("list", "--query", "class == 'cow'").err == ""
    assert cats.ok("list", "--file", "size > `1000`").err == ""


@pytest.mark.parametrize("word", ["—-query", "–query", "--qery"])
def test_options(cats: Pets, word: str) -> None:
    assert "--query" in cats.fails(2, "list", word, "class")


def test_formats(cats: Pets) -> None:
    assert "did you mean bare?" in cats.fails(2, "index", "-m", "bares", ".")
    assert "did you mean strict?" in cats.fails(2, "instantiate", "-m", "strct")
