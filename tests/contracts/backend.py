"""What every backend must do. A new backend's test is a fixture and this suite:

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def backend(self) -> Backend: ...

Override `writers` and `rounds` where a store is slow.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from ldb.backends.base import Backend, Outcome, Range
from ldb.errors import BadName, NotFound

CREATED, EXISTS = Outcome.CREATED, Outcome.EXISTS
MIB = 1 << 20

HOSTILE_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "/a",
    "a//b",
    ".",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "a/./b",
    "a/../../../etc/passwd",
    "_a",
    "a/_b",
    "a b",
    "a\nb",
    "a\n",
    "a\0b",
    "a\\b",
    "..\\a",
    "C:/a",
    "C:a",
    "a:b",
    "a*",
    "a?b",
    "~/a",
    "$HOME",
    "é",
    "e\u0301",
    "\u202ea",
    "\ud800",
    "a" * 513,
    "a/" * 300 + "b",
]

KEYS_IN_ORDER = [
    "%41",
    "0",
    "A",
    "a",
    "b-1",
    "b-1/x",
    "b.1",
    "b/1",
    "b/1.x",
    "b/2/3/4",
    "b/2/30",
    "b0/x",
    "b_/x",
    "c/d-e",
    "c/d/e",
    "c/d/f",
    "c/d0",
    "z",
]
"""Sorted as bytes; folder by folder they would come out otherwise."""


class BackendContract:
    """Inherit and give the fixture `backend`: an empty store."""

    writers = 8
    rounds = 20

    # -- read --------------------------------------------------------------------------

    def test_missing_key(self, backend: Backend) -> None:
        with pytest.raises(NotFound) as caught:
            backend.read("objects/ab/cd")
        assert (caught.value.kind, caught.value.name) == ("key", "objects/ab/cd")

    def test_missing_key_beside_and_below_others(self, backend: Backend) -> None:
        backend.create("a/b", b"1")
        for missing in ("a", "a/c", "a/b/c", "a/b-", "A/B"):
            with pytest.raises(NotFound):
                backend.read(missing)

    def test_value_comes_back(self, backend: Backend) -> None:
        every_byte = bytes(range(256)) * 3 + b"\r\n\x1a\r"
        assert backend.create("refs/x/1", every_byte) is CREATED
        assert backend.read("refs/x/1") == every_byte

    def test_empty_value(self, backend: Backend) -> None:
        assert backend.create("empty", b"") is CREATED
        assert backend.read("empty") == b""
        assert backend.read("empty", 5, 10) == b""
        assert [entry.size for entry in backend.list()] == [0]
        assert backend.create("empty", b"x") is EXISTS

    def test_value_from_a_view(self, backend: Backend) -> None:
        source = bytearray(b"0123456789")
        backend.create("view", memoryview(source)[2:8])
        source[:] = b"xxxxxxxxxx"
        assert backend.read("view") == b"234567"

    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, 10), (0, 0), (3, 7), (3, None), (9, 10), (10, None), (10, 12), (99, 120), (7, 3)],
    )
    def test_range(self, backend: Backend, start: int, stop: int | None) -> None:
        backend.create("digits", b"0123456789")
        assert backend.read("digits", start, stop) == b"0123456789"[start:stop]

    def test_range_past_the_end_gives_what_there_is(self, backend: Backend) -> None:
        backend.create("digits", b"0123456789")
        assert backend.read("digits", 8, 1000) == b"89"
        assert backend.read("digits", 0, 1 << 40) == b"0123456789"

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (0, -1), (-5, -2)])
    def test_negative_range_is_an_error(
        self, backend: Backend, start: int, stop: int | None
    ) -> None:
        backend.create("digits", b"0123456789")
        with pytest.raises(ValueError, match="negative"):
            backend.read("digits", start, stop)

    def test_large_value_whole_and_in_parts(self, backend: Backend) -> None:
        value = random.Random(1).randbytes(5 * MIB + 12345)
        backend.create("objects/pack/large.pack", value, unconditional=True)
        assert backend.read("objects/pack/large.pack") == value
        for start, stop in [(0, MIB), (1, MIB + 1), (4097, 3 * MIB), (5 * MIB - 7, 5 * MIB + 9)]:
            assert backend.read("objects/pack/large.pack", start, stop) == value[start:stop]
        assert backend.read("objects/pack/large.pack", 4 * MIB + 1) == value[4 * MIB + 1 :]

    def test_what_was_read_outlives_the_value(self, backend: Backend) -> None:
        value = random.Random(2).randbytes(2 * MIB)
        backend.create("large", value, unconditional=True)
        kept = backend.read("large")
        backend.delete(["large"])
        assert kept == value

    def test_read_many(self, backend: Backend) -> None:
        backend.create("a", b"0123456789")
        backend.create("b", b"abcdef")
        ranges = [Range("b", 1, 3), Range("a"), Range("a", 9, 99), Range("b", 6), Range("a", 0, 1)]
        assert backend.read_many(ranges) == [b"bc", b"0123456789", b"9", b"", b"0"]
        assert backend.read_many([]) == []

    def test_read_many_with_a_missing_one(self, backend: Backend) -> None:
        backend.create("a", b"1")
        with pytest.raises(NotFound) as caught:
            backend.read_many([Range("a"), Range("gone"), Range("also-gone")])
        assert caught.value.name == "gone"

    # -- create ------------------------------------------------------------------------

    def test_create_keeps_the_old_value(self, backend: Backend) -> None:
        assert backend.create("refs/x/1", b"first") is CREATED
        assert backend.create("refs/x/1", b"second") is EXISTS
        assert backend.create("refs/x/1", b"first") is EXISTS
        assert backend.read("refs/x/1") == b"first"

    def test_unconditional(self, backend: Backend) -> None:
        """The same bytes again: either outcome, and the value is there throughout."""
        assert backend.create("objects/ab/cd", b"same", unconditional=True) is CREATED
        backend.create("objects/ab/cd", b"same", unconditional=True)
        assert backend.read("objects/ab/cd") == b"same"
        assert backend.create("objects/ab/cd", b"other") is EXISTS
        assert [entry.key for entry in backend.list()] == ["objects/ab/cd"]

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_keys(self, backend: Backend, key: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: backend.read(key),
            lambda: backend.read_many([Range(key)]),
            lambda: backend.create(key, b"x"),
            lambda: backend.create(key, b"x", unconditional=True),
            lambda: backend.delete([key]),
        ]
        for call in calls:
            with pytest.raises(BadName):
                call()
        assert list(backend.list()) == []

    def test_threads_race_for_one_key(self, backend: Backend) -> None:
        for round_number in range(self.rounds):
            key = f"refs/race/{round_number}"
            outcomes = _race(
                [_creator(backend, key, b"%d" % writer * 1000) for writer in range(self.writers)]
            )
            winners = [writer for writer, got in enumerate(outcomes) if got is CREATED]
            assert len(winners) == 1, f"round {round_number}: {outcomes}"
            assert outcomes.count(EXISTS) == self.writers - 1
            assert backend.read(key) == b"%d" % winners[0] * 1000

    def test_threads_write_different_keys(self, backend: Backend) -> None:
        """Among them the first keys of the same new folders."""
        keys = [f"objects/{writer % 3}/{writer}" for writer in range(self.writers)]
        outcomes = _race([_creator(backend, key, key.encode()) for key in keys])
        assert outcomes == [CREATED] * len(keys)
        assert [entry.key for entry in backend.list()] == sorted(keys)
        assert all(backend.read(key) == key.encode() for key in keys)

    # -- list and folders --------------------------------------------------------------

    def test_list_of_an_empty_store(self, backend: Backend) -> None:
        assert list(backend.list()) == []
        assert list(backend.list("refs/")) == []
        assert backend.folders("refs/") == []

    def test_list_is_in_the_order_of_keys(self, backend: Backend) -> None:
        keys = _fill(backend)
        assert [entry.key for entry in backend.list()] == keys

    def test_list_shows_size_and_time(self, backend: Backend) -> None:
        before = time.time()
        backend.create("a/b", b"x" * 1234)
        (entry,) = backend.list()
        assert (entry.key, entry.size) == ("a/b", 1234)
        # A file's clock may tick in steps; a server's clock may differ by more.
        assert before - 2 <= entry.stored <= time.time() + 2

    @pytest.mark.parametrize(
        "prefix", ["", "a", "b", "b/", "b-", "b/2", "b/2/", "b/2/3", "c/d", "c/d/", "no", "b/1.x/"]
    )
    def test_list_below_a_prefix(self, backend: Backend, prefix: str) -> None:
        keys = _fill(backend)
        listed = [entry.key for entry in backend.list(prefix)]
        assert listed == [key for key in keys if key.startswith(prefix)]

    @pytest.mark.parametrize("prefix", ["", "b", "b/", "c/d"])
    def test_list_after_any_key(self, backend: Backend, prefix: str) -> None:
        keys = _fill(backend)
        for after in ["", *keys, "b/", "b/2/", "b/2/3/zz", "b/2/z", "c/", "c/d", "c0", "~", "!"]:
            listed = [entry.key for entry in backend.list(prefix, after)]
            assert listed == [key for key in keys if key.startswith(prefix) and key > after]

    def test_list_sees_what_is_created_and_deleted(self, backend: Backend) -> None:
        for number in range(5):
            backend.create(f"n/{number}", b"")
            assert len(list(backend.list("n/"))) == number + 1
        backend.delete(["n/3"])
        assert [entry.key for entry in backend.list("n/")] == ["n/0", "n/1", "n/2", "n/4"]

    @pytest.mark.parametrize("prefix", ["../", "/etc/", "a/../../b", "a//b", "./"])
    def test_list_of_a_hostile_prefix_shows_nothing(self, backend: Backend, prefix: str) -> None:
        backend.create("a/b", b"x")
        for verb in (backend.list, backend.folders):
            try:
                assert list(verb(prefix)) == []
            except BadName:
                pass

    def test_folders(self, backend: Backend) -> None:
        _fill(backend)
        assert backend.folders("b/") == ["2"]
        assert backend.folders("b/2/") == ["3"]
        assert backend.folders("c/") == ["d"]
        assert backend.folders("c/d/") == []
        assert backend.folders("no/") == []
        assert backend.folders("z/") == []
        assert backend.folders("") == ["b", "b-1", "b0", "b_", "c"]

    def test_folder_without_values_is_none(self, backend: Backend) -> None:
        backend.create("refs/a/1", b"")
        backend.create("refs/b/x/1", b"")
        backend.delete(["refs/a/1"])
        assert backend.folders("refs/") == ["b"]

    # -- delete ------------------------------------------------------------------------

    def test_delete(self, backend: Backend) -> None:
        for key in ("a", "b/c", "b/d"):
            backend.create(key, key.encode())
        backend.delete(["a", "missing", "missing/too", "b/c"])
        assert [entry.key for entry in backend.list()] == ["b/d"]
        with pytest.raises(NotFound):
            backend.read("a")
        assert backend.create("a", b"again") is CREATED
        assert backend.read("a") == b"again"

    def test_delete_takes_values_only(self, backend: Backend) -> None:
        backend.create("b/c", b"1")
        backend.delete(["b", "b/c/d"])
        assert backend.read("b/c") == b"1"

    # -- the rest ----------------------------------------------------------------------

    def test_url_names_a_place(self, backend: Backend) -> None:
        assert backend.url


def _fill(backend: Backend) -> list[str]:
    """Create `KEYS_IN_ORDER` in another order; keys that are folders of others left out."""
    keys = [key for key in KEYS_IN_ORDER if not any(k.startswith(key + "/") for k in KEYS_IN_ORDER)]
    if os.path.normcase("A") == "a":  # a file system that does not tell case apart
        keys.remove("A")
    for key in random.Random(3).sample(keys, len(keys)):
        backend.create(key, key.encode())
    return sorted(keys)


def _creator(backend: Backend, key: str, value: bytes) -> Callable[[], Outcome]:
    return lambda: backend.create(key, value)


def _race(calls: list[Callable[[], Outcome]]) -> list[Outcome]:
    """Run the calls at the same moment in as many threads; outcomes in order."""
    barrier = threading.Barrier(len(calls))
    outcomes: dict[int, Outcome] = {}

    def run(number: int) -> None:
        barrier.wait()
        outcomes[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(len(calls))]
