"""Data on stdout, conversation on stderr, bars on terminals only."""

from __future__ import annotations

import io
import sys
import time
from types import SimpleNamespace

import pytest

from ldb.cli import output
from ldb.cli.output import Bar, Output
from ldb.clouds import notices
from ldb.progress import SILENT

Capture = pytest.CaptureFixture[str]


def test_data_and_conversation_are_apart(capsys: Capture) -> None:
    out = Output()
    out.data("row")
    out.say("done")
    out.detail("hidden")
    out.warn("careful")
    assert capsys.readouterr() == ("row\n", "done\nwarning: careful\n")


def test_quiet_keeps_data_and_warnings(capsys: Capture) -> None:
    out = Output(quiet=True, verbose=2)
    out.data("row")
    out.say("done")
    out.detail("more")
    out.warn("careful")
    assert capsys.readouterr() == ("row\n", "warning: careful\n")


@pytest.mark.parametrize(("level", "said"), [(0, ""), (1, "a\n"), (2, "a\nb\n")])
def test_verbose(capsys: Capture, level: int, said: str) -> None:
    out = Output(verbose=level)
    out.detail("a")
    out.detail("b", level=2)
    assert capsys.readouterr() == ("", said)


def test_table(capsys: Capture) -> None:
    Output().table([("cats", 3, ""), ("a", 12345, "x")], headings=("name", "objects", "note"))
    assert capsys.readouterr().out == ("name  objects  note\ncats  3\na     12345    x\n")


def test_empty_tables(capsys: Capture) -> None:
    Output().table([])
    Output().table([], headings=("a", "b"))
    assert capsys.readouterr().out == "a  b\n"


def test_json_is_one_line_in_the_order_given(capsys: Capture) -> None:
    Output().json({"b": ["ü", 1.0], "a": None, "n": "x\ny"})
    assert capsys.readouterr().out == '{"b":["ü",1.0],"a":null,"n":"x\\ny"}\n'


def test_json_of_a_name_that_is_not_utf8_is_valid_json(capsys: Capture) -> None:
    Output().json("caf\udce9")
    assert capsys.readouterr().out == '"caf\\udce9"\n'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_bar_where_nobody_looks() -> None:
    assert Output().progress() is SILENT


def test_no_bar_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert Output(quiet=True).progress() is SILENT


def test_short_work_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Output() as out:
        progress = out.progress()
        progress.start("hashing", total=10)
        for _ in range(10):
            progress.advance()
    assert terminal.getvalue() == ""


def test_bar_appears_late_gives_way_and_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(output, "BAR_AFTER", 0.02)
    with Output() as out:
        progress = out.progress()
        progress.start("hashing", total=4)
        progress.advance()
        assert terminal.getvalue() == ""
        time.sleep(0.03)
        progress.advance()
        assert "hashing  [###############               ]  50%  2/4" in terminal.getvalue()
        out.warn("careful")
        assert terminal.getvalue().endswith("\r\x1b[Kwarning: careful\n")
        time.sleep(0.11)
        progress.advance(2)
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "100%" in terminal.getvalue()


@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_hears_of_a_store_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Output(quiet=quiet):
        notices.trying_again("s3://team", "no route", 20)
    notices.trying_again("s3://team", "nobody is there any more", 40)
    told = "" if quiet else "waiting for s3://team: no route; trying again\n"
    assert terminal.getvalue() == told


def test_a_script_does_not(capsys: Capture) -> None:
    with Output():
        notices.trying_again("s3://team", "no route", 20)
    assert capsys.readouterr() == ("", "")


def test_short_phases_that_are_long_together_show_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    clock = iter((0.0, 0.2, 0.6, 0.8, 1.3))  # seconds: opened, started, one step, started, one step
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Output() as out:
        progress = out.progress()
        for label in ("one", "two"):
            progress.start(label)
            progress.advance()
    assert terminal.getvalue() == "\rtwo  1  2/s\x1b[K\r\x1b[K"


def test_no_bar_for_what_a_terminal_shows_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(output, "BAR_AFTER", 0.0)
    with Output() as out:
        assert list(out.printing([[1], [2]])) == [[1], [2]]
    assert terminal.getvalue() == ""


def test_bar_lines() -> None:
    bar = Bar(io.StringIO())
    bar.start("listing")
    bar.advance(2500)
    assert bar.line(2.0) == "listing  2,500  1,250/s"
    bar.start("hashing", total=10_000)
    bar.advance(2500)
    assert bar.line(50.0).endswith(" 25%  2,500/10,000  50/s  2:30 left")
    bar.advance(20_000)
    assert "100%" in bar.line(50.0)
    assert bar.line(50.0).endswith("0:00 left")
