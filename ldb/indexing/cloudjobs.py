"""What the scan of an object store asks of the workers: jobs, each with what was listed.

A batch goes to one bucket, so that one client serves all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ldb.indexing.jobs import FolderJobs

if TYPE_CHECKING:  # runs over local folders load this module too, and no other of the cloud's
    from ldb.storage.cloudlisting import Fact


@dataclass(frozen=True, slots=True)
class CloudJobs:
    """Jobs of one folder, and what the listing said of the files that they name."""

    jobs: FolderJobs
    facts: Mapping[bytes, Fact]
    """By name: of every file to be read, annotations beside data files included."""

    def part(self, start: int, stop: int) -> CloudJobs:
        """Jobs [start, stop)."""
        jobs = self.jobs.part(start, stop)
        wanted = {*jobs.names, *jobs.notes} & self.facts.keys()
        return CloudJobs(jobs, {name: self.facts[name] for name in wanted})


@dataclass(frozen=True, slots=True)
class CloudBatch:
    """Jobs in one bucket, in key order."""

    vouched: bool
    """Whether the MD5 of a listing is believed."""
    folders: list[CloudJobs] = field(default_factory=list)


def batches_of(jobs: Iterator[CloudJobs], size: int, vouched: bool) -> Iterator[CloudBatch]:
    """The same jobs, so many at a time."""
    batch, room = CloudBatch(vouched), size
    for each in jobs:
        at = 0
        while at < len(each.jobs):
            part = each.part(at, at + room)
            batch.folders.append(part)
            at += len(part.jobs)
            room -= len(part.jobs)
            if not room:
                yield batch
                batch, room = CloudBatch(vouched), size
    if batch.folders:
        yield batch
