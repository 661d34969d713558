"""The cluster that tests share."""

from __future__ import annotations

import os

import pytest

from tests.engines.clusters import shared


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a scheduler with two workers, for tests that do them no harm."""
    base = tmp_path_factory.getbasetemp()
    return shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cluster")
