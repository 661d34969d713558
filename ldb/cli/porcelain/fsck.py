"""`ldb fsck`: is everything there, and is it what was written? docs/commands/fsck.md."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ldb.backends.opening import open_backend
from ldb.cli.app import App, pass_app
from ldb.cli.opening import choice_of, configure_clouds, need_choice
from ldb.cli.options import LocalPath, PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
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
FEW = 3
"""Problems of one kind that are named one by one."""


@click.command(cls=Command)
@click.option(
    "--workspace",
    metavar="DIR",
    type=LocalPath(),
    help="Check this workspace too; by default the one around you.",
)
@click.option("--repair", is_flag=True, help="Mend what can be mended, then check.")
@click.option(
    "--from",
    "copy",
    metavar="PATH|URL",
    type=PathOrUrl("dir"),
    help="With --repair: another copy of the instance.",
)
@output_options(json=True)
@pass_app
def command(app: App, workspace: str | None, repair: bool, copy: str | None, out: Output) -> int:
    """Check every file of the instance, and of the workspace around you.

    Finds whatever is damaged or missing, names it, and says which versions need it: exit
    code 5. Nothing is changed without --repair. `-v` names each of many problems alike,
    and also tells what is odd and harmless.

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
    _print_problems(report, out)
    for note in report.notes:
        out.detail(note)
    done = report.checked
    found = len(report.problems) + report.more
    out.say(
        f"checked {done.files} files ({done.bytes / 1e6:.1f} MB), {done.blobs} blobs, "
        f"{done.versions} versions: " + (f"{found} problem(s)" if found else "all sound")
    )


def _print_problems(report: Report, out: Output) -> None:
    """Each problem, or of many alike how many there are; of many the sum first."""
    kinds = report.alike()
    total = len(report.problems) + report.more
    if total > FEW:
        versions = {name for each in report.problems for name in each.needed_by}
        out.data(
            f"{plural(total, 'problem')} of {plural(len(kinds), 'kind')}; "
            f"{plural(len(versions), 'version')} cannot be read whole"
        )
        if any(alike[0].why.endswith(" is missing") for alike in kinds):
            for pack in report.lost_packs:
                out.data(f"{pack} is not there, and files made from it are")
    for alike in kinds:
        if out.verbose or len(alike) <= FEW:
            for problem in alike:
                out.data(f"{problem.name}: {problem.why}")
                _print_needs(problem.needed_by, out)
        else:
            out.data(f"{len(alike):,} times: {alike[0].why}; {alike[0].name} for one")
            _print_needs([*dict.fromkeys(name for each in alike for name in each.needed_by)], out)
    if report.more:
        out.data(f"and {report.more:,} more")
    if not out.verbose and any(len(alike) > FEW for alike in kinds):
        out.say("`ldb fsck -v` names each")


def _print_needs(versions: Sequence[str], out: Output) -> None:
    if versions:
        shown = versions if out.verbose else versions[:SHOWN_VERSIONS]
        rest = len(versions) - len(shown)
        out.data(f"  needed by {', '.join(shown)}" + (f" and {rest} more" if rest else ""))


def _json(report: Report) -> dict[str, object]:
    done = report.checked
    return {
        "sound": report.sound,
        "problems": [
            {"name": each.name, "why": each.why, "needed_by": list(each.needed_by)}
            for each in report.problems
        ],
        "more": report.more,
        "lost_packs": list(report.lost_packs),
        "notes": list(report.notes),
        "checked": asdict(done),
    }
