"""`ldb index`: index data where it lies. docs/commands/index.md."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, get_args

import click

from ldb.cli import showing
from ldb.cli.app import App, pass_app
from ldb.cli.formats import FormatName, params_option
from ldb.cli.opening import place_of
from ldb.cli.options import TagList, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.engines.base import Engine
from ldb.engines.opening import open_engine
from ldb.formats.pairs import AUTO
from ldb.indexing.merge import AnnotationUpdate
from ldb.porcelain.index import Indexed, index, restore_index
from ldb.refs.name import parse_version

FAILED = 1


@click.command(cls=Command)
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option(
    "-m",
    "--format",
    "format_",
    type=FormatName(reading=True),
    default=AUTO,
    show_default=True,
    help="How data files and labels lie together: docs/formats/labels.md.",
)
@params_option
@click.option(
    "--add-tags", "tags", type=TagList(), metavar="A,B", help="Give every data object these tags."
)
@click.option(
    "--engine",
    metavar="ENGINE",
    help="Where to work: local, dask, dask://HOST:PORT. Default: core.engine, or local.",
)
@click.option(
    "--annotation-update",
    type=click.Choice(get_args(AnnotationUpdate)),
    default="replace",
    show_default=True,
    help="What a new annotation does to the one an object has.",
)
@click.option("--strict", is_flag=True, help="Index nothing where there is any problem.")
@click.option("--message", default="", metavar="TEXT", help="Why, for `ldb log ds:root`.")
@click.option(
    "--restore", metavar="ds:root.vN", help="Make an earlier version of the index the newest."
)
@output_options(json=True)
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    format_: str,
    params: tuple[str, ...],
    tags: tuple[str, ...] | None,
    annotation_update: AnnotationUpdate,
    engine: str | None,
    strict: bool,
    message: str,
    restore: str | None,
    out: Output,
) -> int | None:
    """Index folders, files or globs: read what is new or changed since the last time.

    `a.jpg` has its annotation in `a.json` beside it. Hidden files are left out. What cannot
    be indexed is reported and the rest goes on; the exit code is then 1. Every run makes a
    new version of the index, ds:root.

    \b
    Examples:
      ldb index /data/images
      ldb index -m infer -p base-label=other /data/animals
      ldb index -m strict --add-tags 2024,winter /data/images/winter
      ldb index '/data/images/*/cam1/*.jpg'
      ldb index --annotation-update merge /data/reviewed
      ldb index --engine dask://10.0.0.5:8786 /shared/images
      ldb index --restore ds:root.v3     # undo the runs after it
    """
    if (restore is None) == (not paths):
        raise click.UsageError("name something to index, or --restore a version (not both)")
    place = place_of(app, quick_start=True)
    if restore is not None:
        version = restore_index(place, parse_version(restore), message)
        out.say(f"{version} is {restore} again: {version.commit.maps['objects'].count:,} objects")
        return None
    with _engine(app, engine) as running:
        done = index(
            place,
            paths,
            format=format_,
            params=params,
            tags=tags or (),
            strict=strict,
            annotation_update=annotation_update,
            message=message,
            command=("index", *(["--strict"] if strict else []), *paths),
            engine=running,
            progress=out.progress(),
        )
    _tell(done, out)
    return FAILED if done.report.problems else None


def _engine(app: App, name: str | None) -> AbstractContextManager[Engine]:
    """The engine that the option, or else the settings, name."""
    if name is not None:
        return open_engine(name)
    where = f"core.engine in {app.settings.path}"
    return open_engine(app.settings.get("core.engine") or "local", where=where)


def _tell(done: Indexed, out: Output) -> None:
    report = done.report
    for problem in report.problems:
        out.warn(f"{visible(problem.path)}: {problem.why}")
    if out.as_json:
        out.json(_value(done))
        return
    for each in done.layouts:
        if each.chosen.why:
            say = out.detail if each.chosen.is_pairs else out.say
            say(f"{visible(each.path)}: read as {each.chosen.name}: {visible(each.chosen.why)}")
    if done.imported:
        out.say(
            f"copied {showing.plural(done.imported, 'file')} to {done.read_add} and indexed there"
        )
    if report.label_files:
        out.say(f"label files:  {report.label_files:,} found, {report.labels_read:,} read")
    if report.lone:
        out.detail(f"{showing.plural(report.lone, 'file')} without the other half left out")
    out.say(
        f"data objects: {report.found_objects:,} found, {report.new_objects:,} new\n"
        f"annotations:  {report.found_annotations:,} found, {report.new_annotations:,} new\n"
        f"paths:        {report.new_paths:,} new, {report.gone_paths:,} gone"
    )
    if report.version is not None:
        total = report.version.commit.maps["objects"].count
        out.say(f"{report.version}: {total:,} data objects in all")
    if report.problems:
        out.warn(f"{showing.plural(len(report.problems), 'problem')}; all else is indexed")


def _value(done: Indexed) -> dict[str, Any]:
    report = done.report
    return {
        "version": str(report.version),
        "data_objects": {"found": report.found_objects, "new": report.new_objects},
        "annotations": {"found": report.found_annotations, "new": report.new_annotations},
        "formats": [
            {"path": each.path, "format": each.chosen.name, "why": each.chosen.why or "asked for"}
            for each in done.layouts
        ],
        "label_files": {"found": report.label_files, "read": report.labels_read},
        "paths": {"new": report.new_paths, "gone": report.gone_paths},
        "updated": report.updated_objects,
        "left_out": report.lone,
        "imported": done.imported,
        "problems": [{"path": each.path, "why": each.why} for each in report.problems],
    }
