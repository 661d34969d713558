"""Child processes: what Ctrl-C is to them. All else they do is tested by those who start them."""

from __future__ import annotations

import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

START = """
from tests.test_processes import tell
from ldb.processes import Team, forbid_fork, receive
if {afresh}:
    forbid_fork()
team = Team(tell, [(), ()])
print(*(receive(pipe, "the test") for pipe in team.pipes))
team.end(stop=False)
"""


def tell(pipe: Connection) -> None:
    """Whether Ctrl-C was held off from this process's very beginning."""
    pipe.send(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))


@pytest.mark.parametrize("afresh", [False, True])
def test_no_child_hears_of_ctrl_c(afresh: bool) -> None:
    """Not while Python starts in it either, where it would end with a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", START.format(afresh=afresh)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True True\n"
