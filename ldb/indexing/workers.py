"""Indexing as an engine's workers do it: batches out, columns back in the order they went out.

A worker has one pack writer. When its engine lets it settle, what it wrote is published; which is
once at the end here, and after every task in a cluster. Nothing is published if anything fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Union

from ldb.engines.base import Engine, Work
from ldb.indexing.cloudjobs import CloudBatch
from ldb.indexing.jobs import FolderJobs
from ldb.indexing.read import BatchResult

Batch = Union["list[FolderJobs]", CloudBatch]
"""Local files, or objects of one bucket."""


def reading(
    batches: Iterator[Batch], open_reader: Work[Batch, BatchResult], engine: Engine
) -> AbstractContextManager[Iterator[BatchResult]]:
    """Results of all batches, in order; every pack is published when the context is left.

    What is done in it after the last result goes on beside that publishing.
    """
    return engine.run(open_reader, batches, "indexing")
