"""The examples in the pages of plumbing commands are run, and print what the pages say.

An example is a `console` block: lines that begin with `$ ` are commands, the lines after
each are what it prints (stdout, then stderr); `…` stands for anything. They may use `echo`,
`cat`, pipes and redirections. Every page starts with the instance made by `example_instance`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from ldb.cli.table import PLUMBING, TABLE
from tests.cli.plumbing.conftest import TIME, Run, object_id
from tests.cli.plumbing.test_ls_map import TAIL

COMMANDS = [row.name for row in TABLE if row.section == PLUMBING]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def example_instance(run: Run) -> None:
    """Two versions of ds:cats and of the index."""
    cat, dog = run.note({"class": "cat"}), run.note({"class": "dog"})
    checked = run.note({"class": "cat", "checked": True})
    one, two, three = (object_id(name) for name in ("one", "two", "three"))
    first = run.save("cats", {one: cat, two: dog})
    run.save("cats", {one: checked, three: cat}, first, time=TIME + 60_000)
    seen = {"gid": 0, "mode": 33188, "mtime": 0, "path": "file:///data/one.jpg", "uid": 0}
    record = {
        "annotations": [cat, checked], "first_indexed": TIME, "last_indexed": TIME,
        "paths": [seen], "size": 3, "tags": [], "type": "jpg",
    }  # fmt: skip
    stored = run("hash-object", "-w", "-t", "record", "--stdin", stdin=json.dumps(record)).text
    rows = [("", ""), (f"{one}\t{stored}\t{checked}\n", f"file:///data/one.jpg{TAIL}\n")]
    parents: list[str] = []
    for number, (objects, paths) in enumerate(rows):
        maps = {"objects": objects, "paths": paths}
        roots = [f"{name}={run('mk-map', '-t', name, stdin=maps[name]).text}" for name in maps]
        words = ["--map", roots[0], "--map", roots[1], "--time", str(TIME + number)]
        commit = run("commit-map", "--name", "root", "--author", "Ann", *words, *parents).text
        run("update-ref", "ds:root", commit)
        parents = ["-p", commit]


def examples(text: str) -> Iterator[tuple[str, str]]:
    """The commands in a page, and what it says that each prints."""
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def execute(run: Run, line: str) -> str:
    """What a line prints."""
    shown, data = "", b""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    words = list(lexer)
    while words:
        end = words.index("|") if "|" in words else len(words)
        command, words = words[:end], words[end + 1 :]
        into = Path(_take(command, ">")) if ">" in command else None
        if "<" in command:
            data = Path(_take(command, "<")).read_bytes()
        data, said = _stage(run, command, data)
        shown += said
        if into:
            into.write_bytes(data)
            data = b""
    return data.decode() + shown


def _take(command: list[str], sign: str) -> str:
    at = command.index(sign)
    name = command[at + 1]
    del command[at : at + 2]
    return name


def _stage(run: Run, command: list[str], data: bytes) -> tuple[bytes, str]:
    if command[0] == "echo":
        return (" ".join(command[1:]) + "\n").encode(), ""
    if command[0] == "cat":
        return (Path(command[1]).read_bytes() if command[1:] else data), ""
    assert command[0] == "ldb", command
    result = run(*command[1:], stdin=data, code=None)
    return result.raw, result.err


@pytest.mark.parametrize("name", COMMANDS)
def test_examples(run: Run, folder: Path, name: str) -> None:
    example_instance(run)
    found = list(examples((generate.FOLDER / f"{name}.md").read_text("utf-8")))
    assert any(f"ldb {name}" in command for command, _ in found), "a page has an example"
    for command, expected in found:
        printed = execute(run, command)
        pattern = re.escape(expected).replace("…", ".*")
        assert re.fullmatch(pattern, printed), f"$ {command}\n{printed}"
