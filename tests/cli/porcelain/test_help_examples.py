"""The examples in `--help` of commands about users' code are commands that work."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import Pets


def examples(pets: Pets, name: str) -> list[list[str]]:
    """The example lines of a command's help, as words."""
    text = pets.ok(name, "--help").out.partition("Examples:")[2].partition("\n\n")[0]
    lines = [line.strip().partition("  #")[0] for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("ldb ")]


@pytest.mark.parametrize("name", ["transform", "trust"])
def test_examples(cats: Pets, name: str) -> None:
    folder = Path(cats.ok("config", "get", "core.instance").out.strip())
    (folder / "custom_code").mkdir()
    (folder / "custom_code" / "a.py").write_text("")
    found = examples(cats, name)
    assert len(found) >= 4
    for words in found:
        given = [cats.id("tom") if word.startswith("id:") else word for word in words]
        result = cats(*given)
        asks = words in (["trust"], ["trust", "-v", "ds:cats"])  # and nobody is there to answer
        assert result.code == (6 if asks else 0), result
