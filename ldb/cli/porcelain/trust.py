"""`ldb trust`: look at code that is not LDB's, and let it run. docs/commands/trust.md."""

from __future__ import annotations

import sys

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import sources_argument
from ldb.errors import Untrusted
from ldb.porcelain.trust import Item, Looked, forget, look, trust

DIGITS = 12


@click.command(cls=Command)
@sources_argument
@click.option("-y", "--yes", is_flag=True, help="Trust it without being asked.")
@click.option("--forget", "revoke", is_flag=True, help="Trust none of it any more.")
@output_options(json=True)
@pass_app
def command(app: App, sources: tuple[str, ...], yes: bool, revoke: bool, out: Output) -> None:
    """Show code that is not LDB's, and let it run from now on.

    That is what the instance has in custom_code/ (functions for queries, programs for --sort
    and --pipe), and what the transforms of SOURCES run: ds:NAME or ds:NAME.vN, by default all
    datasets and the draft. With -v all of it is printed. Nothing of it runs here.

    What you trust is what was shown: code that changes asks again. Exit code 6 where
    something is not trusted at the end.

    \b
    Examples:
      ldb trust
      ldb trust -v ds:cats
      ldb trust --yes
      ldb trust --forget
    """
    place = place_of(app)
    looked = look(place, sources)
    _show(looked, out)
    if revoke:
        gone = forget(place, looked)
        out.say("nothing of it is trusted any more" if gone else "nothing of it was trusted")
    elif not looked.trusted:
        asked = sys.stdin is not None and sys.stdin.isatty()
        if not yes and not (asked and click.confirm("Trust all of this?", err=True)):
            raise Untrusted(_what(looked), "if you do trust it: ldb trust --yes")
        trust(place, looked)
        out.say(f"trusted {plural(len(looked.items), 'piece')} of code")


def _what(looked: Looked) -> str:
    new = [each for each in looked.items if each.state != "trusted"]
    gone = "files that were trusted are gone" if not new else ""
    return gone or f"{new[0].kind} {new[0].name}" + (
        f" and {len(new) - 1} more" if len(new) > 1 else ""
    )


def _show(looked: Looked, out: Output) -> None:
    if out.as_json:
        for each in looked.items:
            out.json(_value(each))
        return
    if not looked.items:
        out.say("there is no code here")
        return
    for each in looked.items:
        out.data(f"{each.state:8}{each.kind:11}{each.hash[:DIGITS]}  {visible(each.name)}")
        if out.verbose or each.kind == "transform":
            for line in each.text.splitlines():
                out.data(f"    {visible(line)}")
    if looked.judged.trusted and looked.judged.code.files:
        out.say(f"trusted: {looked.judged.why}" if looked.judged.why else "trusted")


def _value(item: Item) -> dict[str, str]:
    return {
        "kind": item.kind,
        "name": item.name,
        "hash": item.hash,
        "state": item.state,
        "text": item.text,
    }
