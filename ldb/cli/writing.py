"""What `instantiate` and `get` share: options on how to write, and what was written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import click

from ldb.cli.app import App
from ldb.cli.caching import cache_options
from ldb.cli.formats import FormatName
from ldb.cli.options import LocalPath, program_words
from ldb.cli.output import Output, visible
from ldb.cli.parsing import GreedyOption
from ldb.cli.showing import joined, plural
from ldb.instantiate.options import InstantiateOptions, InstantiateReport, Link
from ldb.porcelain.instantiate import in_format
from ldb.storage.location import shown

F = TypeVar("F", bound=Callable[..., Any])
FAILED = 1

_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-m", "--format", "--output-format", "format_"), {
        "type": FormatName(reading=False), "default": "bare", "show_default": True,
        "help": "bare: all objects; strict: only those that have an annotation; others: "
                "docs/formats/labels.md.",
    }),
    (("-p", "--param", "params"), {
        "multiple": True, "metavar": "KEY=VALUE", "help": "A parameter of the format; repeatable.",
    }),
    (("-t", "--target"), {
        "metavar": "DIR", "type": LocalPath(), "help": "Folder to write into.",
    }),
    (("-f", "--force"), {
        "is_flag": True,
        "help": "Beside other files, over edited ones, and clean up after earlier runs.",
    }),
    (("--annotations-only",), {"is_flag": True, "help": "No data files."}),
    (("--preserve-paths",), {
        "is_flag": True, "help": "Keep the folders and names of the storage location.",
    }),
    (("--apply",), {
        "cls": GreedyOption, "greedy": True, "type": program_words, "metavar": "EXEC [ARGS]...",
        "help": "Run a program on every object, as a transform; up to the next option.",
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
    app: App,
    default: str,
    *,
    format_: str,
    params: tuple[str, ...],
    target: str | None,
    apply: tuple[str, ...] | None,
    **given: Any,
) -> InstantiateOptions:
    """The options as the library takes them; `default` is the target where none is given."""
    folder = os.path.normpath(os.path.join(app.cwd, target)) if target else default
    cache = cache_options(app)
    made = InstantiateOptions(folder, apply=apply or (), cache=cache, **given)
    return in_format(made, format_, params)


def tell(
    report: InstantiateReport,
    options: InstantiateOptions,
    out: Output,
    before: Mapping[str, Any] = MappingProxyType({}),
) -> int | None:
    """Say what was written where; the exit code. JSON begins with what was done before."""
    for problem in report.problems:
        out.warn(f"{visible(shown(problem.path))}: {problem.why}")
    for problem in report.passed_over:
        out.detail(f"{visible(shown(problem.path))}: {problem.why}; another path had it")
    for loss in report.losses:
        more = f", {loss.count:,} times" if loss.count > 1 else ""
        out.warn(f"not carried over: {visible(loss.why)} ({visible(shown(loss.first))}{more})")
    if out.as_json:
        out.json({**before, **_value(report, options.folder)})
    else:
        out.say(_summary(report, options.folder, options.labels is not None))
    return FAILED if report.problems else None


def _summary(report: InstantiateReport, folder: str, in_labels: bool) -> str:
    what = "label file" if in_labels else "annotation"
    count = report.label_files if in_labels else report.annotations
    written = f"wrote {plural(report.objects, 'data object')} and {plural(count, what)} to {folder}"
    return joined([
        written,
        f"{plural(report.outputs, 'output')} of transforms" if report.outputs else "",
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
        "label_files": report.label_files,
        "outputs": report.outputs,
        "already_there": report.already_there,
        "skipped": report.skipped,
        "removed": report.removed,
        "left": report.left,
        "problems": [{"path": shown(each.path), "why": each.why} for each in report.problems],
        "not_carried_over": [
            {"why": each.why, "count": each.count, "first": each.first} for each in report.losses
        ],
    }
