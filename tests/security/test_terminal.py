"""What is printed cannot command a terminal."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.cli.main import main
from ldb.cli.output import Output, harmless

ESCAPE = "\x1b]0;owned\x07\x9b2J\u202e"


@given(st.text())
def test_only_lines_and_tabs_are_left(text: str) -> None:
    shown = harmless(text)
    assert all(char in "\n\t" or ord(char) >= 32 for char in shown)
    assert not any("\x7f" <= char <= "\x9f" for char in shown)
    assert harmless(shown) == shown


def test_errors_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", "/", "--instance", f"/nowhere{ESCAPE}", "ds", "list"]) == 3
    assert "\x1b" not in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_data_are_guarded_for_people_and_whole_for_scripts(stream: type[io.StringIO]) -> None:
    with contextlib.redirect_stdout(stream()) as out:
        Output().data(f"a{ESCAPE}\n\tb")
    assert ("\x1b" in out.getvalue()) is (stream is io.StringIO)
    assert "\n\tb" in out.getvalue()


def test_json_is_guarded_everywhere() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        Output().json({"a": ESCAPE, "b": b"\xff"})
    assert out.getvalue().isascii()
    assert out.getvalue().endswith('"b":"ff"}\n')
