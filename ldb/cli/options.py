"""Options that many commands share, as decorators.

    @click.command(cls=Command)
    @filter_options
    @output_options(json=True)
    def command(filters: tuple[FilterSpec, ...], seed: int | None, out: Output) -> None:

What cannot be meant (`--limit -1`) is a usage error here, so that no library sees it.
"""

from __future__ import annotations

import functools
import json
import math
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldb.cli.app import ENGINE, TRUST_ONCE
from ldb.cli.output import Output
from ldb.cli.parsing import FilterOption
from ldb.system import WINDOWS

F = TypeVar("F", bound=Callable[..., Any])


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Type = click.ParamType[str]  # generic only in newer releases of click
    _TagsType = click.ParamType[tuple[str, ...]]
else:
    _Type = _TagsType = click.ParamType


def _share(most: float) -> Callable[[str], float]:
    """Reads a number from 0 to `most`; unlike click's range it refuses "nan"."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= most:
            raise click.BadParameter(f"{text!r} is not a number from 0 to {most:g}")
        return number

    return read


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise click.BadParameter(f"{text!r} is not a regular expression: {error}") from error
    return text


def tag_list(text: str) -> tuple[str, ...]:
    """The type of options that take tags: `a,b`."""
    tags = tuple(tag.strip() for tag in text.split(","))
    if not all(tags):
        raise click.BadParameter(f"{text!r} has an empty tag; tags look like a,b")
    return tags


class Expression(_Type):
    """The type of options that take a query; what is wrong in it shows when it is parsed."""

    name = "expression"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            self.fail("an empty expression asks for nothing", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        from ldb.cli.completing import keys  # only while a shell asks

        return keys(ctx, self._kind, incomplete)


expression = Expression("annotation")
file_expression = Expression("file")


class PathOrUrl(_Type):
    """The type of what names a file or folder of this machine, or something else: a URL."""

    name = "place"

    def __init__(self, kind: str = "file") -> None:
        """`kind`: what a shell offers, `file` or `dir`."""
        self._kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        # fish looks for the value, the other shells for the word at the cursor.
        return [CompletionItem(incomplete, type=self._kind)]


class LocalPath(click.Path):
    """The type of arguments that name a file or folder of this machine.

    A bucket's URL would else be taken for the path of a folder called `s3:`.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # most commands are given no path
        from ldb.storage.location import check_slashes, has_scheme, without_scheme

        path = without_scheme(str(value))
        check_slashes(path)
        if has_scheme(path):
            self.fail(f"{path}: not a path on this machine, which is wanted here", param, ctx)
        return super().convert(path, param, ctx)


class TagList(_TagsType):
    """The type of options that take tags: `a,b`."""

    name = "tags"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tag_list(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        from ldb.cli.completing import tags  # only while a shell asks

        return tags(ctx, incomplete)


def shell_words(text: str) -> tuple[str, ...]:
    """The type of options that take a name and its arguments in one word, as a shell splits it."""
    try:
        words = tuple(_split(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from None
    if not words or not words[0]:
        raise click.BadParameter("no name is given")
    return words


def _split(text: str) -> Iterable[str]:
    if not WINDOWS:
        return shlex.split(text)
    words = shlex.shlex(text, posix=True, punctuation_chars=False)
    words.whitespace_split, words.commenters = True, ""
    words.escape = ""  # there it divides the parts of a path
    return words


def program_words(text: str) -> tuple[str, ...]:
    """The type of options that take a program and its arguments: several words, or one text."""
    words = tuple(json.loads(text))  # as `parsing.gathered` put them together
    if len(words) == 1:
        return shell_words(words[0])
    if not words or not words[0]:
        raise click.BadParameter("no program is given")
    return words


def _trust_once(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    ctx.meta[TRUST_ONCE] = given


def trust_option(function: F) -> F:
    """`--trust`: the code that the command meets may run this once."""
    return click.option(
        "--trust", is_flag=True, expose_value=False, callback=_trust_once,
        help="Run code of the instance this once, trusted or not; it is listed first.",
    )(function)  # fmt: skip


def _engine(ctx: click.Context, param: click.Parameter, given: str | None) -> None:
    ctx.meta[ENGINE] = given


def engine_option(what: str) -> Callable[[F], F]:
    """`--engine`, for `opening.engine_of`; `what` runs there."""
    return click.option(
        "--engine", metavar="ENGINE", expose_value=False, callback=_engine,
        help=f"{what}: local, dask, dask://HOST:PORT. Default: core.engine, or local.",
    )  # fmt: skip


_FILTERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--query", {
        "type": expression, "metavar": "E",
        "help": "JMESPath over the annotation; one that lacks a key E names is skipped.",
    }),
    ("--jquery", {
        "type": expression, "metavar": "E",
        "help": "Plain JMESPath over the annotation; a missing key is null.",
    }),
    ("--file", {
        "type": file_expression, "metavar": "E",
        "help": "JMESPath over the object's attributes: fs.size, type, tags, …",
    }),
    ("--vquery", {
        "type": Expression("versions"), "metavar": "E",
        "help": "JMESPath over {v1: …, v2: …}, all annotations the object ever had.",
    }),
    ("--path", {
        "type": _regex, "metavar": "REGEX",
        "help": "Some path of the object matches (regular expression, searched).",
    }),
    ("--tag", {
        "type": TagList(), "metavar": "A,B",
        "help": "Has at least one of these tags.",
    }),
    ("--no-tag", {
        "type": TagList(), "metavar": "A,B",
        "help": "Lacks at least one of these tags.",
    }),
    ("--sort", {
        "type": shell_words, "metavar": "'NAME ARGS…'",
        "help": "In the order that a plug-in gives: clip \"text\", clip-image FILE, …",
    }),
    ("--pipe", {
        "type": program_words, "greedy": True, "metavar": "EXEC [ARGS]...",
        "help": "What a program chooses, in its order; up to the next option.",
    }),
    ("--near", {
        "type": expression, "metavar": "ID|FILE",
        "help": "Nearest first, to a data object or a file, by an encoder (core.encoder).",
    }),
    ("--limit", {
        "type": click.IntRange(min=0), "metavar": "N",
        "help": "The first N.",
    }),
    ("--sample", {
        "type": _share(1), "metavar": "P",
        "help": "Each with probability P, 0 to 1.",
    }),
    ("--sample-rate", {
        "type": _share(100), "metavar": "N",
        "help": "Each with a probability of N percent.",
    }),
    ("--shuffle", {
        "count": True,
        "help": "In random order.",
    }),
)  # fmt: skip


def filter_options(function: F) -> F:
    """All filters, and `--seed`: the command gets `filters` in the order given, and `seed`."""
    function = click.option(
        "--seed", type=int, metavar="S", help="Same seed, same sample and shuffle."
    )(function)
    function = engine_option("Where encoders and instantiate work")(trust_option(function))
    return _filters(function, [name for name, _ in _FILTERS])


def label_version_option(function: F) -> F:
    """`--label-version`, in its place among the filters: for commands that choose annotations."""
    option = click.option(
        "--label-version", cls=FilterOption, multiple=True, type=click.IntRange(min=1),
        metavar="N", help="The annotation vN of each; who has no vN is left out.",
    )  # fmt: skip
    return option(function)


def query_options(function: F) -> F:
    """`--query` and `--jquery` alone, for values that are in no instance: `filters`."""
    return _filters(function, ["--query", "--jquery"])


def _filters(function: F, names: Sequence[str]) -> F:
    for name, settings in reversed(_FILTERS):
        if name in names:
            multiple = not settings.get("count", False)
            option = click.option(name, cls=FilterOption, multiple=multiple, **settings)
            function = option(function)
    return function


def output_options(*, json: bool = False) -> Callable[[F], F]:
    """`-q`, `-v` and, for commands that print data, `--json`: the command gets `out`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_output(
            *args: Any, quiet: bool, verbose: int, as_json: bool = False, **named: Any
        ) -> Any:
            with Output(quiet=quiet, verbose=verbose, as_json=as_json) as out:
                return function(*args, out=out, **named)

        options: Sequence[Callable[[Any], Any]] = (
            click.option("-q", "--quiet", is_flag=True, help="Print data and errors only."),
            click.option("-v", "--verbose", count=True, help="Tell more; twice, still more."),
        )
        if json:
            options = [
                click.option("--json", "as_json", is_flag=True, help="Print data as JSON."),
                *options,
            ]
        decorated: Any = with_output
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate
