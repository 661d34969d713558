"""The cache of immutable values: what it saves, and that nothing wrong comes out of it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ldb import instance as instances
from ldb.backends.base import Backend, Outcome, Range
from ldb.backends.bucket import BucketBackend
from ldb.backends.cached import PIECE, CachedBackend
from ldb.backends.memory import MemoryBackend
from ldb.backends.objectcache import CacheSettings, ObjectCache, shrink
from ldb.errors import Conflict, NotFound
from ldb.refs.name import dataset_ref
from ldb.refs.store import Advanced, RefStore
from tests.clouds.memory import MemoryClient, opener
from tests.contracts.backend import BackendContract

CATS = dataset_ref("cats")
PACK = "objects/pack/" + "ab" * 32 + ".pack"


@pytest.fixture
def settings(tmp_path: Path) -> CacheSettings:
    return CacheSettings(str(tmp_path / "cache"), 1 << 30)


@pytest.fixture
def client() -> MemoryClient:
    return MemoryClient()


def bucket_of(client: MemoryClient) -> BucketBackend:
    return BucketBackend("s3://bucket/team/ldb", opener(client))


def cached(client: MemoryClient, settings: CacheSettings) -> CachedBackend:
    """As a new process has it."""
    return CachedBackend(bucket_of(client), settings)


class TestCachedBackend(BackendContract):
    """Over a store that, for the cache, is an instance already."""

    @pytest.fixture
    def backend(self, settings: CacheSettings) -> Backend:
        backend = CachedBackend(MemoryBackend(), settings)
        backend._marker, backend._confirmed = b"an instance", True
        return backend


class TestCachedBackendWithoutInstance(BackendContract):
    @pytest.fixture
    def backend(self, settings: CacheSettings) -> Backend:
        return CachedBackend(MemoryBackend(), settings)


def files(settings: CacheSettings) -> list[Path]:
    return sorted(path for path in Path(settings.folder).rglob("*") if path.is_file())


# -- what it saves -------------------------------------------------------------------------


def test_what_was_read_is_not_asked_for_again(
    client: MemoryClient, settings: CacheSettings
) -> None:
    instances.create(bucket_of(client))
    value = random.Random(1).randbytes(3 * PIECE + 77)
    bucket_of(client).create(PACK, value, unconditional=True)
    ranges = [Range(PACK, 5, 9), Range(PACK, PIECE - 3, 2 * PIECE + 1), Range(PACK), Range(PACK, 7)]
    wanted = [value[each.start : each.stop] for each in ranges]
    assert cached(client, settings).read_many(ranges) == wanted
    before = client.total()
    for _ in range(2):
        backend = cached(client, settings)
        assert backend.read_many(ranges) == wanted
        assert backend.read("instance") == bucket_of(client).read("instance")
    assert client.total() == before + 2  # the latter reads, past the cache


def test_a_small_value_is_fetched_whole(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    bucket_of(client).create(PACK, bytes(3 * PIECE), unconditional=True)
    backend = cached(client, settings)
    list(backend.list("objects/pack/"))
    backend.read(PACK, 3 * PIECE - 64, 3 * PIECE)
    client.requests.clear()
    assert backend.read(PACK, 0, 100) == bytes(100)
    assert backend.read(PACK) == bytes(3 * PIECE)
    assert not client.requests


def test_what_was_written_is_in_the_cache(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    value = random.Random(1).randbytes(2 * PIECE)
    cached(client, settings).create(PACK, value, unconditional=True)
    client.requests.clear()
    assert cached(client, settings).read(PACK, 10, 2 * PIECE) == value[10:]
    assert not client.requests


def test_listings_of_packs_are_remembered(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    backend = cached(client, settings)
    assert backend.last_listed("objects/pack/") is None
    assert list(backend.list("objects/pack/")) == []
    backend.create(PACK, b"pack", unconditional=True)
    client.requests.clear()
    (entry,) = cached(client, settings).last_listed("objects/pack/") or []
    assert (entry.key, entry.size) == (PACK, 4)
    assert not client.requests


def test_a_head_that_was_seen_costs_one_request(
    client: MemoryClient, settings: CacheSettings
) -> None:
    instances.create(bucket_of(client))
    refs = RefStore(cached(client, settings))
    assert isinstance(refs.advance(CATS, None, None, "Ann"), Advanced)
    client.requests.clear()
    head = RefStore(cached(client, settings)).head(CATS)
    assert head is not None
    assert head.number == 1
    assert client.requests == {"list": 1}


def test_a_new_head_costs_three_and_then_one(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    RefStore(bucket_of(client)).advance(CATS, None, None, "Ann")
    cached(client, settings).read("instance")
    for requests in ({"list": 1, "get": 2}, {"list": 1}):
        client.requests.clear()
        assert RefStore(cached(client, settings)).head(CATS) is not None
        assert client.requests == requests


def test_a_newer_head_costs_two(client: MemoryClient, settings: CacheSettings) -> None:
    """The older version that the listing shows as well proves whose instance it is."""
    instances.create(bucket_of(client))
    first = RefStore(cached(client, settings)).advance(CATS, None, None, "Ann")
    assert isinstance(first, Advanced)
    second = RefStore(bucket_of(client)).advance(CATS, first.ref, None, "Bob")
    assert isinstance(second, Advanced)
    client.requests.clear()
    assert RefStore(cached(client, settings)).head(CATS) == second.ref
    assert client.requests == {"list": 1, "get": 1}


# -- an instance that was replaced -----------------------------------------------------------


def replace_instance(client: MemoryClient) -> None:
    client.values.clear()
    instances.create(bucket_of(client))
    RefStore(bucket_of(client)).advance(CATS, None, None, "Eve")


def test_a_replaced_instance_is_noticed_by_its_refs(
    client: MemoryClient, settings: CacheSettings
) -> None:
    instances.create(bucket_of(client))
    RefStore(cached(client, settings)).advance(CATS, None, None, "Ann")
    replace_instance(client)
    stale = instances.open_instance(cached(client, settings))
    with pytest.raises(Conflict, match="replaced"):
        stale.refs.head(CATS)
    again = instances.open_instance(cached(client, settings))
    assert again.id != stale.id
    head = again.refs.head(CATS)
    assert head is not None
    assert head.author == "Eve"


def test_a_replaced_instance_is_noticed_by_refs_that_are_gone(
    client: MemoryClient, settings: CacheSettings
) -> None:
    """An empty listing proves nothing: the value `instance` is asked for."""
    instances.create(bucket_of(client))
    RefStore(cached(client, settings)).advance(CATS, None, None, "Ann")
    client.values.clear()
    instances.create(bucket_of(client))
    with pytest.raises(Conflict, match="replaced"):
        RefStore(cached(client, settings)).head(CATS)
    assert RefStore(cached(client, settings)).head(CATS) is None


def test_nothing_is_written_into_an_instance_that_replaced_another(
    client: MemoryClient, settings: CacheSettings
) -> None:
    instances.create(bucket_of(client))
    cached(client, settings).read("instance")
    replace_instance(client)
    before = dict(client.values)
    with pytest.raises(Conflict, match="replaced"):
        cached(client, settings).create(PACK, b"pack", unconditional=True)
    assert client.values == before


def test_an_instance_that_is_gone(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    RefStore(cached(client, settings)).advance(CATS, None, None, "Ann")
    client.values.clear()
    with pytest.raises(NotFound):
        cached(client, settings).create(PACK, b"pack", unconditional=True)
    with pytest.raises(NotFound):
        instances.open_instance(cached(client, settings))


def test_two_instances_share_nothing(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    cached(client, settings).create(PACK, b"mine", unconditional=True)
    other = MemoryClient("s3://other")
    backend = CachedBackend(BucketBackend("s3://other/team/ldb", opener(other)), settings)
    instances.create(bucket_of(other))
    with pytest.raises(NotFound):
        backend.read(PACK)


# -- damage, size, company ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "swap"])
def test_damaged_files_are_not_believed(
    client: MemoryClient, settings: CacheSettings, how: str
) -> None:
    instances.create(bucket_of(client))
    value = random.Random(1).randbytes(2 * PIECE + 9)
    backend = cached(client, settings)
    backend.create(PACK, value, unconditional=True)
    backend.create("objects/ab/cd", b"loose", unconditional=True)
    before = [path.read_bytes() for path in files(settings)]
    for path, other in zip(files(settings), [*before[1:], before[0]]):
        data = bytearray(path.read_bytes())
        if how == "flip":
            data[-1] ^= 1
        changed = {"flip": bytes(data), "cut": bytes(data[:-1]), "empty": b"", "swap": other}
        path.unlink()
        path.write_bytes(changed[how])
    for _ in range(2):
        backend = cached(client, settings)
        assert backend.read(PACK) == value
        assert backend.read("objects/ab/cd") == b"loose"
    client.requests.clear()
    assert cached(client, settings).read(PACK) == value
    assert not client.requests


def test_forgetting_a_value_fetches_it_again(client: MemoryClient, settings: CacheSettings) -> None:
    instances.create(bucket_of(client))
    cached(client, settings).create(PACK, b"damaged on the way", unconditional=True)
    client.put("team/ldb/" + PACK, b"sound")
    backend = cached(client, settings)
    assert backend.read(PACK) == b"damaged on the way"
    assert backend.forget(PACK)
    assert backend.read(PACK) == b"sound"
    assert not backend.forget("objects/pack/" + "cd" * 32 + ".pack")


def test_the_folder_stays_below_its_limit(tmp_path: Path) -> None:
    random.seed(1)
    settings = CacheSettings(str(tmp_path), 1 << 20)
    cache = ObjectCache(settings, "x")
    for number in range(400):
        cache.put(f"k{number}", bytes(20_000))
        total = sum(path.stat().st_size for path in files(settings))
        assert total < 1.5 * settings.max_bytes
    shrink(settings)
    assert sum(path.stat().st_size for path in files(settings)) <= settings.max_bytes
    assert cache.get("k399") is not None
    assert cache.get("k0") is None


def test_what_is_used_stays(tmp_path: Path) -> None:
    settings = CacheSettings(str(tmp_path), 10 << 20)
    cache = ObjectCache(settings, "x")
    for number in range(4):
        cache.put(f"k{number}", bytes(10_000))
        for path in files(settings):
            os.utime(path, (0, path.stat().st_mtime - 4000))
    assert cache.get("k0") is not None
    shrink(CacheSettings(str(tmp_path), 25_000))
    assert [cache.get(f"k{number}") is not None for number in range(4)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_folder_that_cannot_be_written(tmp_path: Path, client: MemoryClient) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = CacheSettings(str(tmp_path / "file" / "cache"), 1 << 30)
    instance = instances.create(bucket_of(client))
    backend = cached(client, settings)
    assert backend.create(PACK, b"pack", unconditional=True) is Outcome.CREATED
    assert backend.read(PACK) == b"pack"
    assert instances.open_instance(cached(client, settings)).id == instance.id


def test_no_cache_at_all(tmp_path: Path) -> None:
    cache = ObjectCache(CacheSettings(str(tmp_path), 0), "x")
    cache.put("k", b"v")
    assert cache.get("k") is None
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
from ldb.backends.objectcache import CacheSettings, ObjectCache
cache = ObjectCache(CacheSettings(sys.argv[1], 1 << 22), "x")
number = 0
while True:
    key = "k%d" % (number % 50)
    cache.put(key, key.encode() * 9000)
    found = cache.get("k%d" % (number * 7 % 50))
    assert found is None or found == (b"k%d" % (number * 7 % 50)) * 9000
    number += 1
    if number == 20:
        print("going", flush=True)
"""


def test_processes_that_are_killed(tmp_path: Path) -> None:
    settings = CacheSettings(str(tmp_path), 1 << 22)
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    try:
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == b"going\n"
        time.sleep(0.3)
        assert [process.poll() for process in started] == [None] * 3
    finally:
        for process in started:
            process.kill()
            process.communicate()
    cache = ObjectCache(settings, "x")
    found = {key: cache.get(key) for key in (f"k{number}" for number in range(50))}
    assert any(found.values())
    assert all(value in (None, key.encode() * 9000) for key, value in found.items())
    for path in files(settings):
        os.utime(path, (0, 0))
    shrink(settings)
    assert not [path for path in files(settings) if path.name.startswith("tmp-")]
