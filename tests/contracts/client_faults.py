"""What every client must do when requests go wrong, through a proxy that lets them.

Inherited like `client.py`. The promise: what may pass is tried again; what a create came to is told
as it is or as in doubt, never wrongly; a truncated answer is never taken for a whole one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ldb.clouds.base import Client, Get, Put
from ldb.errors import NotFound, StoreFailed
from tests.clouds.buckets import Bucket
from tests.clouds.faultproxy import FaultProxy

VALUE = b"0123456789" * 6000


class ClientFaults:
    """Inherit and give the fixture `store`."""

    library = "fsspec"

    @pytest.fixture
    def beside(self, store: Bucket) -> Iterator[Bucket]:
        """The bucket through a proxy, with the key `key` in it."""
        store.raw.put("key", VALUE)
        with store.proxied() as other:
            yield other

    @pytest.fixture
    def proxy(self, beside: Bucket) -> FaultProxy:
        assert beside.proxy is not None
        return beside.proxy

    @pytest.fixture
    def client(self, beside: Bucket, proxy: FaultProxy) -> Client:
        """One that has warmed up, and whose patience is short."""
        client = beside.client(library=self.library, timeout=2, patience=12)
        assert client.get(Get("key")) == VALUE
        client.create("key", b"")
        proxy.clear()
        return client

    # -- reading -----------------------------------------------------------------------

    @pytest.mark.parametrize(
        "action", ["503", "500", "429", "reset", "lost_response", "truncate", "hang"]
    )
    def test_reading_is_tried_again(self, client: Client, proxy: FaultProxy, action: str) -> None:
        code, name = (int(action), "status") if action.isdigit() else (0, action)
        rule = proxy.add(name, code=code, times=2, after=100)
        assert client.get(Get("key")) == VALUE
        assert rule.hits >= 3
        proxy.add(name, code=code, times=1, after=100)
        assert [stat.key for stat in client.list()] == ["key"]
        proxy.add(name, code=code, times=1, after=100)
        assert b"".join(client.stream(Get("key"), 4096)) == VALUE

    def test_slow_link(self, client: Client, proxy: FaultProxy) -> None:
        """Longer than the time-out for one answer, but bytes keep coming."""
        proxy.add("throttle", rate=20_000)
        assert client.get(Get("key")) == VALUE
        assert len(proxy.log) == 1

    def test_retry_after(self, client: Client, proxy: FaultProxy) -> None:
        proxy.add("status", code=429, headers={"Retry-After": "2"}, times=2)
        began = time.monotonic()
        assert client.get(Get("key")) == VALUE
        assert time.monotonic() - began >= 2

    def test_patience_ends(self, client: Client, proxy: FaultProxy, beside: Bucket) -> None:
        proxy.add("status", code=503)
        hasty = beside.client(library=self.library, retries=2, patience=5)
        for call in (
            lambda: hasty.get(Get("key")),
            lambda: list(hasty.list()),
            lambda: hasty.put("other", b"x"),
            lambda: hasty.delete(["key"]),
        ):
            with pytest.raises(StoreFailed, match=r"tried 3 times"):
                call()
        (found,) = [value for _, value in hasty.get_many([Get("key")])]
        assert isinstance(found, StoreFailed)

    def test_one_that_asks_for_too_much_patience(self, beside: Bucket, proxy: FaultProxy) -> None:
        proxy.add("status", code=503, headers={"Retry-After": "3600"})
        began = time.monotonic()
        with pytest.raises(StoreFailed):
            beside.client(library=self.library).get(Get("key"))
        assert time.monotonic() - began < 30

    def test_nothing_listens(self, store: Bucket) -> None:
        with store.proxied() as gone:
            client = gone.client(library=self.library, retries=1, timeout=1)
        for call in (
            lambda: client.get(Get("key")),
            lambda: list(client.list()),
            lambda: client.create("other", b"x"),
        ):
            with pytest.raises(StoreFailed):
                call()
        client.close()

    # -- create ------------------------------------------------------------------------

    def test_create_that_was_refused_for_now(
        self, client: Client, proxy: FaultProxy, store: Bucket
    ) -> None:
        """Nothing was stored, whatever the code says; the second try stores it."""
        for number, code in enumerate((503, 500, 429, 409)):
            proxy.add("status", code=code, times=1)
            assert client.create(f"new/{number}", b"mine") is Put.CREATED
            assert store.raw.get(f"new/{number}") == b"mine"

    def test_create_with_a_reset_before(
        self, client: Client, proxy: FaultProxy, store: Bucket
    ) -> None:
        proxy.add("reset", times=1)
        assert client.create("new", b"mine") is Put.CREATED
        assert store.raw.get("new") == b"mine"

    @pytest.mark.parametrize("action", ["lost_response", "twice"])
    def test_create_whose_answer_got_lost(
        self, client: Client, proxy: FaultProxy, store: Bucket, action: str
    ) -> None:
        """It is ours, and nobody may say that somebody else's is there."""
        proxy.add(action, times=1)
        outcome = client.create("new", b"mine")
        if action == "lost_response":
            assert outcome is Put.DOUBT
        else:  # a proxy in between that repeats requests cannot be told from another writer
            assert outcome is Put.EXISTS
        assert store.raw.get("new") == b"mine"

    def test_create_of_a_taken_key_is_never_created(
        self, client: Client, proxy: FaultProxy, store: Bucket
    ) -> None:
        assert client.create("key", b"mine") is Put.EXISTS
        for action in ("reset", "lost_response", "status"):
            proxy.add(action, times=1, code=409)
            assert client.create("key", b"mine") in (Put.EXISTS, Put.DOUBT)
        assert store.raw.get("key") == VALUE

    def test_create_in_doubt_to_the_end(
        self, client: Client, proxy: FaultProxy, store: Bucket, beside: Bucket
    ) -> None:
        hasty = beside.client(library=self.library, retries=1, timeout=1)
        proxy.add("lost_response", times=1)
        proxy.add("status", code=503)
        assert hasty.create("new", b"mine") is Put.DOUBT
        assert store.raw.get("new") == b"mine"

    def test_create_that_hangs(self, client: Client, proxy: FaultProxy) -> None:
        proxy.add("hang", times=1)
        assert client.create("new", b"mine") is Put.CREATED

    # -- other writes ------------------------------------------------------------------

    def test_put_and_delete_are_tried_again(
        self, client: Client, proxy: FaultProxy, store: Bucket
    ) -> None:
        for action in ("status", "reset", "lost_response"):
            proxy.add(action, times=1)
            client.put("other", action.encode())
            assert store.raw.get("other") == action.encode()
            proxy.add(action, times=1)
            client.delete(["other"])
            assert store.raw.list() == ["key"]

    def test_delete_of_many(self, client: Client, proxy: FaultProxy, store: Bucket) -> None:
        """What fails is tried again, and not all of it; the keys go as long as some answer."""
        keys = [f"many/{number:02}" for number in range(40)]
        store.fill(dict.fromkeys(keys, b"x"))
        for action in ("status", "reset", "lost_response"):
            proxy.add(action, skip=3 if store.scheme != "s3" else 0, times=2)
        client.delete(keys)
        assert store.raw.list() == ["key"]
        assert len(proxy.log) <= (len(keys) if store.scheme != "s3" else 1) + 20

    def test_delete_of_many_that_fails(
        self, proxy: FaultProxy, store: Bucket, beside: Bucket
    ) -> None:
        hasty = beside.client(library=self.library, retries=1, timeout=2, patience=5)
        store.fill(dict.fromkeys((f"many/{number:02}" for number in range(40)), b"x"))
        proxy.add("status", skip=20 if store.scheme != "s3" else 0)
        with pytest.raises(StoreFailed, match=r"tried 2 times"):
            hasty.delete([f"many/{number:02}" for number in range(40)])
        proxy.clear()
        left, before = store.raw.list(), None
        while left != before:  # what had been sent already may still arrive
            time.sleep(0.5)
            left, before = store.raw.list(), left
        assert len(left) > 1, "nobody goes on"

    def test_error_in_the_middle_of_a_listing(self, client: Client, proxy: FaultProxy) -> None:
        # twice: where obstore lists, the other library is asked what a failure means
        proxy.add("status", code=404, times=2, body=b"")
        with pytest.raises(NotFound):
            list(client.list())
