"""`ldb import-legacy`: take in an instance of LDB 0.7 or older. docs/commands/import-legacy.md."""

from __future__ import annotations

import os

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import LocalPath, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.porcelain.import_legacy import import_legacy

FAILED = 1


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=LocalPath())
@output_options(json=True)
@pass_app
def command(app: App, folder: str, out: Output) -> int | None:
    """Take in an instance that LDB 0.7 or older made (the package ldb-alpha).

    Data objects with their paths, tags and all versions of their annotations; datasets with
    all versions, messages and times; local storage locations. DIR is only read. What cannot
    be taken over is named, and the exit code is 1.

    \b
    Examples:
      ldb import-legacy ~/.ldb/private_instance
      ldb import-legacy old/instance --json
    """
    where = os.path.normpath(os.path.join(app.cwd, os.path.expanduser(folder)))
    found = import_legacy(place_of(app), where, out.progress())
    for problem in found.problems:
        out.warn(visible(problem))
    if out.as_json:
        out.json({
            "datasets": [
                {"version": str(each.newest), "new_versions": each.versions}
                for each in found.done.datasets
            ],
            "objects": found.objects, "new_objects": found.done.objects,
            "new_annotations": found.done.annotations,
            "locations": list(found.locations), "problems": list(found.problems),
        })  # fmt: skip
    else:
        for each in found.done.datasets:
            new = plural(each.versions, "new version") if each.versions else "nothing new"
            out.say(f"{each.newest}: {new}")
        known = found.objects - found.done.objects
        out.say(f"{plural(found.objects, 'data object')}, {known:,} of them known before")
        for location in found.locations:
            out.say(f"storage location {location}")
    return FAILED if found.problems else None
