"""`ldb`: runs a command, and turns what went wrong into a message and an exit code.

| exit code | meaning                          |
|-----------|----------------------------------|
| 0         | ok                               |
| 1         | failed                           |
| 2         | usage: what was given is wrong   |
| 3         | not found                        |
| 4         | conflict: another was first      |
| 5         | corrupt                          |
| 6         | not trusted                      |
| 130       | interrupted                      |

A command returns None or its exit code. An exception that is not an `LdbError` is a
mistake of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from collections.abc import Sequence

import click

from ldb import __version__
from ldb.cli.app import app_of
from ldb.cli.parsing import TableGroup
from ldb.errors import BadInput, Conflict, Corrupt, LdbError, NotFound, Untrusted
from ldb.system import WINDOWS

EXIT_CODES: tuple[tuple[type[LdbError], int], ...] = (
    (BadInput, 2),
    (NotFound, 3),
    (Conflict, 4),
    (Corrupt, 5),
    (Untrusted, 6),
    (LdbError, 1),
)
FAILED = 1
INTERRUPTED = 130
STANDARD = 3
"""Numbers below are those of the standard streams."""
COMPLETE_VARIABLE = "_LDB_COMPLETE"


@click.group(
    cls=TableGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND [ARGS]…",
    epilog="`ldb COMMAND --help` tells more of a command.",
)
@click.option(
    "-C",
    "folders",
    metavar="DIR",
    multiple=True,
    type=click.Path(file_okay=False),
    help="Run as if started in DIR; repeatable.",
)
@click.option(
    "--instance",
    metavar="PATH",
    type=click.Path(file_okay=False),
    help="Use the instance at this path or URL.",
)
@click.version_option(__version__, prog_name="ldb", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, folders: tuple[str, ...], instance: str | None) -> None:
    """LDB, the Label Database: Git for labelled data.

    Index data where it lies, ask about its annotations, keep the answers as versioned
    datasets, write them out for training.
    """
    app_of(ctx)


def main(args: Sequence[str] | None = None) -> int:
    """Run `ldb` with these arguments (default: the process's) and return its exit code."""
    if COMPLETE_VARIABLE in os.environ:
        import ldb.cli.shells  # noqa: F401  (registers the shells; only completion needs it)
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # file names that are not UTF-8 come out as the bytes they are, as from ls and git
        # and lines end alike on every system
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    code = _run(args)
    try:
        sys.stdout.flush()  # so that what stdout refuses shows here, not at exit
    except BrokenPipeError:
        _forget_stdout()
        return code or FAILED
    except OSError as error:
        _forget_stdout()
        if WINDOWS and error.errno == errno.EINVAL:  # what a closed pipe says there
            return code or FAILED
        return _report(f"standard output: {error.strerror or error}", "", FAILED)
    return code


def _open_streams() -> None:
    """Standard streams that are closed (`>&-`) lead to nowhere.

    Else a file that we open would get the number of one, and what is printed would go into it.
    A closed stdin stays None: a command that reads it must not take it for an empty one.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < STANDARD:
        pass
    os.close(number)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _run(args: Sequence[str] | None) -> int:
    try:
        code = cli.main(args, "ldb", COMPLETE_VARIABLE, standalone_mode=False)
    except LdbError as error:
        return _report(str(error), error.hint, exit_code(error))
    except click.UsageError as error:
        return _report_usage(error)
    except click.ClickException as error:
        return _report(error.format_message(), "", error.exit_code)
    except click.Abort as stop:
        interrupted = isinstance(stop.__cause__ or stop.__context__, KeyboardInterrupt)
        return _interrupted() if interrupted else _report("nobody answered", "", FAILED)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if not _came_of_ctrl_c(error):
            raise
        return _interrupted()
    return code if isinstance(code, int) else 0


def _came_of_ctrl_c(error: BaseException | None) -> bool:
    """Whether it was an interruption: who is interrupted while importing may tell of it otherwise
    (`Error calling __set_name__`, which numpy's classes end with before Python 3.12)."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def exit_code(error: LdbError) -> int:
    """The number in the table that stands for this error."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def _report(message: str, hint: str, code: int) -> int:
    from ldb.cli.output import harmless  # `--help` does without

    click.echo(harmless(f"error: {message}"), err=True)
    if hint:
        click.echo(harmless(f"hint: {hint}"), err=True)
    return code


def _report_usage(error: click.UsageError) -> int:
    if isinstance(error, _NO_ARGUMENTS):
        error.show()  # a group without a command: its help
        return error.exit_code
    hint = f"`{error.ctx.command_path} --help` shows what it takes" if error.ctx else ""
    return _report(error.format_message(), hint, error.exit_code)


# newer than the oldest click that is supported
_NO_ARGUMENTS: type[Exception] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


def leave(code: int) -> int:
    """The exit code, once the process may end; after Ctrl-C it ends here.

    At its end Python waits for all threads, and those may wait for a store (`ldb/threads.py`).
    """
    if code == INTERRUPTED and threading.active_count() > 1:
        sys.stderr.flush()
        os._exit(code)
    return code


def _interrupted() -> int:
    click.echo("interrupted", err=True)
    return INTERRUPTED


def _forget_stdout() -> None:
    """The reader (`| head`) has gone; what is still buffered must not fail at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(leave(main()))
