"""What every engine must do. A new one's test is a fixture and this suite:

class TestMyEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return MyEngine()
"""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

import pytest

from ldb.engines.base import Engine
from ldb.engines.cluster import FIRST_ITEMS
from ldb.errors import BadInput
from tests.engines.work import Squares


class EngineContract:
    """The promises of `ldb.engines.base.Engine`."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    @pytest.mark.parametrize("count", [0, 1, 2, 300])
    def test_results_in_order_and_durable(self, engine: Engine, tmp_path: Path, count: int) -> None:
        work = Squares(str(tmp_path))
        with engine.run(work, iter(range(count)), "squaring") as results:
            assert list(results) == [number * number for number in range(count)]
        assert work.settled() == list(range(count))

    def test_items_that_are_work_enough(self, engine: Engine, tmp_path: Path) -> None:
        work = Squares(str(tmp_path))
        with engine.run(work, iter(range(20)), "squaring", together=False) as results:
            assert list(results) == [number * number for number in range(20)]
        assert work.settled() == list(range(20))

    def test_one_engine_runs_several_times(self, engine: Engine, tmp_path: Path) -> None:
        for start in (0, 10):
            work = Squares(str(tmp_path))
            with engine.run(work, iter(range(start, start + 10)), "squaring") as results:
                assert sum(results) == sum(n * n for n in range(start, start + 10))
        assert work.settled() == list(range(20))

    def test_error_of_ours_comes_as_it_is(self, engine: Engine, tmp_path: Path) -> None:
        work = Squares(str(tmp_path), bad=150)
        with (
            pytest.raises(BadInput, match="numbers: 150 is a bad one") as found,
            engine.run(work, iter(range(300)), "squaring") as results,
        ):
            list(results)
        assert found.value.hint == "take another"

    def test_mistake_comes_as_it_is(self, engine: Engine, tmp_path: Path) -> None:
        work = Squares(str(tmp_path), broken=5)
        with (
            pytest.raises(ZeroDivisionError),
            engine.run(work, iter(range(30)), "squaring") as results,
        ):
            list(results)

    def test_a_bounded_number_is_ahead(self, engine: Engine, tmp_path: Path) -> None:
        items = itertools.count()
        stopped = False
        try:
            with engine.run(Squares(str(tmp_path)), items, "squaring") as results:
                assert next(results) == 0
                assert next(items) < 1000
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            stopped = True
        assert stopped

    def test_nothing_is_begun_after_an_error(self, engine: Engine, tmp_path: Path) -> None:
        work = Squares(str(tmp_path), slow=0.01)
        with (
            contextlib.suppress(KeyboardInterrupt),
            engine.run(work, itertools.count(), "squaring") as results,
        ):
            next(results)
            raise KeyboardInterrupt
        with engine.run(Squares(str(tmp_path)), iter([-2, -3, -4]), "squaring") as results:
            assert list(results) == [4, 9, 16]
        begun = list(tmp_path.glob("*.begun"))
        time.sleep(0.2)
        assert len(list(tmp_path.glob("*.begun"))) - len(begun) <= FIRST_ITEMS * 2
