"""The sessions in the pages of commands are true: run, and compared line by line.

Each page's ```console blocks are one session, in the world of `pets` or `cats` (conftest).
Lines that begin with `$ ` are run; what follows is what they print. Only where things lie,
when they happened, how long they took and the oids of commits are other than in the page.
With UPDATE_PAGES=1 in the environment the pages are written anew.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest

from docs.generate import FOLDER
from tests.cli.porcelain.conftest import Pets

FROM_PETS = ("stage", "add", "list", "eval", "stats", "query", "tag")
FROM_CATS = ("del", "commit", "status", "diff", "log", "why", "pull", "sync")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def played(page: str, pets: Pets) -> str:
    """The page with what its commands print now."""
    return BLOCK.sub(lambda block: f"```console\n{_session(block[1], pets)}```", page)


def _session(block: str, pets: Pets) -> str:
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{_printed(command, pets)}" for command in commands)


def _printed(command: str, pets: Pets) -> str:
    here = command.replace("/data/pets", str(pets.data))
    if here.startswith("ldb "):
        result = pets(*shlex.split(here)[1:])
        text = result.out + result.err
    else:
        run = ["bash", "-ec", here]
        done = subprocess.run(run, cwd=pets.folder, capture_output=True, text=True, check=True)
        text = done.stdout + done.stderr
    text = text.replace(str(pets.data), "/data/pets").replace(str(pets.folder), "/home/ann/work")
    text = text.replace(str(pets.folder.parent / "instance"), "/data/ldb")
    text = re.sub(r", \d+\.\d{3} s$", ", 0.001 s", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-02 03:04:05", text)
    return re.sub(r"was commit [0-9a-f]{12}", "was commit 961c4ec10c18", text)


def play(name: str, pets: Pets) -> None:
    pets.ok("config", "set", "core.author", "Ann")
    path = FOLDER / f"{name}.md"
    page = path.read_text("utf-8")
    assert BLOCK.search(page), "a page without a session"
    pets.changed.append("all")
    now = played(page, pets)
    if os.environ.get("UPDATE_PAGES"):
        path.write_text(now, "utf-8")
    assert now == page


@pytest.mark.parametrize("name", FROM_PETS)
def test_page(name: str, pets: Pets) -> None:
    play(name, pets)


@pytest.mark.parametrize("name", FROM_CATS)
def test_page_of_a_dataset(name: str, pets: Pets) -> None:
    pets.ok("config", "set", "core.author", "Ann")
    pets.ok("stage", "ds:cats")
    pets.ok("add", "--query", "class == 'cat'")
    pets.ok("commit", "-m", "the cats")
    play(name, pets)
