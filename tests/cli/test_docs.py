"""Every command has a page, and the page says what `--help` says."""

from __future__ import annotations

import pytest

from docs import generate
from ldb.cli.table import TABLE
from ldb.settings import KNOWN

NAMES = [row.name for row in TABLE]


def page(name: str) -> str:
    path = generate.FOLDER / f"{name}.md"
    assert path.exists(), f"no page for `ldb {name}`: run `make docs`, then add to it"
    return path.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_page_has_every_option(name: str) -> None:
    text = page(name)
    for ctx in generate.contexts(name):
        assert ctx.command_path in text
        for param in ctx.command.get_params(ctx):
            for option in (*param.opts, *param.secondary_opts):
                if option.startswith("-"):
                    assert option in text, f"{ctx.command_path} {option}: run `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_page_is_fresh(name: str) -> None:
    text = page(name)
    assert generate.refreshed(name, text) == text, "run `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example(name: str) -> None:
    helps = [ctx.get_help() for ctx in generate.contexts(name)]
    assert any("Examples:" in text for text in helps)


def test_no_page_without_a_command() -> None:
    pages = {path.stem for path in generate.FOLDER.glob("*.md")}
    assert pages == {*NAMES, "README"}


def test_list_of_pages_is_fresh() -> None:
    assert (generate.FOLDER / "README.md").read_text("utf-8") == generate.contents()


def test_every_setting_is_explained() -> None:
    for key in KNOWN:
        assert f"`{key}`" in page("config")


def test_text_outside_the_block_is_kept() -> None:
    first = generate.refreshed("config", None)
    written = first.replace("# ldb config\n", "# ldb config\n\nMine.\n") + "\nAnd more \\1.\n"
    assert generate.refreshed("config", written) == written
    stale = written.replace("--json", "--yaml")
    assert generate.refreshed("config", stale) == written
