"""Every example of every porcelain command's `--help` is run, in a world made so that it works.

`test_examples.py` does so for the commands on whole datasets. Left out, with the reason, are
examples that need somebody else's machine.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from ldb.cli.table import PLUMBING, TABLE
from tests.cli.porcelain.conftest import Pets, write
from tests.cli.porcelain.test_examples import WORLDS

ELSEWHERE = re.compile(r"s3://|az://|gs://|dask://")
"""Buckets and clusters: tests/cli/porcelain/test_clouds.py, tests/engines."""

OTHERS = {*WORLDS, "import-legacy"}
"""Run by test_examples.py; and what needs an instance of LDB 0.7, test_import_legacy.py."""

COMMANDS = [row.name for row in TABLE if row.section != PLUMBING and row.name not in OTHERS]

BEFORE = {
    "commit --restore": ["stage ds:cats.v1"],
    "add-storage /data/images": ["storage del /data"],
    "storage del /data/incoming": ["storage del /data", "add-storage /data/incoming"],
    "query labels/": ["instantiate ds:cats --annotations-only -t labels/"],
}
"""What somebody would have done before an example that begins like this."""


def examples(command: str) -> Iterator[list[str]]:
    """The commands below "Examples:", without `ldb` and without what is piped where."""
    for ctx in generate.contexts(command):
        text = ctx.get_help().partition("Examples:\n")[2].partition("\n\n")[0]
        for line in text.splitlines():
            line = re.sub(r'eval "\$\((.*)\)"', r"\1", line.strip())
            for part in re.split(r" && ", line):
                words = shlex.split(part, comments=True)
                end = next((at for at, word in enumerate(words) if word in "|>"), len(words))
                assert words[0] == "ldb", line
                if not ELSEWHERE.search(part):
                    yield words[1:end]


@pytest.fixture
def world(own_pets: Pets, tmp_path: Path) -> Pets:
    """ds:cats of three versions in the workspace; what the examples call by name is there."""
    pets, data = own_pets, tmp_path / "data"
    for name in ("images/winter", "images/a/cam1", "images/cats", "images/bad", "images/new",
                 "animals/cat", "reviewed", "incoming"):  # fmt: skip
        note = None if name == "images/bad" else {"class": "cat", "size": "big"}
        write(data / name / "one.jpg", name, note)
    write(pets.folder / "data" / "cats" / "x.png", "a cat", {"class": "cat", "size": "big"})
    write(pets.folder / "data" / "more" / "y.png", "more", {"class": "cat", "size": "big"})
    (pets.folder / "image.json").write_text('{"boxes": [{"label": "head"}]}')
    pets.ok("stage", "-f", "ds:cats")
    pets.ok("stage", "ds:cats", "cats")
    pets.ok("add-storage", "data")
    pets.ok("index", "data", str(data))
    for number, query in enumerate(("class == 'cat'", "class == 'dog'", "class == 'bird'")):
        pets.ok("add", "--query", query)
        pets.ok("commit", "-m", f"step {number}")
    for name, query in (("dogs", "class == 'dog'"), ("broken", "class == 'bird'")):
        other = pets.at(tmp_path / name)
        other.ok("stage", f"ds:{name}")
        other.ok("add", "--query", query)
        other.ok("commit")
    shutil.copytree(tmp_path / "instance", tmp_path / "backup" / "instance")
    return pets


def as_here(word: str, pets: Pets, tmp_path: Path) -> str:
    """A word of an example, with this world's ids and folders."""
    if word == "id:3f2a91":
        return pets.id("tom")
    if word == "id:0cc175b9c0f1":
        return pets.id("owl")
    return re.sub(r"^(/data|/backup)\b", rf"{tmp_path}\1", word)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_examples(command: str, world: Pets, tmp_path: Path) -> None:
    for words in examples(command):
        line = " ".join(words)
        steps = (steps for start, steps in BEFORE.items() if line.startswith(start))
        for step in next(steps, []):
            world.ok(*(as_here(word, world, tmp_path) for word in step.split()))
        world.ok(*(as_here(word, world, tmp_path) for word in words))


def test_nothing_is_forgotten() -> None:
    """So that no test above passes for want of examples."""
    assert not [name for name in COMMANDS if not [*examples(name)]]
