"""`ldb gc`: delete what no version needs. docs/commands/gc.md."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.porcelain.gc import GRACE, gc

if TYPE_CHECKING:
    from ldb.porcelain.gc import GcReport
    from ldb.porcelain.gc.report import Amount

_SECONDS = {"h": 3600, "d": 86400}


def duration(text: str) -> float:
    """The type of options that take a time: `36h`, `3d`."""
    match = re.fullmatch(r"(\d{1,6})([hd])", text)
    if not match:
        raise click.BadParameter(f"{text!r} is not a number of hours or days, as 36h or 3d")
    return float(int(match[1]) * _SECONDS[match[2]])


@click.command(cls=Command)
@click.option("--prune", is_flag=True, help="Do it: condemn, and delete what was condemned before.")
@click.option("--dry-run", is_flag=True, help="Say what would be done. The default.")
@click.option(
    "--grace",
    type=duration,
    metavar="TIME",
    help="Condemn what is older, and delete what was condemned longer ago: 36h, 3d (default).",
)
@click.option(
    "--alone", is_flag=True, help="No other command works on this instance: delete at once."
)
@output_options(json=True)
@pass_app
def command(
    app: App, prune: bool, dry_run: bool, grace: float | None, alone: bool, out: Output
) -> None:
    """Delete packs and blobs that no version needs, beside whoever is at work.

    The first run puts them on a list, a later one deletes what is on it and needed by nobody
    still. Without --prune nothing is changed.

    \b
    Examples:
      ldb gc                  # what would be done
      ldb gc --prune          # now, and again in three days
      ldb gc --prune --alone  # at once: nobody else uses this instance
    """
    if prune and dry_run:
        raise click.UsageError("--prune does it and --dry-run does not: give one of them")
    if alone and grace is not None:
        raise click.UsageError("--alone has no grace period: give one of them")
    instance = open_instance_of(app)
    report = gc(
        instance,
        prune=prune,
        grace=GRACE if grace is None else grace,
        alone=alone,
        progress=out.progress(),
    )
    if out.as_json:
        out.json(_json(report))
    else:
        _print(report, out)


def _print(report: GcReport, out: Output) -> None:
    would = "would be " if report.dry_run else ""
    for amount, what in ((report.deleted, "deleted"), (report.condemned, "condemned")):
        if amount:
            out.say(f"{would}{what}: {_words(amount)}")
    if report.temporaries:
        out.say(f"{would}deleted: {report.temporaries} temporary file(s) of stopped commands")
    if report.spared:
        out.say(f"spared: {report.spared} condemned, and needed again")
    for each in report.waiting:
        why = f": {each.why}" if each.why else ""
        out.say(f"list {each.number}: {each.names} condemned, due in {_time(each.due)}{why}")
    if report.unfinished:
        out.say("not finished: run it again in an hour")
    if not (report.deleted or report.condemned or report.waiting or report.temporaries):
        young = f"; too young to tell: {_words(report.young)}" if report.young else ""
        out.say(f"nothing to delete{young}")
    elif report.dry_run:
        out.say("nothing was changed: --prune does it")
    out.detail(f"too young to tell: {_words(report.young)}")
    out.detail(f"kept: {_words(report.kept)}")


def _words(amount: Amount) -> str:
    parts = [f"{amount.packs} pack(s)", f"{amount.loose} loose blob(s)"]
    if amount.derived:
        parts.append(f"{amount.derived} file(s) of columns and places")
    return f"{', '.join(parts)}, {amount.bytes / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    if seconds <= 0:
        return "no time"
    hours = -(-seconds // 3600)
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} d"


def _json(report: GcReport) -> dict[str, object]:
    value = asdict(report)
    value["waiting"] = [{**each, "due": round(each["due"])} for each in value["waiting"]]
    return value
