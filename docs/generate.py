"""Writes the usage block of every page in docs/commands from what `--help` says.

`make docs` runs it. A page that is missing is made; what stands outside the block is
written by people and kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from ldb.cli.main import cli
from ldb.cli.table import SECTIONS, TABLE

FOLDER = Path(__file__).resolve().parent / "commands"
BEGIN = "<!-- from --help by `make docs`: changes up to the end mark are lost -->"
END = "<!-- end -->"
WIDTH = 88
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def contexts(name: str) -> Iterator[click.Context]:
    """A context for the command, and for each command in it where it is a group."""
    root = cli.make_context("ldb", ["--help"], resilient_parsing=True)
    command = cli.get_command(root, name)
    assert command is not None
    ctx = _context(command, name, root)
    yield ctx
    if isinstance(command, click.Group):
        for inner_name in command.list_commands(ctx):
            inner = command.get_command(ctx, inner_name)
            assert inner is not None
            yield _context(inner, inner_name, ctx)


def usage_block(name: str) -> str:
    """The text between the marks, marks included."""
    helps = [f"```\n{ctx.get_help().rstrip()}\n```" for ctx in contexts(name)]
    return "\n\n".join([BEGIN, *helps, END])


def refreshed(name: str, page: str | None) -> str:
    """The page with today's usage block; a new page where there was none."""
    block = usage_block(name)
    if page is None:
        return f"# ldb {name}\n\n{block}\n"
    if not _BLOCK.search(page):
        return f"{page.rstrip()}\n\n{block}\n"
    return _BLOCK.sub(lambda _: block, page, count=1)


def contents() -> str:
    """The list of all pages, `docs/commands/README.md`."""
    parts = ["# Commands\n\nWritten by `make docs`; `ldb COMMAND --help` says the same.\n"]
    for section in SECTIONS:
        rows = [row for row in TABLE if row.section == section]
        if rows:
            lines = [f"- [`{row.name}`]({row.name}.md): {row.short}" for row in rows]
            parts.append("\n".join([f"## {section}\n", *lines, ""]))
    return "\n".join(parts)


def _context(command: click.Command, name: str, parent: click.Context) -> click.Context:
    return click.Context(
        command, parent=parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )


def main() -> None:
    """Write every page that is not as it should be."""
    pages = {f"{row.name}.md": row.name for row in TABLE}
    for file, name in pages.items():
        path = FOLDER / file
        old = path.read_text("utf-8") if path.exists() else None
        _write(path, old, refreshed(name, old))
    index = FOLDER / "README.md"
    _write(index, index.read_text("utf-8") if index.exists() else None, contents())


def _write(path: Path, old: str | None, new: str) -> None:
    if new != old:
        path.write_text(new, "utf-8")
        print(f"wrote {path.relative_to(FOLDER.parents[1])}")


if __name__ == "__main__":
    main()
