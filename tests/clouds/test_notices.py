"""What is told while a store does not answer, and what Ctrl-C leaves then."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from ldb.clouds import loops, notices
from ldb.clouds.base import Get
from tests.clouds import servers
from tests.clouds.buckets import Bucket


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was told; without the wait before it."""
    monkeypatch.setattr(notices, "AFTER", 0.0)
    found: list[str] = []
    notices.listen(found.append)
    yield found
    notices.listen(None)


@pytest.mark.parametrize("library", ["fsspec", "obstore"])
def test_a_store_that_is_busy(bucket: Bucket, library: str, told: list[str]) -> None:
    bucket.raw.put("a", b"1")
    with bucket.proxied() as other:
        assert other.proxy is not None
        other.proxy.add("status", code=503, times=3)
        assert other.client(library=library).get(Get("a")) == b"1"
    assert len(told) == 1, "one of several, and not one for each"
    assert told[0].startswith(f"waiting for {bucket.url}: ")
    assert told[0].endswith("; trying again")
    assert servers.SECRET not in told[0]


def test_a_write(s3_bucket: Bucket, told: list[str]) -> None:
    with s3_bucket.proxied() as other:
        assert other.proxy is not None
        other.proxy.add("status", code=503, times=3)
        other.client().create("a", b"1")
    assert len(told) == 1


def test_what_is_told_and_when(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    notices.trying_again("s3://b", "line\nbreak, key=hidden " + "x" * 999, 0.1)
    (text,) = told
    assert len(text) < 400
    assert "hidden" not in text
    assert "\n" not in text
    notices.listen(told.append)
    monkeypatch.setattr(notices, "AFTER", 2.0)
    notices.trying_again("s3://b", "a blip", 1.9)
    assert len(told) == 1
    notices.trying_again("s3://b", "no blip", 2.1)
    assert len(told) == 2
    notices.listen(None)
    notices.trying_again("s3://b", "nobody listens", 99)
    assert len(told) == 2


def test_ctrl_c_while_the_loop_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python complained of a coroutine that was never awaited."""

    def interrupted() -> asyncio.AbstractEventLoop:
        raise KeyboardInterrupt

    async def work() -> None: ...

    monkeypatch.setattr(loops, "loop", interrupted)
    coroutine = work()
    with pytest.raises(KeyboardInterrupt):
        loops.run(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
