"""The `SOURCES…` argument and what every command with sources and filters does alike."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldb.cli.app import app_of
from ldb.cli.output import Output
from ldb.cli.shells import source_names
from ldb.errors import LdbError

if TYPE_CHECKING:
    from ldb.query.selection import FilterSpec

F = TypeVar("F", bound=Callable[..., Any])


def dataset_names_of(ctx: click.Context) -> list[str]:
    """Names of all live datasets for tab completion; none where there is no instance."""
    from ldb.cli.opening import open_instance_of
    from ldb.refs.name import RefKind

    try:
        instance = open_instance_of(app_of(ctx))
        names = instance.refs.names(RefKind.DATASET)
        heads = [(name, instance.refs.head(name)) for name in names]
    except LdbError:
        return []
    return [name.name for name, head in heads if head is not None and head.target is not None]


def sources_argument(function: F) -> F:
    """`SOURCES…`: any number, mixed; the command gets `sources`."""
    return click.argument(
        "sources", nargs=-1, metavar="[SOURCES]...", shell_complete=source_names(dataset_names_of)
    )(function)


def warn(out: Output, messages: tuple[str, ...]) -> None:
    """Print what a selection could not do."""
    for message in messages:
        out.warn(message)


def argv_of(
    name: str, sources: tuple[str, ...], filters: tuple[FilterSpec, ...], seed: int | None
) -> tuple[str, ...]:
    """The command in one spelling, whatever options came where: for provenance."""
    words = [name, *sources]
    for spec in filters:
        words.append(f"--{spec.kind}")
        if spec.kind in ("sort", "pipe"):
            words.append(shlex.join(spec.value))
        elif isinstance(spec.value, tuple):
            words.append(",".join(spec.value))
        elif spec.value is not True:
            words.append(str(spec.value))
    if seed is not None:
        words += ["--seed", str(seed)]
    return tuple(words)
