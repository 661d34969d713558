"""The click classes that LDB's commands are made of.

They add to click: a word for dashes that a document turned into typographic ones, the
order in which filter options were given, and a group that imports a command only when it
is asked for.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from itertools import takewhile
from typing import Any

import click

from ldb.cli.table import ROWS, SECTIONS, TABLE

_LONG_DASHES = ("\N{EN DASH}", "\N{EM DASH}", "\N{HORIZONTAL BAR}", "\N{MINUS SIGN}")


BLAS_THREADS = "OPENBLAS_NUM_THREADS"


class GreedyOption(click.Option):
    """An option; a `greedy` one takes all words up to the next option, as one JSON text."""

    def __init__(self, *args: Any, greedy: bool = False, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.greedy = greedy


class FilterOption(GreedyOption):
    """A filter: repeatable, and applied in the order of the command line."""

    @property
    def kind(self) -> str:
        """The long option without its dashes."""
        return self.opts[0].lstrip("-")


class Command(click.Command):
    """A command; where it has filter options it gets `filters`, in the order given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        refuse_long_dashes(self, ctx, args)
        args = gathered(args, self._greedy())
        given = list(args)
        rest = super().parse_args(ctx, args)
        options = [param for param in self.params if isinstance(param, FilterOption)]
        if options and not ctx.resilient_parsing:
            # click's own parser tells the order, once per occurrence, and then drops it
            order = self.make_parser(ctx).parse_args(args=given)[2]
            ctx.params["filters"] = _in_order(order, ctx.params)
            for option in options:
                del ctx.params[str(option.name)]
        return rest

    def _greedy(self) -> frozenset[str]:
        found = (each for each in self.params if isinstance(each, GreedyOption) and each.greedy)
        return frozenset(name for each in found for name in each.opts)


class Group(click.Group):
    """A command that has commands."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        commands = self.list_commands(ctx)
        refuse_long_dashes(self, ctx, list(takewhile(lambda word: word not in commands, args)))
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, names = args[0], self.list_commands(ctx)
        if name not in names and not ctx.resilient_parsing:
            near = get_close_matches(name, names, n=3, cutoff=0.5)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Load modules without what slows that down.

    numpy's linear algebra, of which nothing here makes use, starts a thread for each core as
    it loads, and they spin: 10 ms of a command of 200. Programs that users run from here
    shall not inherit the variable. What is loaded stays, so collecting it is idle work: 5 ms.
    """
    chosen = BLAS_THREADS in os.environ
    if not chosen:
        os.environ[BLAS_THREADS] = "1"
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        if not chosen:
            del os.environ[BLAS_THREADS]


class TableGroup(Group):
    """`ldb` itself: lists the table, imports what is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [row.name for row in TABLE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = ROWS.get(cmd_name)
        if row is None:
            return None
        with quick_imports():
            command = import_module(row.module).command
        assert isinstance(command, click.Command)
        command.short_help = row.short
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(row.name) for row in TABLE)
        for section in SECTIONS:
            rows = [(row.name.ljust(width), row.short) for row in TABLE if row.section == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(row.name, help=row.short)
            for row in TABLE
            if row.name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


def refuse_long_dashes(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Say so where an option begins with a dash that is none, as pasted from a document."""
    if ctx.resilient_parsing:
        return
    known = {opt.lstrip("-") for param in command.get_params(ctx) for opt in param.opts}
    for word in args:
        if word == "--":
            return
        if not word.lstrip("-").startswith(_LONG_DASHES) and not word.startswith(_LONG_DASHES):
            continue
        bare = word.strip("-" + "".join(_LONG_DASHES)).partition("=")[0]
        near = get_close_matches(bare, known, n=1, cutoff=0.7)
        if near:
            dashes = "-" if len(near[0]) == 1 else "--"
            raise click.UsageError(
                f"{word!r} begins with a long dash, as documents make them: type {dashes}{near[0]}",
                ctx,
            )


def gathered(args: Sequence[str], greedy: Collection[str]) -> list[str]:
    """Arguments in which what follows a greedy option, up to the next option, is one word."""
    made: list[str] = []
    left = list(args)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            return [*made, word, *left]
        if name not in greedy:
            made.append(word)
            continue
        words = [value] if equals else []
        while not equals and left and (left[0] == "-" or not left[0].startswith("-")):
            words.append(left.pop(0))
        made += [name, json.dumps(words)]
    return made


def _in_order(order: Iterable[click.Parameter], params: dict[str, Any]) -> tuple[Any, ...]:
    from ldb.query.selection import FilterSpec

    options = [param for param in order if isinstance(param, FilterOption)]
    values = {
        option.name: iter((True,) * len(options) if option.count else params[str(option.name)])
        for option in options
    }
    return tuple(FilterSpec(option.kind, next(values[option.name])) for option in options)
