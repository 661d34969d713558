"""Measuring: time, memory of the process and of its children, failures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.measure import CommandFailed, Cost, Step, measure, stored

LARGE = 150_000_000


def python(code: str, folder: Path) -> tuple[Cost, str]:
    return measure(Step([sys.executable, "-c", code], folder, dict(os.environ)))


def test_wall_holds_waiting_and_cpu_does_not(tmp_path: Path) -> None:
    cost, text = python("import time; time.sleep(0.4); print('done')", tmp_path)
    assert text == "done\n"
    assert cost.wall >= 0.4
    assert cost.cpu < cost.wall - 0.2


def test_cpu_holds_the_children_that_were_waited_for(tmp_path: Path) -> None:
    spin = "import time\nwhile time.process_time() < 0.4: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"
    assert python(code, tmp_path)[0].cpu >= 0.4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_of_a_child_is_in_the_tree_and_not_in_the_parent(tmp_path: Path) -> None:
    hold = f"import time; held = b'x' * {LARGE}; time.sleep(0.3)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    cost, _ = python(code, tmp_path)
    assert cost.tree_mb > LARGE / 1e6
    assert cost.parent_mb < LARGE / 1e6
    assert python(hold, tmp_path)[0].parent_mb > LARGE / 1e6


def test_a_failure_names_the_command_and_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3: no luck"):
        python("import sys; print('no luck', file=sys.stderr); sys.exit(3)", tmp_path)


def test_output_larger_than_a_pipe_is_read_whole(tmp_path: Path) -> None:
    assert len(python("print('x' * 1_000_000)", tmp_path)[1]) == 1_000_001


def test_costs_of_steps_add_up_but_memory_does_not() -> None:
    both = Cost.together([Cost(1, 2, 30, 40), Cost(3, 4, 20, 90)])
    assert both == Cost(4, 6, 30, 90)


def test_stored_counts_bytes_and_files_below(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"12345")
    (tmp_path / "d").write_bytes(b"678")
    assert stored(tmp_path) == (8, 2)
