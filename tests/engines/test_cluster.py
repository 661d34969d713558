"""The engine on a real Dask cluster keeps the promises, and survives what clusters do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.engines import cluster as engines
from ldb.engines.base import Engine
from ldb.engines.cluster import FIRST_ITEMS, MOST_ITEMS, SAME_SIZE, grouped
from ldb.engines.opening import open_engine
from ldb.errors import BadInput, StoreFailed, Unsupported
from tests.contracts.engine import EngineContract
from tests.engines.clusters import HOST, ROOT, cluster, free_port, kill
from tests.engines.work import Echo, Squares


@pytest.fixture
def engine(cluster_url: str) -> Iterator[Engine]:
    with open_engine(cluster_url) as found:
        yield found


class TestCluster(EngineContract):
    @pytest.fixture
    def engine(self, cluster_url: str) -> Iterator[Engine]:
        with open_engine(cluster_url) as found:
            yield found


def test_an_answer_is_durable_before_the_run_ends(engine: Engine, tmp_path: Path) -> None:
    work = Squares(str(tmp_path))
    with engine.run(work, iter(range(200)), "squaring") as results:
        for number, _ in enumerate(results):
            if number % 20 == 0:
                assert set(range(number + 1)) <= set(work.settled())


def test_an_item_is_a_task(engine: Engine, tmp_path: Path) -> None:
    with engine.run(Squares(str(tmp_path)), iter(range(20)), "squaring", together=False) as results:
        list(results)
    assert len(list(tmp_path.glob("*.done"))) == 20


def test_fetching_may_take_longer_than_a_look(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is there and still on its way is no task that ran out of time."""
    monkeypatch.setattr(engines, "LOOK_SECONDS", 0.0001)
    items = [bytes([at]) * 1_000_000 for at in range(12)]
    with engine.run(Echo(), iter(items), "echoing", together=False) as results:
        assert list(results) == items


def test_tasks_grow() -> None:
    sizes = [len(each) for each in grouped(iter(range(10_000)))]
    assert sum(sizes) == 10_000
    assert sizes[: SAME_SIZE + 1] == [FIRST_ITEMS] * SAME_SIZE + [2 * FIRST_ITEMS]
    assert max(sizes) == MOST_ITEMS


def test_another_version_is_refused(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "__version__", "9.9.9")
    with (
        pytest.raises(Unsupported, match=r"ldb 9\.9\.9 in front of ldb .* on the worker at"),
        engine.run(Squares(str(tmp_path)), iter([1]), "squaring") as results,
    ):
        list(results)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["spark", "dask:", "dask://", "dask://host", "dask://:8786", "dask://h:port",
             "tcp://h:1", "dask://u:p@h:1", "dask://h:1/x", ""],
)  # fmt: skip
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadInput, match="--engine: "), open_engine(name):
        pass


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 1.0)
    with (
        pytest.raises(StoreFailed, match="no Dask scheduler answers there"),
        open_engine(f"dask://{HOST}:{free_port()}"),
    ):
        pass


def test_somebody_else_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing."""
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 1.0)
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        with (
            pytest.raises(StoreFailed, match="no Dask scheduler answers there"),
            open_engine(f"dask://{HOST}:{port}"),
        ):
            pass


def test_without_dask(tmp_path: Path) -> None:
    """The error where the extra is not installed, and that `local` does without."""
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError('no')")
    code = "import sys; from ldb.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "--instance", str(tmp_path), "index"]
    done = subprocess.run(
        [*words, "--engine", "dask", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert done.returncode != 0
    assert "LDB instance not found" in done.stderr  # what is wrong first is said first
    subprocess.run([sys.executable, "-c", code, "init", str(tmp_path / "i")], check=True)
    words[4] = str(tmp_path / "i")
    done = subprocess.run(
        [*words, "--engine", "dask", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "hint: pip install 'ldb[dask]'")


def test_a_killed_worker_costs_only_time(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as found, open_engine(found.url) as engine:
        work = Squares(str(tmp_path), fatal_once=60)
        with engine.run(work, iter(range(300)), "squaring") as results:
            assert list(results) == [number * number for number in range(300)]
        assert work.settled() == list(range(300))
        assert sum(each.poll() == -signal.SIGKILL for each in found.workers) == 1


@pytest.mark.slow
def test_a_task_that_kills_every_worker(tmp_path: Path) -> None:
    with cluster(tmp_path, 5) as found, open_engine(found.url) as engine:
        work = Squares(str(tmp_path), deadly=0)
        with (
            pytest.raises(StoreFailed, match="ended several workers in a row"),
            engine.run(work, iter(range(20)), "squaring") as results,
        ):
            list(results)


def test_all_workers_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "NO_WORKERS_SECONDS", 1.0)
    with cluster(tmp_path, 1) as found, open_engine(found.url) as engine:
        with (
            pytest.raises(StoreFailed, match="has had no worker for"),
            engine.run(Squares(str(tmp_path), deadly=0), iter(range(20)), "squaring") as results,
        ):
            list(results)
        # One that comes later is as good as one that was there before.
        monkeypatch.setattr(engines, "NO_WORKERS_SECONDS", 60.0)
        found.add_worker()
        with engine.run(Squares(str(tmp_path)), iter(range(20)), "squaring") as results:
            assert len(list(results)) == 20


def test_scheduler_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 2.0)
    with cluster(tmp_path, 1) as found, open_engine(found.url) as engine:
        work = Squares(str(tmp_path), slow=0.02)
        with engine.run(work, iter(range(5000)), "squaring") as results:
            assert next(results) == 0
            kill(found.scheduler)
            with pytest.raises(StoreFailed, match="scheduler has gone"):
                list(results)
