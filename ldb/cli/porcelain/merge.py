"""`ldb merge`: bring two datasets together. docs/commands/merge.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import changes_json, counts, plural
from ldb.cli.sources import dataset_names_of
from ldb.porcelain.merge import (
    Clash,
    Clashes,
    Merged,
    Prefer,
    clashes,
    merge_datasets,
    merge_into_draft,
)
from ldb.refs.name import parse_version


@click.command(cls=Command)
@click.argument(
    "names", nargs=-1, metavar="[ds:A] ds:B", shell_complete=dataset_names(dataset_names_of)
)
@click.option("--into", metavar="ds:NEW", default="", help="Make a new dataset of it.")
@click.option("--ours", is_flag=True, help="Where both changed an object, keep what A has.")
@click.option("--theirs", is_flag=True, help="Where both changed an object, take what B has.")
@click.option("-m", "--message", metavar="MSG", default="", help="What the new version is.")
@output_options(json=True)
@pass_app
def command(
    app: App,
    names: tuple[str, ...],
    into: str,
    ours: bool,
    theirs: bool,
    message: str,
    out: Output,
) -> None:
    """Bring what ds:B changed since the two parted into ds:A, as its next version.

    With ds:B alone: into the draft of the workspace, for `ldb commit` to save. An object
    changed in both ways is a conflict: all of them are listed, nothing is changed, exit code
    4. Datasets that do not come from one another are united.

    \b
    Examples:
      ldb merge ds:cats ds:cats-cleaned
      ldb merge ds:cats                      # into the draft
      ldb merge ds:cats ds:dogs --into ds:pets
      ldb merge ds:cats ds:cats-cleaned.v3 --theirs
    """
    if not 1 <= len(names) <= 2:
        raise click.UsageError("name one dataset (for the draft) or two")
    if ours and theirs:
        raise click.UsageError("--ours and --theirs exclude each other")
    if len(names) == 1 and (into or message):
        raise click.UsageError("--into and -m make a version of two datasets: name both")
    progress = out.progress()
    prefer: Prefer = "ours" if ours else "theirs" if theirs else ""
    place, specs = place_of(app), [parse_version(name) for name in names]
    try:
        if len(specs) == 1:
            done = merge_into_draft(place, specs[0], prefer=prefer, progress=progress)
        else:
            done = merge_datasets(
                place, specs[0], specs[1],
                into=into, prefer=prefer, message=message, progress=progress,
            )  # fmt: skip
    except Clashes as error:
        for clash in clashes(place, error.conflicts):
            _print(clash, out)
        raise
    _tell(done, out)


def _print(clash: Clash, out: Output) -> None:
    if out.as_json:
        out.json({
            "conflict": str(clash.id), "path": clash.path,
            "ours": clash.ours, "theirs": clash.theirs,
        })  # fmt: skip
    else:
        what = f"ours: {clash.ours}; theirs: {clash.theirs}"
        out.data(f"conflict id:{clash.id}  {what}  {visible(clash.path)}".rstrip())


def _tell(done: Merged, out: Output) -> None:
    if out.as_json:
        out.json({
            "version": str(done.version) if done.version else None,
            "base": str(done.base) if done.base else None,
            "merged": str(done.other), "objects": done.objects, **changes_json(done.changes),
        })  # fmt: skip
        return
    since = f"since {done.base}" if done.base else "united: no version is in the past of both"
    if not done.changes and done.version is None:
        out.say(f"nothing to merge from {done.other} ({since})")
        return
    if done.changes.removed:
        why = f"in {done.base}, from which both come, and no longer in {done.other}"
        told = f"removed {plural(done.changes.removed, 'data object')}: {why}"
        if done.of_split:
            out.warn(f"{told}, a part of a split; `ldb add {done.other.ref}` only adds")
        else:
            out.say(told)
    where = str(done.version) if done.version else "the draft"
    found = f"{counts(done.changes)} from {done.other}, {since}"
    out.say(f"{where}: {plural(done.objects, 'data object')} ({found})")
