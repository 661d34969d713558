"""`ldb completion`, and what the shells get when they ask."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ldb.cli import shells
from ldb.cli.shells import dataset_names, source_names
from ldb.errors import NotFound
from tests.cli.conftest import Ldb

NAMES = ["cats", "cat-photos", "dogs"]
PARAM = click.Argument(["x"])
CTX = click.Context(click.Command("x"))

# A program called ldb whose `show` command completes dataset names.
PROGRAM = f"""\
import sys
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
