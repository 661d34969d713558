from __future__ import annotations

import pytest

from ldb.backends.base import Backend
from ldb.backends.memory import MemoryBackend
from tests.contracts.backend import BackendContract


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return MemoryBackend()


def test_two_stores_share_nothing() -> None:
    one, other = MemoryBackend("same"), MemoryBackend("same")
    one.create("a", b"1")
    assert list(other.list()) == []
    assert one.url == "memory://same"
