"""`ldb verify`: are data objects still there and the same? docs/commands/verify.md."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import joined, plural
from ldb.cli.sources import sources_argument, warn
from ldb.porcelain.verify import VerifyOptions, verify
from ldb.query.selection import FilterSpec
from ldb.storage.checking import Finding, State
from ldb.storage.location import shown

CODES = ((State.CHANGED, 5), (State.MISSING, 3), (State.UNREADABLE, 1))
"""Exit codes; the first state that was found counts."""

KNOWN = {
    State.SUPERSEDED: "superseded: other content was indexed at that path since",
    State.GONE: "gone: the file was removed, and the index knows",
}
FORGET = "`ldb unindex id:…` forgets a data object that no version of a dataset holds"


@click.command(cls=Command)
@sources_argument
@click.option("--quick", is_flag=True, help="Compare sizes, times and ETags only; read no data.")
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    quick: bool,
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
) -> int | None:
    """Check that data objects are still where they were seen, and still the same.

    Every path of every data object is read and its hash compared with the id. Without
    SOURCES: the draft of the workspace, or the index where there is no workspace. Exit code 5
    if a path holds something else, 3 if one is missing, 1 if one cannot be read. What was
    edited (superseded) or removed (gone) and indexed again is no fault in the index.

    \b
    Examples:
      ldb verify
      ldb verify ds:cats.v3 --quick
      ldb verify s3://bucket/images/ --sample 0.01
      ldb verify ds:root --json | jq -r 'select(.state == "missing").path'
    """
    place = place_of(app)
    options = VerifyOptions(quick, ok_too=out.as_json or out.verbose > 0)
    done = verify(place, sources, filters, options, seed=seed, progress=out.progress())
    warn(out, done.warnings)
    tally = _Tally()
    for some in done.found:
        tally.add(some.findings, some.ok)
        for finding in some.findings:
            if out.as_json:
                out.json(_value(finding))
            else:
                out.data(_line(finding))
    out.say(tally.summary(done.objects))
    states = {state for state in State if tally.states[state]}
    if tally.given_up:
        out.say("; ".join([*(KNOWN[each] for each in KNOWN if each in states), FORGET]))
    if tally.given_up and not done.of_index:
        states.add(State.MISSING)
    return next((code for state, code in CODES if state in states), None)


class _Tally:
    """How many places were found how, and which objects have no good place left."""

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self._bad: Counter[bytes] = Counter()
        self._paths: dict[bytes, int] = {}
        self._given_up: set[bytes] = set()

    def add(self, findings: Any, ok: int) -> None:
        self.states[State.OK] += ok
        for finding in findings:
            self.states[finding.state] += 1
            if finding.state is not State.OK:
                self._bad[finding.place.object_id] += 1
                self._paths[finding.place.object_id] = finding.place.paths
            if finding.state in KNOWN:
                self._given_up.add(finding.place.object_id)

    @property
    def given_up(self) -> bool:
        """Whether no path is left of some object that was edited or removed and indexed again."""
        return any(self._bad[each] >= self._paths[each] for each in self._given_up)

    def summary(self, objects: int) -> str:
        lost = sum(count >= self._paths[each] for each, count in self._bad.items())
        return joined([
            f"verified {plural(self.states.total(), 'path')} of {plural(objects, 'data object')}",
            *(f"{self.states[state]:,} {state.value}" for state in State if self.states[state]),
            f"{plural(lost, 'data object')} without a good path" if lost else "",
        ])  # fmt: skip


def _line(finding: Finding) -> str:
    text = f"{finding.state.value:<10}  {visible(shown(finding.place.uri))}"
    return f"{text}: {finding.why}" if finding.why else text


def _value(finding: Finding) -> dict[str, str]:
    return {
        "path": shown(finding.place.uri),
        "id": finding.place.object_id.hex(),
        "state": finding.state.value,
        "why": finding.why,
    }
