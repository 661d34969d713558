"""Reading many data objects out of object stores at once, each handed on as it arrives.

Small ones come whole, many at a time; large ones in pieces, some at a time, each in a thread.
At most one byte more than an object should have is asked for, so memory stays bounded
whatever lies at a path by now. A bucket from which nothing but failures come is given up
after a while. Rules and reasons: docs/design/014-fetching.md.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ldb.clouds.base import Changed, Client, Get
from ldb.clouds.opening import split_url
from ldb.errors import BadInput, LdbError, NotFound, StoreFailed
from ldb.storage.remote import Clients

SMALL = 1 << 20
"""Objects up to this size in bytes come whole."""
AT_ONCE = 64
"""Small objects under way."""
THREADS = 8
"""Large objects under way."""
PIECE = 4 << 20
PATIENCE = 60.0
"""Seconds of nothing but failures after which a bucket is given up."""

T = TypeVar("T")
Take = Callable[[int, Iterable[bytes]], T]
"""Gets the position of what was wanted, and its bytes in pieces. For small objects called
where the results are taken, for large ones in a thread; what it raises is the result."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object at one place."""

    uri: str
    size: int
    """Bytes it should have."""
    version: str = ""
    """The version to read, whatever the key holds today; empty: what it holds."""

    @property
    def get(self) -> Get:
        """The request: a byte more than there should be, to notice what has grown."""
        return Get(split_url(self.uri)[2], 0, self.size + 1, version=self.version or None)


def bucket_of(uri: str) -> str:
    """The URL of the bucket that a URI lies in."""
    scheme, bucket, _ = split_url(uri)
    return f"{scheme}://{bucket}"


@dataclass(slots=True)
class Health:
    """How a bucket has answered; its clock runs only while it is asked."""

    patience: float
    silence: float = 0.0
    """Seconds of being asked since something came, up to `asked_since`."""
    asked_since: float = 0.0
    failures: int = 0
    given_up: StoreFailed | None = None

    def start(self) -> None:
        self.asked_since = time.monotonic()

    def stop(self) -> None:
        self.silence += time.monotonic() - self.asked_since

    def note(self, outcome: object) -> None:
        now = time.monotonic()
        if not isinstance(outcome, StoreFailed):
            self.failures, self.silence, self.asked_since = 0, 0.0, now
            return
        self.failures += 1
        if self.given_up is None and self.silence + now - self.asked_since >= self.patience:
            self.given_up = outcome

    def refusal(self) -> StoreFailed | None:
        """The error for what is not tried any more."""
        if self.given_up is None:
            return None
        why = f"not tried, {self.failures} others failed and none came: {self.given_up.why}"
        return StoreFailed(self.given_up.where, why, "run it again when the store answers")


class Reader:
    """Reads out of many buckets; what it learnt of them lasts as long as it does."""

    def __init__(self, clients: Clients, patience: float | None = None) -> None:
        self.clients = clients
        self._patience = PATIENCE if patience is None else patience
        self._health: dict[str, Health] = {}

    def health(self, bucket: str) -> Health:
        """How this bucket has answered so far."""
        return self._health.setdefault(bucket, Health(self._patience))

    def read(self, wanted: Sequence[Wanted], take: Take[T]) -> Iterator[tuple[int, T | LdbError]]:
        """Each position in `wanted` once, as it is done, with what `take` gave or the error.

        Abandon the iterator, and what is under way is left.
        """
        for bucket, places in self._by_bucket(wanted).items():
            health = self.health(bucket)
            try:
                client = self.clients.of(wanted[places[0]].uri)
            except LdbError as error:
                yield from ((at, error) for at in places)
                continue
            large = [at for at in places if wanted[at].size > SMALL]
            small = [at for at in places if wanted[at].size <= SMALL]
            health.start()
            with _Threads(large, _streaming(client, wanted, take, health)) as threads:
                yield from _read_small(client, wanted, small, take, health)
                yield from threads.results()
            health.stop()

    @staticmethod
    def _by_bucket(wanted: Sequence[Wanted]) -> dict[str, list[int]]:
        buckets: dict[str, list[int]] = {}
        for at, each in enumerate(wanted):
            buckets.setdefault(bucket_of(each.uri), []).append(at)
        return buckets


def _read_small(
    client: Client,
    wanted: Sequence[Wanted],
    places: Sequence[int],
    take: Take[T],
    health: Health,
) -> Iterator[tuple[int, T | LdbError]]:
    left = dict.fromkeys(places)
    if left and not health.refusal():
        gets = [wanted[at].get for at in places]
        for number, got in client.get_many(gets, concurrency=AT_ONCE):
            at = places[number]
            del left[at]
            health.note(got)
            yield at, got if isinstance(got, LdbError) else _taken(take, at, [got])
            if health.given_up:
                break
    refusal = health.refusal()
    if refusal:
        yield from ((at, refusal) for at in left)


def why_not(error: LdbError) -> str:
    """What to say of a place that does not hold its data object, after its URI."""
    if isinstance(error, NotFound):
        return "is not there any more"
    if isinstance(error, Changed):
        return "was overwritten while it was read"
    return error.why if isinstance(error, BadInput | StoreFailed) else str(error)


def _taken(take: Take[T], at: int, pieces: Iterable[bytes]) -> T | LdbError:
    """What `take` gave; that one place is not as it should be is a result, the rest is raised."""
    try:
        return take(at, pieces)
    except (Changed, BadInput, NotFound) as error:
        return error


def _streaming(
    client: Client, wanted: Sequence[Wanted], take: Take[T], health: Health
) -> Callable[[int, threading.Event], T | LdbError]:
    """How a thread reads one large object."""

    def read(at: int, stopped: threading.Event) -> T | LdbError:
        refusal = health.refusal()
        if refusal:
            return refusal
        stream = _Stream(client, wanted[at].get, stopped)
        outcome: T | LdbError
        try:
            outcome = take(at, stream)
        except (Changed, BadInput, NotFound) as error:
            outcome = error
        except StoreFailed as error:
            if error is not stream.failed:
                raise  # not the bucket's: the disk is full
            outcome = error
        health.note(outcome)
        return outcome

    return read


class _Stream:
    """The pieces of one object, until somebody has stopped; `failed` is what it ended with."""

    def __init__(self, client: Client, get: Get, stopped: threading.Event) -> None:
        self.failed: BaseException | None = None
        self._pieces = client.stream(get, PIECE)
        self._stopped = stopped

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                if self._stopped.is_set():
                    raise Changed("stopped")
                yield piece
        except LdbError as error:
            self.failed = error
            raise


class _Threads(Generic[T]):
    """A few threads that do jobs; they end with the block, soon if it is left early.

    Not `concurrent.futures`: leaving that waits for what is under way, and so would Ctrl-C.
    """

    def __init__(self, jobs: Sequence[int], work: Callable[[int, threading.Event], T]) -> None:
        self._count = len(jobs)
        self._jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, T] | BaseException] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._work = work
        for job in jobs:
            self._jobs.put(job)
        for _ in range(min(THREADS, self._count)):
            threading.Thread(target=self._live, daemon=True).start()

    def __enter__(self) -> _Threads[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def results(self) -> Iterator[tuple[int, T]]:
        """Each job and its result, as they are done; raises what the work raised."""
        for _ in range(self._count):
            done = self._done.get()
            if isinstance(done, BaseException):
                raise done
            yield done

    def _live(self) -> None:
        while not self._stopped.is_set():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            try:
                self._done.put((job, self._work(job, self._stopped)))
            except BaseException as error:  # noqa: BLE001  (raised again where results are taken)
                self._done.put(error)
