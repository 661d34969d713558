"""The engine of local processes keeps the promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.errors import StoreFailed
from tests.contracts.engine import EngineContract
from tests.engines.work import Echo, Squares


class TestLocal(EngineContract):
    @pytest.fixture(params=[1, 2])
    def engine(self, request: pytest.FixtureRequest) -> Engine:
        return LocalEngine(request.param)


def test_a_killed_process_fails_the_run(tmp_path: Path) -> None:
    work = Squares(str(tmp_path), fatal_once=7)
    with (
        pytest.raises(StoreFailed, match="squaring: a worker process died"),
        LocalEngine(2).run(work, iter(range(100)), "squaring") as results,
    ):
        list(results)


def test_pipes_that_hold_less_than_an_item() -> None:
    """Batches of long names are like that: neither side may wait for the other to read."""
    items = [bytes([at]) * 1_000_000 for at in range(12)]
    with LocalEngine(2).run(Echo(), iter(items), "echoing") as results:
        assert list(results) == items
