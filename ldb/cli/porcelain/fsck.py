"""`ldb fsck`: is everything there, and is it what was written? docs/commands/fsck.md."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ldb.backends.opening import open_backend
from ldb.cli.app import App, pass_app
from ldb.cli.opening import choice_of, configure_clouds, need_choice
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.errors import Corrupt
from ldb.porcelain.fsck import fsck
from ldb.settings import InstanceChoice
from ldb.workspace import find

if TYPE_CHECKING:
    from ldb.backends.base import Backend
    from ldb.porcelain.fsck import Report
    from ldb.porcelain.fsck.repair import Repaired

CORRUPT = 5
SHOWN_VERSIONS = 5


@click.command(cls=Command)
@click.option(
    "--workspace", metavar="DIR", help="Check this workspace too; by default the one around you."
)
@click.option("--repair", is_flag=True, help="Mend what can be mended, then check.")
@click.option(
    "--from", "copy", metavar="PATH|URL", help="With --repair: another copy of the instance."
)
@output_options(json=True)
@pass_app
def command(app: App, workspace: str | None, repair: bool, copy: str | None, out: Output) -> int:
    """Check every file of the instance, and of the workspace around you.

    Finds whatever is damaged or missing, names it, and says which versions need it: exit
    code 5. Nothing is changed without --repair. `-v` also tells what is odd and harmless.

    \b
    Examples:
      ldb fsck
      ldb fsck -v
      ldb fsck --json | jq -r '.problems[].name'
      ldb fsck --repair --from /backup/instance
    """
    if copy is not None and not repair:
        raise click.UsageError("--from says where --repair takes things from: give that too")
    folder = _workspace(app, workspace)
    choice = need_choice(_choice(app))
    configure_clouds(app, choice.where)
    backend = open_backend(choice.where)
    done = _repaired(app, backend, copy, out) if repair else None
    report = fsck(backend, folder, out.progress())
    if out.as_json:
        out.json(_json(report) | (asdict(done) if done else {}))
    else:
        _print(report, out)
        if not report.sound and copy is None:
            out.say("to mend it from another copy: ldb fsck --repair --from PATH|URL")
    return 0 if report.sound else CORRUPT


def _repaired(app: App, backend: Backend, copy: str | None, out: Output) -> Repaired:
    """Mend, and tell what was mended and what was not."""
    from ldb.porcelain.fsck.repair import repair

    source = None
    if copy is not None:
        where = copy if "://" in copy else os.path.normpath(os.path.join(app.cwd, copy))
        configure_clouds(app, where)
        source = open_backend(where)
    done = repair(backend, source, out.progress())
    for line in done.mended:
        out.say(f"mended: {line}")
    for line in done.lost:
        out.warn(f"not mended: {line}")
    return done


def _workspace(app: App, given: str | None) -> str | None:
    if given is not None:
        return os.path.normpath(os.path.join(app.cwd, given))
    return find(str(app.cwd))


def _choice(app: App) -> InstanceChoice | None:
    try:
        return choice_of(app)
    except Corrupt:  # the workspace's own file, which the check will name
        return app.find_instance()


def _print(report: Report, out: Output) -> None:
    for problem in report.problems:
        out.data(f"{problem.name}: {problem.why}")
        if problem.needed_by:
            shown = problem.needed_by if out.verbose else problem.needed_by[:SHOWN_VERSIONS]
            rest = len(problem.needed_by) - len(shown)
            out.data(f"  needed by {', '.join(shown)}" + (f" and {rest} more" if rest else ""))
    if report.more:
        out.data(f"and {report.more} more")
    for note in report.notes:
        out.detail(note)
    done = report.checked
    found = len(report.problems) + report.more
    out.say(
        f"checked {done.files} files ({done.bytes / 1e6:.1f} MB), {done.blobs} blobs, "
        f"{done.versions} versions: " + (f"{found} problem(s)" if found else "all sound")
    )


def _json(report: Report) -> dict[str, object]:
    done = report.checked
    return {
        "sound": report.sound,
        "problems": [
            {"name": each.name, "why": each.why, "needed_by": list(each.needed_by)}
            for each in report.problems
        ],
        "more": report.more,
        "notes": list(report.notes),
        "checked": asdict(done),
    }
