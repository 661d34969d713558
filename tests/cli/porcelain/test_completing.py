"""What tab completion knows of the instance: datasets, versions, tags, keys of annotations."""

from __future__ import annotations

import pytest

from ldb.cli.main import cli
from ldb.cli.shells import Bash
from ldb.objects import columnfiles
from tests.cli.porcelain.conftest import Pets


def offered(pets: Pets, *words: str) -> list[str]:
    """What the shell is given at the end of these words; the last one is being typed."""
    shell = Bash(cli, {}, "ldb", "_LDB_COMPLETE")
    args = ["-C", str(pets.folder), *words[:-1]]
    return [item.value for item in shell.get_completions(args, words[-1]) if item.type == "plain"]


@pytest.fixture
def known(cats: Pets) -> Pets:
    """ds:cats in two versions, two tags."""
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    cats.ok("tag", "-a", "blurred,old", "ds:root", "--limit", "2")
    return cats


def test_datasets_and_versions(known: Pets) -> None:
    assert offered(known, "list", "ds:c") == ["ds:cats"]
    assert offered(known, "list", "ds:cats") == ["ds:cats", "ds:cats.v2", "ds:cats.v1"]
    assert offered(known, "stage", "ds:cats.") == ["ds:cats.v2", "ds:cats.v1"]
    assert offered(known, "diff", "ds:cats.v1") == ["ds:cats.v1"]
    assert offered(known, "list", "ds:ro") == ["ds:root"]
    assert offered(known, "list", "ds:root.v") == ["ds:root.v2", "ds:root.v1"]
    assert offered(known, "list", "ds:none.v") == []


def test_tags(known: Pets) -> None:
    assert offered(known, "list", "--tag", "") == ["blurred", "old"]
    assert offered(known, "tag", "-r", "blurred,") == ["blurred,old"]
    assert offered(known, "index", "--add-tags", "o") == ["old"]
    assert offered(known, "tag", "-s", "x,bl") == ["x,blurred"]


@pytest.mark.parametrize("columns", [False, True])
def test_keys(known: Pets, columns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if columns:
        monkeypatch.setattr(columnfiles, "FEWEST_ROWS", 1)
        known.ok("list", "--query", "class")
    assert offered(known, "list", "--query", "cl") == ["class"]
    assert offered(known, "eval", "--show", "boxes[].") == ["boxes[].label"]
    assert offered(known, "stats", "--by", "class == 'cat' && sc") == ["class == 'cat' && score"]
    assert offered(known, "list", "--vquery", "v1.cl") == ["v1.class"]
    assert offered(known, "list", "--file", "fs.m") == ["fs.mode", "fs.mtime"]
    assert offered(known, "eval", "--file-show", "ta")[0] == "tags"


def test_no_instance_is_no_error(known: Pets) -> None:
    for words in (["list", "--query", "cl"], ["list", "--tag", ""], ["list", "ds:cats."]):
        assert offered(known, "--instance", "/nowhere", *words) == []
