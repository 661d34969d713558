"""The engine on a Dask cluster: a scheduler, and workers that may come and go.

Several items are one task. A task that was answered is durable, and one that was lost with its
worker is done again by another, which is the scheduler's business. Everything else that goes
wrong is an error in bounded time. Only this module knows Dask.
Design: docs/design/015-scale-out.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from ldb import __version__
from ldb.engines.base import AnyWork, Item, Result, Work
from ldb.engines.task import Failed, close_run, do_task, packed, try_work
from ldb.errors import LdbError, StoreFailed, Unsupported
from ldb.processes import forbid_fork

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""

NO_WORKERS_SECONDS = 60.0
"""How long a run waits for a first, or another, worker."""

LOOK_SECONDS = 2.0
"""Between two looks whether there still are workers, while a result is waited for."""

FETCH_SECONDS = 300.0
"""What fetching one result may take, some 20 MB; its worker may die meanwhile."""

CLOSE_SECONDS = 5.0
"""What tidying up may take; a cluster tidies up without us, only later."""

AHEAD = 4
"""Tasks in flight for each thread of the cluster: one that is slow leaves no other idle."""

FIRST_ITEMS, MOST_ITEMS, SAME_SIZE = 4, 64, 8
"""Items of the first tasks and of the largest; tasks of one size, while sizes double."""


class DaskEngine:
    """Runs work on the cluster of a scheduler; `url` is for messages."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url

    @property
    def forks(self) -> bool:
        return False  # the client's threads run here

    def try_out(self, work: AnyWork) -> None:
        _Run(self._client, self._url, work, "trial").try_out()

    @contextlib.contextmanager
    def run(
        self,
        work: Work[Item, Result],
        items: Iterator[Item],
        doing: str,
        *,
        together: bool = True,
    ) -> Iterator[Iterator[Result]]:
        run = _Run(self._client, self._url, work, doing)
        try:
            yield run.results(grouped(items) if together else ([item] for item in items))
        finally:
            run.end()


class _Run:
    def __init__(self, client: Client, url: str, work: object, doing: str) -> None:
        self._client = client
        self._url = url
        self._doing = doing
        self._work = packed(work)
        self._name = f"ldb-{doing}-{uuid.uuid4().hex}"
        self._pending: deque[Future] = deque()
        self._seen = time.monotonic()
        """When there last were workers, or when the run began."""

    def try_out(self) -> None:
        with self._lost_scheduler():
            told = self._client.run(try_work, __version__, self._work, on_error="return")
        for each in told.values():
            if isinstance(each, Failed):
                raise each.error
            if isinstance(each, ModuleNotFoundError):
                raise self._no_module(each)
            # One that has gone since does nothing wrong.
            if isinstance(each, Exception) and not isinstance(each, OSError):
                raise each

    def _no_module(self, error: ModuleNotFoundError) -> Unsupported:
        what = f"{self._url}: a worker has no module {error.name}"
        return Unsupported(what, f"install ldb {__version__} on the workers")

    def results(self, groups: Iterator[list[Any]]) -> Iterator[Any]:
        tasks = enumerate(groups)
        exhausted = False
        while True:
            room = AHEAD * max(1, self._threads())
            while not exhausted and len(self._pending) < room:
                number, group = next(tasks, (0, None))
                if group is None:
                    exhausted = True
                else:
                    self._submit(number, group)
            if not self._pending:
                return
            yield from self._answer(self._pending[0])
            self._pending.popleft()

    def _submit(self, number: int, group: list[Any]) -> None:
        with self._lost_scheduler():
            future = self._client.submit(
                do_task,
                __version__,
                self._name,
                self._work,
                packed(group),
                key=f"{self._name}-{number}",
                pure=False,
                # Who reads in order waits for the earliest, also when it is done once more.
                priority=-number,
            )
        self._pending.append(future)

    def _answer(self, future: Future) -> list[Any]:
        """The results of a task, once it is done."""
        from distributed import KilledWorker

        with self._lost_scheduler():
            try:
                answer = self._wait(future)
            except KilledWorker:
                why = f"one task of the {self._doing} ended several workers in a row"
                raise StoreFailed(self._url, why, "out of memory? see their logs") from None
            except ModuleNotFoundError as error:
                raise self._no_module(error) from None
        if isinstance(answer, Failed):
            raise answer.error
        results: list[Any] = answer
        return results

    def _wait(self, future: Future) -> Any:
        from distributed import TimeoutError as TimedOut
        from distributed import wait

        while True:
            try:
                with self._client.as_current():
                    wait([future], timeout=LOOK_SECONDS)
            except TimedOut:
                self._threads()
                continue
            try:
                # On its own, since fetching may take longer than a look.
                return future.result(timeout=FETCH_SECONDS)
            except TimedOut:
                if future.status == "error":
                    raise  # the task's own
                self._threads()

    def _threads(self) -> int:
        """Threads of all workers; raises `StoreFailed` where there have been none for long."""
        with self._lost_scheduler():
            threads: int = sum(self._client.nthreads().values())
        now = time.monotonic()
        if threads:
            self._seen = now
        elif now - self._seen > NO_WORKERS_SECONDS:
            raise StoreFailed(
                self._url,
                f"has had no worker for {NO_WORKERS_SECONDS:.0f} s",
                f"start some: dask worker {self._client.scheduler.address}",
            )
        return threads

    @contextlib.contextmanager
    def _lost_scheduler(self) -> Iterator[None]:
        """The error where the scheduler has gone, or has dropped what was asked of it."""
        try:
            yield
        except LdbError:
            raise
        except (CancelledError, OSError) as error:
            if self._client.status == "running" and not isinstance(error, CancelledError):
                raise  # of a task
            why = f"the Dask scheduler has gone, or has dropped the {self._doing}"
            raise StoreFailed(self._url, why, "run it again") from error

    def end(self) -> None:
        """Tasks that nobody waits for any more are not begun; workers let go of this run."""
        if self._client.status != "running":
            return
        # All of it is courtesy to the cluster: what fails here harms nothing.
        with contextlib.suppress(Exception):
            if self._pending:
                self._client.cancel(list(self._pending), force=True)
            self._client.run(close_run, self._name, on_error="ignore")


def grouped(items: Iterator[Item]) -> Iterator[list[Item]]:
    """The items of each task: few at first, so that a small run has work for everybody."""
    for number in itertools.count():
        size = min(MOST_ITEMS, FIRST_ITEMS << (number // SAME_SIZE))
        group = list(itertools.islice(items, size))
        if not group:
            return
        yield group


@contextlib.contextmanager
def scheduler_at(address: str, url: str) -> Iterator[DaskEngine]:
    """The cluster of the scheduler at `address` (`tcp://host:port`). Raises `StoreFailed`."""
    with _quiet(), _client(address, url) as client:
        yield DaskEngine(client, url)


@contextlib.contextmanager
def own_cluster(processes: int) -> Iterator[DaskEngine]:
    """A cluster of this machine's processors, for as long as the context lasts."""
    _need_dask()
    from distributed import LocalCluster

    with _quiet():
        try:
            cluster = LocalCluster(
                n_workers=processes,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError) as error:
            raise StoreFailed("dask", f"no cluster can be started here: {error}") from error
        try:
            with _client(cluster.scheduler_address, "dask") as client:
                yield DaskEngine(client, "dask")
        finally:
            cluster.close(timeout=CLOSE_SECONDS)


@contextlib.contextmanager
def _client(address: str, url: str) -> Iterator[Client]:
    _need_dask()
    from distributed import Client

    forbid_fork()  # its threads may go on when it is closed
    try:
        # A client waits without end for a server that takes its connection and says nothing.
        asyncio.run(asyncio.wait_for(_identify(address), CONNECT_SECONDS))
        client = Client(
            address, timeout=CONNECT_SECONDS, set_as_default=False, direct_to_workers=False
        )
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        why = f"no Dask scheduler answers there: {error}".rstrip(": ")
        raise StoreFailed(url, why, "is it running, and of the same Dask version?") from error
    try:
        yield client
    finally:
        client.close(timeout=CLOSE_SECONDS)


async def _identify(address: str) -> None:
    from distributed import rpc

    async with rpc(address) as scheduler:
        await scheduler.identity()


def _need_dask() -> None:
    try:
        import distributed  # noqa: F401  (seconds on a cold machine: only when it is asked for)
    except ImportError:
        raise Unsupported(
            "the engine dask without the packages dask and distributed", "pip install 'ldb[dask]'"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Dask tells of lost connections in its log; ours is the message that users get."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
