"""`ldb index`: index data where it lies. docs/commands/index.md."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import click

from ldb.cli import showing
from ldb.cli.app import App, pass_app
from ldb.cli.formats import FormatName, params_option
from ldb.cli.opening import engine_of, place_of
from ldb.cli.options import PathOrUrl, TagList, engine_option, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.errors import NotFound
from ldb.formats.pairs import AUTO
from ldb.indexing.merge import AnnotationUpdate
from ldb.porcelain.index import Indexed, index, restore_index
from ldb.refs.name import parse_version

if TYPE_CHECKING:
    from ldb.porcelain.draft import Changed
    from ldb.porcelain.place import Place

FAILED = 1


@click.command(cls=Command)
@click.argument("paths", nargs=-1, metavar="PATH…", type=PathOrUrl())
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
@engine_option("Where to work")
@click.option(
    "--annotation-update",
    type=click.Choice(get_args(AnnotationUpdate)),
    default="replace",
    show_default=True,
    help="What a new annotation does to the one an object has.",
)
@click.option(
    "--ephemeral-remote",
    is_flag=True,
    help="Copy cloud files that are in no location to the read-add location, as local ones.",
)
@click.option(
    "-a",
    "--add",
    "workspace",
    metavar="ws:DIR",
    help="Add what is there to the draft of this workspace.",
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
    ephemeral_remote: bool,
    workspace: str | None,
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
      ldb index -a ws:cats /data/images/cats
      ldb index --ephemeral-remote s3://elsewhere/images
      ldb index --engine dask://10.0.0.5:8786 /shared/images
      ldb index --restore ds:root.v3     # undo the runs after it
    """
    if (restore is None) == (not paths):
        raise click.UsageError("name something to index, or --restore a version (not both)")
    if restore is not None and workspace is not None:
        raise click.UsageError("--restore finds nothing that could be added")
    place = place_of(app, quick_start=True)
    there = _workspace(place, workspace) if workspace is not None else None
    if restore is not None:
        version = restore_index(place, parse_version(restore), message)
        out.say(f"{version} is {restore} again: {version.commit.maps['objects'].count:,} objects")
        return None
    with engine_of(app) as running:
        done = _index_of(ephemeral_remote)(
            place,
            paths,
            format=format_,
            params=params,
            tags=tags or (),
            strict=strict,
            annotation_update=annotation_update,
            message=message,
            command=("index", *_flags(strict, ephemeral_remote), *paths),
            engine=running,
            progress=out.progress(),
        )
    added = _add(there, place, paths, done, out) if there is not None else None
    _tell(done, out, added)
    return FAILED if done.report.problems else None


def _index_of(ephemeral_remote: bool) -> Callable[..., Indexed]:
    if not ephemeral_remote:
        return index
    from ldb.porcelain.ephemeral import index_fetching  # clients of object stores

    return index_fetching


def _flags(strict: bool, ephemeral_remote: bool) -> list[str]:
    flags = {"--strict": strict, "--ephemeral-remote": ephemeral_remote}
    return [name for name, given in flags.items() if given]


def _workspace(place: Place, name: str) -> Place:
    """The same instance, seen from the workspace `ws:DIR`."""
    if not name.startswith("ws:"):
        raise click.UsageError(f"{name!r} is no workspace; those look like ws:DIR")
    there = replace(place, cwd=os.path.normpath(os.path.join(place.cwd, name[3:])))
    there.need_workspace()
    return there


def _add(there: Place, place: Place, paths: tuple[str, ...], done: Indexed, out: Output) -> Changed:
    """Add the data objects at the paths to a draft."""
    from ldb.porcelain.draft import add  # most runs add nothing
    from ldb.porcelain.sources import absolute_source

    sources = [absolute_source(text, place.cwd) for text in paths]
    ids = {absolute_source(text, place.cwd): found for text, found in done.ids.items()}
    command = ("add", *sources)
    try:
        added = add(there, sources, command=command, progress=out.progress(), ids=ids)
    except NotFound as error:
        _tell(done, out, None)
        error.hint = "what is there is indexed, but only labels are: add their objects by `ldb add`"
        raise
    for message in added.warnings:
        out.warn(message)
    return added


def _tell(done: Indexed, out: Output, added: Changed | None) -> None:
    report = done.report
    for problem in report.problems:
        out.warn(f"{visible(problem.path)}: {problem.why}")
    if out.as_json:
        more = {} if added is None else {"added": added.added, "updated": added.updated}
        out.json({**_value(done), **more})
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
    if report.outdated:
        out.say(
            f"{showing.plural(report.outdated, 'annotation')} left out: "
            "there is a newer state of the same task"
        )
    if report.disagreeing:
        objects = showing.plural(report.disagreeing, "data object")
        out.warn(
            f"{objects} with different annotations at different paths, of which the last in the "
            f"order of paths that is new counts: {visible(report.disagreement)} for one"
        )
    if report.new_objects and not report.found_annotations:
        _tell_of_folders(done, out)
    if report.version is not None:
        total = report.version.commit.maps["objects"].count
        out.say(f"{report.version}: {total:,} data objects in all")
    if added is not None:
        total = added.workspace.state.root.count
        objects = showing.plural(added.added, "data object")
        out.say(f"added {objects}; the draft has {total:,}")
    if report.problems:
        out.warn(f"{showing.plural(len(report.problems), 'problem')}; all else is indexed")


def _tell_of_folders(done: Indexed, out: Output) -> None:
    """Where nothing had an annotation: that the folders may be the labels."""
    for each in done.layouts:
        if each.chosen.folders:
            shown = ", ".join(map(visible, each.chosen.folders[:3]))
            more = ", …" if len(each.chosen.folders) > 3 else ""
            path = showing.as_typed([each.path])
            out.say(
                f"no annotations; if the folders ({shown}{more}) are labels: "
                f"`ldb index -m imagenet {visible(path)}`"
            )


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
        "outdated": report.outdated,
        "disagreeing": report.disagreeing,
        "left_out": report.lone,
        "imported": done.imported,
        "problems": [{"path": each.path, "why": each.why} for each in report.problems],
    }
