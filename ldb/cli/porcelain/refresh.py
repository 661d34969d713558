"""`ldb refresh`: run a dataset's recipe again. docs/commands/refresh.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import as_typed, changes_json, counts, operation_json, plural
from ldb.cli.sources import dataset_names_of, warn
from ldb.porcelain.recipe import Step
from ldb.porcelain.refresh import Refreshed, refresh, refresh_draft
from ldb.refs.name import parse_version


@click.command(cls=Command)
@click.argument(
    "dataset", metavar="[ds:NAME]", required=False, shell_complete=dataset_names(dataset_names_of)
)
@click.option("-m", "--message", metavar="MSG", default="", help="What the new version is.")
@click.option("--dry-run", is_flag=True, help="Show the steps and what they would change.")
@output_options(json=True)
@pass_app
def command(app: App, dataset: str | None, message: str, dry_run: bool, out: Output) -> None:
    """Run the commands that made ds:NAME again, on today's index: its next version.

    Without ds:NAME: those of the workspace's dataset, into the draft, for `ldb commit` to
    save. Commands that cannot be repeated are named, and what they did is kept. Nothing new
    makes no version.

    \b
    Examples:
      ldb refresh ds:cats --dry-run
      ldb refresh ds:cats -m "with what was indexed this week"
      ldb refresh
    """
    place = place_of(app)
    if dataset is None:
        if message:
            raise click.UsageError("-m goes with ds:NAME; here `ldb commit -m` saves the draft")
        done = refresh_draft(place, dry_run=dry_run, progress=out.progress())
    else:
        done = refresh(
            place, parse_version(dataset),
            message=message, dry_run=dry_run, progress=out.progress(),
        )  # fmt: skip
    warn(out, done.warnings)
    if out.as_json:
        out.json(_value(done))
        return
    for step in done.steps:
        if dry_run or out.verbose:
            out.data(_line(step))
        elif step.why_kept:
            out.warn(f"{step.version} is kept as it was: {visible(step.why_kept)}")
    out.say(_summary(done, dry_run, dataset is None))


def _line(step: Step) -> str:
    """A step on one line."""
    typed = f"ldb {visible(as_typed(step.operation.command))}" if step.operation.command else "-"
    if step.why_kept:
        how = f"kept as it was: {visible(step.why_kept)}"
    elif step.fixed:
        how = f"again; {plural(step.fixed, 'object')} picked by hand"
    else:
        how = "again"
    return f"{step.version}  {typed}  ({how}; {step.before:,} -> {step.after:,})"


def _summary(done: Refreshed, dry_run: bool, draft: bool) -> str:
    if not done.changes:
        return f"{done.source} is what its recipe gives today"
    what = f"{plural(done.objects, 'data object')} ({counts(done.changes)} from {done.source})"
    if dry_run:
        return f"would be {what}"
    return f"{'the draft' if draft else done.version or done.source}: {what}"


def _value(done: Refreshed) -> dict[str, object]:
    return {
        "source": str(done.source),
        "version": str(done.version) if done.version else None,
        "objects": done.objects,
        **changes_json(done.changes),
        "steps": [
            {
                "version": str(step.version),
                "operation": operation_json(step.operation),
                "again": not step.why_kept,
                "why": step.why_kept,
                "picked_by_hand": step.fixed,
                "before": step.before,
                "after": step.after,
            }
            for step in done.steps
        ],
    }
