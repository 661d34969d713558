"""The options `-m FORMAT` and `-p KEY=VALUE`, which index, instantiate and get share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldb.errors import BadInput
from ldb.formats import registry

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    _Type = click.ParamType[str]  # generic only in newer releases of click
else:
    _Type = click.ParamType


class FormatName(_Type):
    """The name of a label format; a misspelt one is a usage error that names the right one."""

    name = "format"

    def __init__(self, reading: bool) -> None:
        self._reading = reading

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            registry.chosen(value, {}, self._reading)
        except BadInput as error:
            self.fail(f"{error.why}; {error.hint}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        words = registry.names(self._reading)
        found = [word for word in words if word.startswith(incomplete)]
        return [click.shell_completion.CompletionItem(word) for word in found]


def params_option(function: F) -> F:
    """`-p KEY=VALUE`, repeatable: the command gets `params`."""
    return click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        metavar="KEY=VALUE",
        help="A parameter of the format; repeatable.",
    )(function)
