"""What every client of an object store must do. A new one's test is a fixture and this suite:

    class TestMyClient(ClientContract):
        @pytest.fixture
        def store(self, s3_bucket: Bucket) -> Bucket:
            return s3_bucket

What is in the bucket is put there and looked at by another library, `store.raw`.
What must happen when requests go wrong is in `client_faults.py`.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator

import pytest

from ldb.clouds.base import Changed, Client, Get, Put, Stat, Stretch
from ldb.clouds.opening import open_client
from ldb.errors import LdbError, NotFound, StoreFailed
from tests.clouds.buckets import Bucket

MIB = 1 << 20

HOSTILE_KEYS = [
    "plain",
    "a b",
    " a ",
    "a+b",
    "a%20b",
    "a%2Fb",
    "a?b=c&d",
    "a#b",
    "a'b\"c",
    "a<b>&amp;",
    "a:b",
    "a*b|c",
    "~a",
    "é",
    "e\u0301",
    "日本/語.png",
    "😀",
    "\uffee",
    "-a",
    "a/.b",
    "a..b/c",
]
"""Names that users give to files, and that escaping goes wrong with."""

ODD_KEYS = ["a//b", "a/./b", "x/../b", "/a", "dir/"]
"""Names that only some stores keep as they are; file systems never have them."""

KEYS_IN_ORDER = ["A", "a", "b-1", "b-1/x", "b.1", "b/1", "b/1.x", "b/2/3/4", "b/2/30", "b0/x", "z"]


class ClientContract:
    """Inherit and give the fixture `store`: an empty bucket."""

    library = "fsspec"
    odd_keys: tuple[str, ...] = tuple(ODD_KEYS)
    """Those of `ODD_KEYS` that the server for tests keeps."""
    writers = 6
    cuts = True
    """Whether the server begins a listing at any key."""
    unordered: tuple[str, ...] = ()
    """Keys that the server for tests lists in a wrong place, or cannot hold."""

    @pytest.fixture
    def client(self, store: Bucket) -> Client:
        return store.client(library=self.library)

    # -- reading -----------------------------------------------------------------------

    def test_missing(self, store: Bucket, client: Client) -> None:
        store.raw.put("a/b", b"1")
        for missing in ("a", "a/c", "a/b/c", "A/B", "a/b2"):
            with pytest.raises(NotFound, match=missing):
                client.get(Get(missing))
            with pytest.raises(NotFound):
                client.head(missing)
            with pytest.raises(NotFound):
                list(client.stream(Get(missing)))

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (0, None),
            (0, 10),
            (3, 7),
            (3, None),
            (9, 10),
            (8, 1000),
            (10, None),
            (10, 12),
            (99, 120),
        ],
    )
    def test_range(self, store: Bucket, client: Client, start: int, stop: int | None) -> None:
        store.raw.put("digits", b"0123456789")
        assert client.get(Get("digits", start, stop)) == b"0123456789"[start:stop]
        assert b"".join(client.stream(Get("digits", start, stop), 3)) == b"0123456789"[start:stop]

    def test_empty_and_impossible_ranges(self, store: Bucket, client: Client) -> None:
        store.raw.put("digits", b"0123456789")
        for start, stop in ((0, 0), (3, 3), (7, 3), (20, 20)):
            assert client.get(Get("digits", start, stop)) == b""
            with pytest.raises(NotFound):
                client.get(Get("missing", start, stop))
        for wrong in (Get("digits", -1), Get("digits", 0, -1), Get("digits", -5, -2)):
            with pytest.raises(ValueError, match="negative"):
                client.get(wrong)

    def test_empty_value(self, store: Bucket, client: Client) -> None:
        store.raw.put("empty", b"")
        assert client.get(Get("empty")) == b""
        assert client.get(Get("empty", 0, 10)) == b""
        assert list(client.stream(Get("empty"))) in ([], [b""])
        assert client.head("empty").size == 0

    def test_get_many(self, store: Bucket, client: Client) -> None:
        values = {f"{number:03}": random.Random(number).randbytes(number) for number in range(80)}
        store.fill(values)
        wanted = [Get(key) for key in values] + [Get("gone"), Get("079", 3, 9)]
        found = dict(client.get_many(wanted, concurrency=7))
        assert [found[at] for at in range(80)] == list(values.values())
        assert isinstance(found[80], NotFound)
        assert found[81] == values["079"][3:9]
        assert list(client.get_many([])) == []

    def test_abandoned_get_many_asks_no_more(self, store: Bucket, client: Client) -> None:
        store.raw.put("key", b"value")
        with store.proxied() as other:
            assert other.proxy is not None
            answers = other.client(library=self.library).get_many([Get("key")] * 200, concurrency=4)
            assert next(answers)[1] == b"value"
            time.sleep(0.5)
            assert len(other.proxy.log) <= 6  # four under way, and those that were taken
            assert isinstance(answers, Iterator)
            answers.close()  # type: ignore[attr-defined]
            asked = len(other.proxy.log)
            time.sleep(0.2)
            assert len(other.proxy.log) <= asked + 4

    def test_stream_in_pieces(self, store: Bucket, client: Client) -> None:
        value = random.Random(1).randbytes(5 * MIB + 12345)
        store.raw.put("large", value)
        pieces = list(client.stream(Get("large"), MIB))
        assert b"".join(pieces) == value
        assert max(map(len, pieces)) <= MIB
        assert (
            b"".join(client.stream(Get("large", 100, 3 * MIB + 7), MIB)) == value[100 : 3 * MIB + 7]
        )
        assert client.get(Get("large")) == value

    # -- pins --------------------------------------------------------------------------

    def test_token_changes_with_the_content(self, store: Bucket, client: Client) -> None:
        store.raw.put("key", b"first")
        before = client.head("key")
        assert before.token
        assert client.get(Get("key", token=before.token)) == b"first"
        store.raw.put("key", b"other")
        after = client.head("key")
        assert after.token != before.token
        for start, stop in ((0, None), (1, 3), (0, 0)):
            with pytest.raises(Changed):
                client.get(Get("key", start, stop, token=before.token))
        assert client.get(Get("key", 1, token=after.token)) == b"ther"
        store.raw.delete("key")
        with pytest.raises(NotFound):
            client.get(Get("key", token=after.token))

    def test_stream_of_what_is_replaced_meanwhile(self, store: Bucket, client: Client) -> None:
        store.raw.put("key", b"a" * MIB)
        pieces = client.stream(Get("key"), 1024)
        assert next(pieces) == b"a" * 1024
        store.raw.put("key", b"b" * MIB)
        rest = list[bytes]()
        with pytest.raises(Changed):
            rest.extend(pieces)
        assert set(rest) <= {b"a" * 1024}

    def test_listing_and_head_agree(self, store: Bucket, client: Client) -> None:
        store.fill({"a": b"1", "b/c": b"x" * 1234})
        before = time.time_ns()
        for stat in client.list():
            head = client.head(stat.key)
            assert (head.key, head.size, head.token) == (stat.key, stat.size, stat.token)
            assert abs(head.modified - stat.modified) <= 10**9
            assert abs(before - stat.modified) < 60 * 10**9
            value = store.raw.get(stat.key)
            assert stat.size == len(value)
            assert stat.md5 in (None, hashlib.md5(value).digest())
            assert client.get(Get(stat.key, token=stat.token)) == value

    def test_md5_from_the_listing(self, store: Bucket, client: Client) -> None:
        store.raw.put("a", b"value")
        (stat,) = client.list()
        assert stat.md5 == hashlib.md5(b"value").digest()

    # -- listing -----------------------------------------------------------------------

    def test_empty_listings(self, store: Bucket, client: Client) -> None:
        assert list(client.list()) == []
        assert list(client.list_parallel()) == []
        assert client.folders("") == []
        store.raw.put("a/b", b"")
        assert list(client.list("b")) == []
        assert list(client.list_parallel("a/c/")) == []

    def test_order_prefixes_and_after(self, store: Bucket, client: Client) -> None:
        keys = self.keys_in_order()
        store.fill(dict.fromkeys(random.Random(3).sample(keys, len(keys)), b"x"))
        assert _keys(client.list()) == keys
        for prefix in ("", "a", "b", "b/", "b-", "b/2", "b/2/", "no", "b/1.x/"):
            expected = [key for key in keys if key.startswith(prefix)]
            assert _keys(client.list(prefix)) == expected
            assert _keys(client.list_parallel(prefix)) == expected
            for after in ("b", "b-1", "b/", "b/1", "b/2/3", "b/2/z", "b0", "~"):
                assert _keys(client.list(prefix, after)) == [key for key in expected if key > after]

    def keys_in_order(self) -> list[str]:
        return [key for key in KEYS_IN_ORDER if key not in self.unordered]

    def test_limit(self, store: Bucket, client: Client) -> None:
        keys = [f"k{number}" for number in range(5)]
        store.fill(dict.fromkeys(keys, b""))
        for limit in (0, 1, 3, 5, 9):
            assert _keys(client.list(limit=limit)) == keys[:limit]
            assert _keys(client.list("k", "k1", limit)) == keys[2 : 2 + limit]

    def test_folders(self, store: Bucket, client: Client) -> None:
        keys = ["a", "b-1/x", "b/1", "b/2/3/4", "b/2/30", "b0/x", "c/d/e"]
        store.fill(dict.fromkeys(keys, b""))
        assert client.folders("") == ["b", "b-1", "b0", "c"] or (
            sorted(client.folders("")) == ["b", "b-1", "b0", "c"]
        )
        assert client.folders("b/") == ["2"]
        assert client.folders("c/d/") == []
        assert client.folders("no/") == []

    def test_stretches(self, store: Bucket, client: Client) -> None:
        keys = [f"img_{number:03}.jpg" for number in range(60)] + ["a/b", "img/1", "img/2", "z"]
        store.fill(dict.fromkeys(keys, b"x"))
        for prefix, after, last in (("", "", ""), ("img", "img/1", "img_05"), ("no", "", "")):
            whole = Stretch(after, last)
            wanted = sorted(
                key for key in keys if key.startswith(prefix) and key > after and whole.holds(key)
            )
            stretches = list(client.cut(prefix, whole, 6))
            assert len(stretches) >= 6 or not (wanted and self.cuts)
            found = list[str]()
            while stretches:
                listed = client.list_stretches(prefix, stretches, 4)
                found += [stat.key for stats, _ in listed for stat in stats]
                ended = zip(stretches, listed)
                stretches = [Stretch(going, each.last) for each, (_, going) in ended if going]
            assert sorted(found) == wanted

    def test_listing_shows_what_is_there_now(self, store: Bucket, client: Client) -> None:
        for number in range(3):
            store.raw.put(f"n/{number}", b"")
            assert len(list(client.list("n/"))) == number + 1
            assert client.get(Get(f"n/{number}")) == b""
        store.raw.delete("n/1")
        assert _keys(client.list("n/")) == ["n/0", "n/2"]

    @pytest.mark.slow
    def test_long_listings(self, store: Bucket, client: Client) -> None:
        """Several pages: folders of very different sizes, and names that go on at their ends."""
        keys = [f"big-{number}" for number in range(100)]
        keys += [f"big/{number:05}.png" for number in range(2900)]
        keys += [f"many/{number:03}/x" for number in range(500)]
        keys += [f"mid{part}/{number:04}" for part in range(10) for number in range(150)]
        store.fill(dict.fromkeys(random.Random(4).sample(keys, len(keys)), b"x"))
        expected = sorted(keys)
        assert _keys(client.list()) == expected
        for prefix in ("", "m", "big/", "mid", "many/"):
            wanted = [key for key in expected if key.startswith(prefix)]
            assert _keys(client.list_parallel(prefix, concurrency=4)) == wanted
        wanted = [key for key in expected if key > "big/00500.png"]
        assert _keys(client.list("", "big/00500.png", 1500)) == wanted[:1500]
        assert client.folders("many/") == [f"{number:03}" for number in range(500)]
        beginning = client.list_parallel()
        assert next(beginning).key == expected[0]
        del beginning

    # -- keys --------------------------------------------------------------------------

    def test_hostile_keys(self, store: Bucket, client: Client) -> None:
        keys = [key for key in HOSTILE_KEYS if key not in self.unordered]
        values = {key: key.encode() for key in keys}
        store.fill({key: values[key] for key in keys[::2]})
        for key in keys[1::2]:
            client.put(key, values[key])
        assert {key: client.get(Get(key)) for key in keys} == values
        assert store.raw.list() == sorted(keys, key=str.encode)
        assert _keys(client.list()) == sorted(keys, key=str.encode)
        assert all(client.head(key).key == key for key in keys)
        assert all(client.create(key, b"no") is Put.EXISTS for key in keys)
        client.delete(keys[:3])
        assert _keys(client.list()) == sorted(keys[3:], key=str.encode)

    def test_odd_keys(self, store: Bucket, client: Client) -> None:
        keys = list(self.odd_keys)
        store.fill({key: key.encode() for key in keys})
        store.raw.put("a/b", b"other")
        assert _keys(client.list()) == sorted([*keys, "a/b"], key=str.encode)
        assert {key: client.get(Get(key)) for key in keys} == {key: key.encode() for key in keys}
        assert client.get(Get("a/b")) == b"other"

    # -- writing -----------------------------------------------------------------------

    def test_put_replaces(self, store: Bucket, client: Client) -> None:
        stat = client.put("key", b"first")
        assert (stat.key, stat.size, stat.token) == ("key", 5, client.head("key").token)
        client.put("key", memoryview(b"xotherx")[1:-1])
        assert store.raw.get("key") == b"other"
        assert client.put("empty", b"").size == 0
        assert store.raw.get("empty") == b""

    @pytest.mark.parametrize(
        "size", [5 * MIB + 1, pytest.param(101 * MIB + 1, marks=pytest.mark.slow)]
    )
    def test_large_values(self, store: Bucket, client: Client, size: int) -> None:
        value = random.Random(size).randbytes(size)
        stat = client.put("large", value)
        assert stat.size == size
        assert client.head("large").token == stat.token
        assert hashlib.md5(client.get(Get("large"))).digest() == hashlib.md5(value).digest()
        streamed = hashlib.md5()
        for piece in client.stream(Get("large", token=stat.token)):
            streamed.update(piece)
        assert streamed.digest() == hashlib.md5(value).digest()
        (listed,) = client.list()
        assert listed.md5 in (None, streamed.digest())
        assert client.create("large", b"x") is Put.EXISTS

    def test_create(self, store: Bucket, client: Client) -> None:
        assert client.create("refs/1", b"first") is Put.CREATED
        assert client.create("refs/1", b"other") is Put.EXISTS
        assert client.create("refs/1", b"first") is Put.EXISTS
        assert store.raw.get("refs/1") == b"first"
        assert client.create("empty", b"") is Put.CREATED
        assert client.create("empty", b"") is Put.EXISTS
        store.raw.delete("refs/1")
        assert client.create("refs/1", b"again") is Put.CREATED

    def test_threads_race_for_one_key(self, store: Bucket) -> None:
        clients = [store.client(library=self.library) for _ in range(self.writers)]
        for number in range(5):
            outcomes = _race(clients, f"race/{number}")
            winners = [at for at, outcome in enumerate(outcomes) if outcome is Put.CREATED]
            value = store.raw.get(f"race/{number}")
            # Where somebody is in doubt (a 409), it may be he who won.
            assert len(winners) <= 1, outcomes
            assert value in {b"%d" % at for at, put in enumerate(outcomes) if put is not Put.EXISTS}
            assert not winners or value == b"%d" % winners[0]

    def test_delete(self, store: Bucket, client: Client) -> None:
        store.fill(dict.fromkeys(("a", "b/c", "b/d"), b""))
        client.delete([])
        client.delete(["a"])
        client.delete(["missing"])
        client.delete(["b/c", "missing/too", "b", "b/c"])
        assert store.raw.list() == ["b/d"]

    # -- the rest ----------------------------------------------------------------------

    def test_missing_bucket(self, store: Bucket, client: Client) -> None:
        nowhere = open_client(
            f"{store.scheme}://nonesuch{store.name}", {**store.options, "library": self.library}
        )
        try:
            for call in (
                lambda: list(nowhere.list()),
                lambda: list(nowhere.list_parallel()),
                lambda: nowhere.folders(""),
                lambda: nowhere.get(Get("key")),
            ):
                with pytest.raises(NotFound):
                    call()
            with pytest.raises((StoreFailed, NotFound)):
                nowhere.create("key", b"x")
            with pytest.raises((StoreFailed, NotFound)):
                nowhere.put("key", b"x")
        finally:
            nowhere.close()

    def test_works_again_after_close(self, store: Bucket, client: Client) -> None:
        client.put("key", b"value")
        client.close()
        client.close()
        assert client.get(Get("key")) == b"value"

    def test_forked_child(self, store: Bucket, client: Client) -> None:
        """It inherits a client that has been used, and the parent's goes on working."""
        store.raw.put("key", b"value")
        assert client.get(Get("key")) == b"value"
        context = multiprocessing.get_context("fork")
        mine, theirs = context.Pipe()
        child = context.Process(target=_child, args=(client, theirs))
        child.start()
        assert mine.poll(60), "the child hangs"
        assert mine.recv() == (b"value", ["key"])
        child.join(10)
        assert child.exitcode == 0
        assert client.get(Get("key")) == b"value"

    def test_many_threads(self, store: Bucket, client: Client) -> None:
        store.raw.put("key", b"value")
        found: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: found.append(client.get(Get("key")))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [b"value"] * 8

    def test_url(self, store: Bucket, client: Client) -> None:
        assert client.url == store.url


def _keys(stats: Iterator[Stat]) -> list[str]:
    return [stat.key for stat in stats]


def _child(client: Client, pipe: multiprocessing.connection.Connection) -> None:
    answers = [value for _, value in client.get_many([Get("key")])]
    pipe.send((answers[0], _keys(client.list())))


def _race(clients: list[Client], key: str) -> list[Put]:
    """All create the key at the same moment, each with its own number; outcomes in order."""
    barrier = threading.Barrier(len(clients))
    outcomes: dict[int, Put | LdbError] = {}

    def run(at: int) -> None:
        barrier.wait()
        outcomes[at] = clients[at].create(key, b"%d" % at)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[at] for at in range(len(clients))]  # type: ignore[misc]


class ObstoreReads:
    """For stores of which obstore reads the objects: that it does. Beside `ClientContract`."""

    library = "obstore"

    def test_obstore_is_what_reads(self, store: Bucket) -> None:
        store.raw.put("a/key", b"value")
        with store.proxied() as other:
            client = other.client(library=self.library)
            assert client.get(Get("a/key", 1)) == b"alue"
            assert other.proxy is not None
            assert [seen.agent.partition("/")[0] for seen in other.proxy.log] == ["object_store"]
