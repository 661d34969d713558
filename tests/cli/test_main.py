"""The entry point: exit codes, messages, and what goes wrong around a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import ldb as package
from ldb.cli import main as entry
from ldb.cli.app import App, app_of
from ldb.cli.main import cli, exit_code
from ldb.cli.parsing import Command
from ldb.cli.table import ROWS, SECTIONS, TABLE, Row
from ldb.errors import (
    Ambiguous,
    BadInput,
    BadName,
    Conflict,
    Corrupt,
    LdbError,
    NotFound,
    StoreFailed,
    Unsupported,
    Untrusted,
)
from tests.cli.conftest import Ldb

ERRORS: list[tuple[LdbError, int]] = [
    (LdbError("x"), 1),
    (StoreFailed("/x", "full"), 1),
    (Unsupported("x"), 1),
    (BadInput("x", "y"), 2),
    (BadName("x", "y"), 2),
    (NotFound("x", "y"), 3),
    (Ambiguous("x", "y", ["y1", "y2"]), 3),
    (Conflict("x", 1, 2), 4),
    (Corrupt("x", "y"), 5),
    (Untrusted("x"), 6),
]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Makes `ldb probe` a command that does what the test wants."""

    def install(body: Callable[[], object]) -> None:
        probe = Command("probe", callback=body)
        original = type(cli).get_command
        monkeypatch.setattr(
            cli,
            "get_command",
            lambda ctx, name: probe if name == "probe" else original(cli, ctx, name),
        )
        monkeypatch.setattr(cli, "list_commands", lambda ctx: ["probe", *ROWS])

    return install


def test_help_lists_every_command_under_its_heading(ldb: Ldb) -> None:
    result = ldb("--help")
    assert (result.code, result.err) == (0, "")
    lines = [line.strip() for line in result.out.splitlines()]
    for row in TABLE:
        assert f"{row.section}:" in lines
        assert any(line.split()[:1] == [row.name] and row.short in line for line in lines)


def test_table_is_in_order() -> None:
    assert len(ROWS) == len(TABLE)
    assert {row.section for row in TABLE} <= set(SECTIONS)
    for row in TABLE:
        assert row.short.endswith(".")
        assert len(row.short) <= 60, row


def test_module_of_a_row() -> None:
    assert Row("add-storage", SECTIONS[0], "").module == "ldb.cli.porcelain.add_storage"
    assert Row("del", SECTIONS[0], "").module == "ldb.cli.porcelain.del_"
    assert Row("cat-file", SECTIONS[-1], "").module == "ldb.cli.plumbing.cat_file"


def test_version(ldb: Ldb) -> None:
    assert ldb("--version").out == f"ldb {package.__version__}\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("confg",), "No such command 'confg'. Did you mean config"),
        (("zzzz",), "No such command 'zzzz'."),
        (("config", "gte", "a.b"), "No such command 'gte'. Did you mean get?"),
        (("--instanc", "x"), "--instance"),
        (("config", "get"), "Missing argument 'KEY'."),
        (("config", "list", "extra"), "unexpected extra argument"),
        (("completion",), "say which shell, once"),
        (("completion", "-s", "csh"), "'csh' is not one of"),
        (("—-version",), "type --version"),
        (("config", "list", "—-json"), "type --json"),
        (("completion", "–shell=bash"), "type --shell"),
        (("completion", "-—shel", "bash"), "type --shell"),
        (("completion", "—s", "bash"), "type -s"),
        (("-C", "/no/such/folder", "config", "list"), "-C /no/such/folder: No such file"),
        (("--instance", "", "config", "list"), "--instance needs a path"),
    ],
)
def test_usage_errors(ldb: Ldb, args: tuple[str, ...], message: str) -> None:
    result = ldb(*args)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert message in result.err
    assert "hint: `ldb" in result.err


def test_long_dash_after_two_dashes_is_a_value(ldb: Ldb) -> None:
    assert ldb("config", "set", "--", "core.instance", "—json").code == 0
    assert ldb("config", "get", "core.instance").out == "—json\n"


def test_no_command_shows_help(ldb: Ldb) -> None:
    result = ldb()
    assert "Usage: ldb" in result.out + result.err


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_errors_become_message_hint_and_exit_code(
    ldb: Ldb,
    command: Callable[[Callable[[], object]], None],
    error: LdbError,
    code: int,
) -> None:
    def fail() -> None:
        raise error

    command(fail)
    result = ldb("probe")
    hint = f"hint: {error.hint}\n" if error.hint else ""
    assert (result.code, result.out, result.err) == (code, "", f"error: {error}\n{hint}")


def test_every_kind_of_error_has_a_code() -> None:
    public = [kind for kind in LdbError.__subclasses__() if kind.__module__ == "ldb.errors"]
    kinds = [LdbError, *public]
    tested = {type(error) for error, _ in ERRORS}
    assert set(kinds) <= tested
    assert all(exit_code(error) == code for error, code in ERRORS)


def test_a_command_may_return_its_exit_code(
    ldb: Ldb, command: Callable[[Callable[[], object]], None]
) -> None:
    command(lambda: 1)
    assert ldb("probe").code == 1


def test_ctrl_c(ldb: Ldb, command: Callable[[Callable[[], object]], None]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    command(interrupt)
    result = ldb("probe")
    assert result.code == 130
    assert result.err.endswith("interrupted\n")


def test_ctrl_c_that_a_class_tells_of_in_its_own_way(
    ldb: Ldb, command: Callable[[Callable[[], object]], None]
) -> None:
    """As numpy's do while they are imported, in Python 3.10 and 3.11."""

    class Interrupted:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    command(lambda: type("Imported", (), {"each": Interrupted()}))
    result = ldb("probe")
    assert (result.code, result.err) == (130, "interrupted\n")


def test_a_question_that_nobody_answers(
    ldb: Ldb, command: Callable[[Callable[[], object]], None]
) -> None:
    command(lambda: click.confirm("sure?", abort=True))
    result = ldb("probe", stdin="")
    assert result.code == 1
    assert result.err.endswith("error: nobody answered\n")


def test_our_own_mistakes_keep_their_traceback(
    ldb: Ldb, command: Callable[[Callable[[], object]], None]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    command(fail)
    with pytest.raises(ZeroDivisionError):
        ldb("probe")


def test_folders_add_up(ldb: Ldb, command: Callable[[Callable[[], object]], None]) -> None:
    Path("a/b").mkdir(parents=True)
    here, seen = Path.cwd(), []
    command(lambda: seen.append(app_of(click.get_current_context()).cwd))
    assert ldb("-C", "a", "-C", "b", "probe").code == 0
    assert seen == [here / "a" / "b"]


@pytest.mark.parametrize(
    ("option", "env", "found"),
    [
        ("inst", "other", "{cwd}/inst"),
        (None, "../up", "{cwd}/../up"),
        (None, "s3://bucket/x", "s3://bucket/x"),
        (None, "~/mine", "{home}/mine"),
        (None, None, "{home}/team/ldb"),
    ],
)
def test_instance_paths(
    tmp_path: Path, home: Path, option: str | None, env: str | None, found: str
) -> None:
    config = home / ".ldb" / "config"
    config.parent.mkdir()
    config.write_text("[core]\ninstance = team/ldb\n")
    app = App(tmp_path, home, {"LDB_DIR": env} if env else {}, option)
    choice = app.find_instance()
    assert choice is not None
    expected = found.format(cwd=tmp_path, home=home)
    assert choice.where == (expected if "://" in expected else os.path.normpath(expected))


def run(environment: dict[str, str], line: str) -> subprocess.CompletedProcess[str]:
    script = line.replace("LDB", f"{sys.executable} -m ldb.cli.main")
    shell = ["bash", "-c", script]
    return subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)


def test_a_reader_that_goes_away(environment: dict[str, str]) -> None:
    done = run(environment, 'LDB completion -s bash | true; echo "${PIPESTATUS[0]}"')
    assert done.stderr == ""
    assert done.stdout.strip() in {"0", "1"}  # 0 where the pipe took it all in time
    done = run(environment, "(sleep 0.5; LDB completion -s bash; echo $? >&2) | true")
    assert done.stderr == "1\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_stdout(environment: dict[str, str], home: Path) -> None:
    done = run(
        environment, f"export HOME={home}; LDB config set a.b c; LDB config list > /dev/full"
    )
    assert done.returncode == 1
    assert "error: standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_that_are_not_utf8_come_out_as_they_are(environment: dict[str, str]) -> None:
    code = "import sys; from ldb.cli.output import Output; sys.argv = ['ldb']\n"
    code += "from ldb.cli import main as m\n"
    code += "m._run = lambda args: Output().data('caf\\udce9') or 0\nm.main([])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout == b"caf\xe9\n"


def test_a_real_ctrl_c(environment: dict[str, str]) -> None:
    code = "import time; from ldb.cli import main as m; from ldb.cli.main import cli\n"
    code += "from ldb.cli.parsing import Command\n"
    code += "def wait():\n    print('ready', flush=True)\n    time.sleep(30)\n"
    code += "cli.get_command = lambda ctx, name: Command('probe', callback=wait)\n"
    code += "cli.list_commands = lambda ctx: ['probe']\nraise SystemExit(m.main(['probe']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert entry.INTERRUPTED == 130


def test_a_ctrl_c_while_python_imports(environment: dict[str, str]) -> None:
    code = "import os, signal, sys\nclass Stop:\n"
    code += "    def find_spec(self, name, path=None, target=None):\n"
    code += "        if name == 'click':\n            os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.meta_path.insert(0, Stop())\nfrom ldb.cli.entry import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_the_console_script(environment: dict[str, str]) -> None:
    code = "import signal, sys\nfrom ldb.cli.entry import main\nsys.argv = ['ldb', '--version']\n"
    code += "assert main() == 0\n"
    code += "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"ldb ")


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(environment: dict[str, str], home: Path, closed: str) -> None:
    done = run(environment, f"export HOME={home}; LDB config list {closed}")
    assert (done.returncode, done.stderr) == (0, "")
