"""The examples in `--help` work: each is run, in its order, in a world that has what they name."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from docs import generate
from tests.cli.porcelain.conftest import Pets, write


def examples(command: str) -> list[list[str]]:
    """The commands below "Examples:", without `ldb`; those of a group's own commands too."""
    found = []
    for ctx in generate.contexts(command):
        text = ctx.get_help().partition("Examples:\n")[2].partition("\n\n")[0]
        found += [shlex.split(line, comments=True)[1:] for line in text.splitlines()]
    assert found
    return found


def _branches(pets: Pets, tmp_path: Path) -> None:
    """ds:cats in the workspace; ds:cats-cleaned of three versions made from it; ds:dogs."""
    other = pets.at(tmp_path / "others")
    other.ok("stage", "ds:cats")
    for name in ("rex", "pup", "ara"):
        other.ok("add", other.id(name))
        other.ok("commit", "ds:cats-cleaned")
    other.ok("stage", "ds:dogs")
    other.ok("add", "--query", "class == 'dog'")
    other.ok("commit")


def _all_pets(pets: Pets, tmp_path: Path) -> None:
    """ds:pets."""
    other = pets.at(tmp_path / "others")
    other.ok("stage", "ds:pets")
    other.ok("add", "ds:root")
    other.ok("commit")


def _winter(pets: Pets, tmp_path: Path) -> None:
    """ds:relabelled, and a folder of winter; ds:cats is instantiated."""
    write(pets.folder / "data" / "winter" / "snow.jpg", "snow", {"class": "bear"})
    pets.ok("add-storage", "data")
    pets.ok("index", "data")
    pets.ok("commit", "ds:relabelled")
    pets.ok("stage", "ds:cats")
    pets.ok("instantiate")


def _nothing_more(pets: Pets, tmp_path: Path) -> None:
    """ds:cats in the workspace, as it is."""


WORLDS: dict[str, Callable[[Pets, Path], None]] = {
    "merge": _branches,
    "split": _all_pets,
    "dedup": _nothing_more,
    "refresh": _nothing_more,
    "ds": _nothing_more,
    "tag": _winter,
    "pull": _winter,
    "sync": _winter,
}


@pytest.mark.parametrize("command", WORLDS)
def test_examples(command: str, cats: Pets, tmp_path: Path) -> None:
    WORLDS[command](cats, tmp_path)
    for words in examples(command):
        cats.ok(*(cats.id("tom") if word == "id:3f2a91" else word for word in words))
