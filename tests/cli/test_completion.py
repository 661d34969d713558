"""`ldb completion`, and what the shells get when they ask."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from ldb.cli import shells
from ldb.cli.shells import dataset_names, source_names
from ldb.errors import NotFound
from tests.cli.conftest import ROOT, Ldb

NAMES = ["cats", "cat-photos", "dogs"]
PARAM = click.Argument(["x"])
CTX = click.Context(click.Command("x"))

# A program called ldb whose `show` command completes dataset names.
PROGRAM = f"""\
import sys
import time
from collections.abc import Callable, Iterator
import click
from ldb.cli import main, shells
from ldb.cli.parsing import Command
names = shells.source_names(lambda ctx: {NAMES!r})
source = click.Argument(["source"], nargs=-1, shell_complete=names)
show = Command("show", params=[source, click.Option(["--json"], is_flag=True)])
original = main.cli.get_command
main.cli.get_command = lambda ctx, name: show if name == "show" else original(ctx, name)
sys.exit(main.main())
"""


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    program = tmp_path / "bin" / "ldb"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/program.py" "$@"\n')
    program.chmod(0o755)
    return program.parent


@pytest.mark.parametrize("shell", shells.SHELLS)
def test_script_names_the_program(ldb: Ldb, shell: str) -> None:
    done = ldb("completion", "-s", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_LDB_COMPLETE={shell}_complete" in done.out
    assert done.out.count("_ldb_completion") >= 2


@pytest.mark.parametrize("shell", shells.SHELLS)
def test_script_is_one_that_the_shell_can_read(ldb: Ldb, tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    script = tmp_path / "script"
    script.write_text(ldb("completion", "-s", shell).out)
    subprocess.run([program, "-n", str(script)], check=True)


def bash(environment: dict[str, str], folder: Path, line: str, breaks: str) -> list[str]:
    """What bash would offer at the end of the line; it splits words at `breaks`."""
    script = f"""
        PATH="{folder}:$PATH"
        COMP_WORDBREAKS=$1
        eval "$(ldb completion -s bash)"
        compopt() {{ echo "compopt $1 $2"; }}
        COMP_LINE=$2 COMP_POINT=${{#2}} COMPREPLY=()
        _ldb_completion ldb
        for reply in "${{COMPREPLY[@]}}"; do echo "$reply"; done
    """
    command = ["bash", "-c", script, "bash", breaks, line]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "breaks", "offered"),
    [
        ("ldb conf", " :=", ["config"]),
        ("ldb config ", " :=", ["get", "list", "set", "unset"]),
        ("ldb config list --j", " :=", ["--json"]),
        ("ldb completion -s ", " :=", ["bash", "zsh", "fish"]),
        ("ldb -C / completion -s z", " :=", ["zsh"]),
        ("ldb show ds:c", " :=", ["cats", "cat-photos"]),
        ("ldb show ds:c", " ", ["ds:cats", "ds:cat-photos"]),
        ("ldb show ds:cats ds:", " :=", ["cats", "cat-photos", "dogs"]),
        ("ldb show 'ds:cats' --j", " :=", ["--json"]),
        ("ldb show d", " :=", ["compopt -o default", "ds:cats", "ds:cat-photos", "ds:dogs"]),
        ("ldb show ds:nothing", " :=", []),
        ("ldb no-such-command x", " :=", []),
    ],
)
def test_bash_offers(
    environment: dict[str, str], bin_folder: Path, line: str, breaks: str, offered: list[str]
) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    assert bash(environment, bin_folder, line, breaks) == offered


@pytest.fixture
def place(ldb: Ldb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pair, a dataset of it in an instance, and `ldb` on the path."""
    work = Path.cwd()
    (work / "data set").mkdir()
    (work / "data set" / "one.jpg").write_text("one")
    (work / "data set" / "one.json").write_text('{"class": "cat"}')
    for line in (["init", "inst"], ["add-storage", "data set"], ["index", "data set"]):
        assert ldb(*line).code == 0
    assert ldb("stage", "ds:cats", "ws").code == 0
    assert ldb("-C", str(work / "ws"), "add", "ds:root").code == 0
    assert ldb("-C", str(work / "ws"), "commit").code == 0
    program = tmp_path / "bin" / "ldb"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ldb.cli.main "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return work


OFFERED = [
    ("ldb list ds:c", ["ds:cats"], "list ds:cats"),
    ("ldb stage ds:cats.", ["ds:cats.v1"], "stage ds:cats.v1"),
    ("ldb status ds:", ["ds:cats"], "status ds:cats"),
    ("ldb list --query cla", ["class"], "--query class"),
    ("ldb stat", ["stats", "status"], "ldb stat"),
    ("ldb config get core.inst", ["core.instance"], "get core.instance"),
    ("ldb index data", ["data set/"], "index data set/"),
    ("ldb list data\\ set/o", ["data set/one.jpg", "data set/one.json"], "data set/one.j"),
    ("ldb -C w", ["ws/"], "-C ws/"),
    ("ldb add-storage dat", ["data set/"], "add-storage data set/"),
]
"""What is typed, what is offered, and what the line holds when a tab has added what is sure."""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_offers(place: Path) -> None:
    lines = "".join(f"complete -C {shlex.quote(line)}; echo --; " for line, *_ in OFFERED)
    script = f"ldb completion -s fish | source; {lines}"
    done = subprocess.run(["fish", "-c", script], cwd=place, capture_output=True, text=True)
    assert done.stderr == ""
    for (line, wanted, _), found in zip(OFFERED, done.stdout.split("--\n")):
        offered = [each.partition("\t")[0].replace("\\", "") for each in found.splitlines()]
        assert [each for each in wanted if each not in offered] == [], line


Typed = Callable[[str], object]
Until = Callable[[bytes], bytes]


@contextlib.contextmanager
def terminal(command: list[str], folder: Path) -> Iterator[tuple[Typed, Until]]:
    """A program at a terminal: what types, and what reads until something was shown."""
    ours, its = pty.openpty()
    program = subprocess.Popen(
        command, cwd=folder, stdin=its, stdout=its, stderr=its,
        start_new_session=True,
    )  # fmt: skip
    os.close(its)

    def until(end: bytes) -> bytes:
        shown, late = b"", time.monotonic() + 60
        while not shown.endswith(end):
            assert select.select([ours], [], [], max(0, late - time.monotonic()))[0], shown
            shown += os.read(ours, 1)
        return shown

    try:
        yield lambda text: os.write(ours, text.encode()), until
    finally:
        program.kill()
        program.wait()
        os.close(ours)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_completes(place: Path) -> None:
    """Typed at a terminal, with a tab, and the line is shown instead of run."""
    show = "show() { BUFFER=\"print -r -- '=''='${(qqq)BUFFER}'=''='\"; zle accept-line }"
    with terminal(["zsh", "-f", "-i"], place) as (typed, until):
        typed(
            "unsetopt zle_bracketed_paste; setopt no_beep; autoload -Uz compinit; compinit -D -u\n"
        )
        typed(f'eval "$(ldb completion -s zsh)"; {show}; zle -N show; bindkey "^X" show\n')
        for line, _, wanted in OFFERED:
            typed(f"{line}\t\x18")
            shown = until(b"==\r\n").decode().rpartition("\r\n==")[2]
            assert wanted in shown.replace("\\", ""), line


def test_names_are_found_anew_each_time() -> None:
    names = ["a"]
    complete = dataset_names(lambda ctx: names)
    assert [item.value for item in complete(CTX, PARAM, "")] == ["ds:a"]
    names.append("b")
    assert [item.value for item in complete(CTX, PARAM, "ds:b")] == ["ds:b"]


def test_a_prompt_sees_no_errors() -> None:
    def fail(ctx: click.Context) -> list[str]:
        raise NotFound("LDB instance", "x")

    assert dataset_names(fail)(CTX, PARAM, "") == []
    assert [item.type for item in source_names(fail)(CTX, PARAM, "da")] == ["file"]


@pytest.mark.parametrize("shell", shells.SHELLS)
def test_the_shell_is_named_by_option_or_word(ldb: Ldb, shell: str) -> None:
    by_option = ldb("completion", "-s", shell)
    assert by_option.code == 0
    assert ldb("completion", shell) == by_option
    assert ldb("completion", shell, "-s", shell).code == 2
    assert "-s bash|zsh|fish" in ldb("completion").err
