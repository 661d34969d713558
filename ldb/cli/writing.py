"""What `instantiate` and `get` share: options on how to write, and what was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from ldb.cli.app import App
from ldb.cli.caching import cache_options
from ldb.cli.output import Output, visible
from ldb.cli.showing import joined, plural
from ldb.formats.pairs import AUTO, NAMES
from ldb.instantiate.options import InstantiateOptions, InstantiateReport, Link
from ldb.porcelain.instantiate import is_strict

F = TypeVar("F", bound=Callable[..., Any])
FAILED = 1

_FORMATS = [name for name, known in NAMES.items() if known != AUTO]
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-m", "--format", "--output-format", "format_"), {
        "type": click.Choice(_FORMATS), "default": "bare", "show_default": True,
        "help": "bare: all objects; strict: only those that have an annotation.",
    }),
    (("-t", "--target"), {
        "metavar": "DIR", "type": click.Path(), "help": "Folder to write into.",
    }),
    (("-f", "--force"), {
        "is_flag": True,
        "help": "Beside other files, over edited ones, and clean up after earlier runs.",
    }),
    (("--annotations-only",), {"is_flag": True, "help": "No data files."}),
    (("--preserve-paths",), {
        "is_flag": True, "help": "Keep the folders and names of the storage location.",
    }),
    (("--link",), {
        "type": click.Choice(get_args(Link)), "default": "auto", "show_default": True,
        "help": "How data files get there; auto: reflink where that works, else copy.",
    }),
)  # fmt: skip


def writing_options(function: F) -> F:
    """How to write: the command passes what it gets on to `options_of`."""
    for names, settings in reversed(_OPTIONS):
        function = click.option(*names, **settings)(function)
    return function


def options_of(
    app: App, default: str, *, format_: str, target: str | None, **given: Any
) -> InstantiateOptions:
    """The options as the library takes them; `default` is the target where none is given."""
    folder = os.path.normpath(os.path.join(app.cwd, target)) if target else default
    cache = cache_options(app)
    return InstantiateOptions(folder, strict=is_strict(format_), cache=cache, **given)


def tell(report: InstantiateReport, folder: str, out: Output) -> int | None:
    """Say what was written where; the exit code."""
    for problem in report.problems:
        out.warn(f"{visible(problem.path)}: {problem.why}")
    for problem in report.passed_over:
        out.detail(f"{visible(problem.path)}: {problem.why}; another path had it")
    if out.as_json:
        out.json(_value(report, folder))
    else:
        out.say(_summary(report, folder))
    return FAILED if report.problems else None


def _summary(report: InstantiateReport, folder: str) -> str:
    written = (
        f"wrote {plural(report.objects, 'data object')} "
        f"and {plural(report.annotations, 'annotation')} to {folder}"
    )
    return joined([
        written,
        f"{plural(report.already_there, 'file')} there already" if report.already_there else "",
        f"{report.skipped:,} without annotation left out" if report.skipped else "",
        f"{plural(report.removed, 'old file')} removed" if report.removed else "",
        f"{plural(report.left, 'file')} of earlier runs left" if report.left else "",
        f"{plural(len(report.problems), 'problem')}" if report.problems else "",
    ])  # fmt: skip


def _value(report: InstantiateReport, folder: str) -> dict[str, Any]:
    return {
        "folder": folder,
        "data_objects": report.objects,
        "annotations": report.annotations,
        "already_there": report.already_there,
        "skipped": report.skipped,
        "removed": report.removed,
        "left": report.left,
        "problems": [{"path": each.path, "why": each.why} for each in report.problems],
    }
