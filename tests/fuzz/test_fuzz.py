"""A short run of every fuzz target; long ones: `make fuzz`, results: docs/design/017-fuzzing.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.tape import Tape
from tests.fuzz.target import Target, accepts
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
SLOW = {"commit": 8, "record": 8, "state": 8, "settings": 10, "ref": 15, "places": 20, "pack": 30}
SLOW |= dict.fromkeys(("coco", "cvat", "voc", "yolo", "openimages", "boxes-written"), 15)
"""Examples of targets that run commands or read a whole store for each."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_input_is_taken_or_refused(target: Target) -> None:
    examples = SLOW.get(target.name, 60)

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
    @given(st.binary(min_size=4, max_size=120))
    def run(raw: bytes) -> None:
        accepts(target, target.make(Tape(raw)))

    run()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
def test_the_long_run_counts_and_limits(tmp_path: Path) -> None:
    """The command that `make fuzz` runs, with memory limited by the system."""
    command = [sys.executable, "-m", "tests.fuzz", "loose", "json", "--cases", "40"]
    done = subprocess.run(
        [*command, "--keep", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["target"] for each in told] == ["json", "loose"]
    assert all(each["cases"] == 40 and not each["found"] for each in told)
