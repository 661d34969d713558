"""Commands on an instance in a bucket, killed or held at every call of the store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.killed_command import Trial
from tests.chaos.test_killed_command import base, check
from tests.chaos.test_killed_command import trials as stopped_trials
from tests.clouds.buckets import Bucket

__all__ = ["base"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="kills forked processes"),
]

KILLED = (
    "first index",
    "index again",
    "commit",
    "merge",
    "instantiate",
    "unindex",
    "rename",
    "delete",
    "repack",
    "gc",
)
ELSEWHERE = ("first index", "commit", "repack", "gc")
"""On Google Cloud Storage and Azure, where deletes are requests of their own."""


def trials(base: Path, scenario: str, kind: str, bucket: Bucket) -> tuple[list[Trial], Trial]:
    """The stopped ones, and the one that got through."""
    where = (bucket.scheme, str(bucket.server.port), bucket.name)
    return stopped_trials(base, scenario, kind, "killed_in_bucket", where)


def killed(base: Path, scenario: str, bucket: Bucket) -> None:
    stopped, last = trials(base, scenario, "KILL", bucket)
    for trial in stopped:
        assert trial.code == -9, trial
        check(trial, last, scenario)
    points = {trial.stopped.split()[0] + " " + trial.stopped.split()[1] for trial in stopped}
    if scenario == "instantiate":  # reads what is in the cache, and two listings
        assert len(stopped) >= 2
    else:
        assert len(stopped) >= 3
        assert {"before create", "after create"} <= points
    if scenario == "gc":
        assert {"amid delete", "after delete"} <= points


@pytest.mark.parametrize("scenario", KILLED)
def test_killed_at_every_call(base: Path, s3_bucket: Bucket, scenario: str) -> None:
    killed(base, scenario, s3_bucket)


def test_killed_init(base: Path, hot_s3_bucket: Bucket) -> None:
    """On a server that is quick where several write one key, as the probe does."""
    killed(base, "init", hot_s3_bucket)


@pytest.mark.parametrize("scenario", ELSEWHERE)
@pytest.mark.parametrize("server", ["gs_bucket", "az_bucket"])
def test_elsewhere(request: pytest.FixtureRequest, base: Path, server: str, scenario: str) -> None:
    killed(base, scenario, request.getfixturevalue(server))


@pytest.mark.parametrize("scenario", ["first index", "commit", "merge"])
def test_held_for_longer_than_the_grace_period(
    base: Path, s3_bucket: Bucket, scenario: str
) -> None:
    """By SIGSTOP at every call, while gc deletes what the command is about to rely on.

    Either the command makes its version, with all that it needs, or it says what happened and
    saves nothing; run again it gets through.
    """
    stopped, last = trials(base, scenario, "STOP", s3_bucket)
    for trial in stopped:
        assert trial.code in (0, 4), trial
        assert trial.code == 0 or "ldb gc" in trial.said, trial
        if "withdrawn" in trial.said:  # its number is not used again, which fsck notes
            trial.notes = [note for note in trial.notes if " is not there (refs/" not in note]
        check(trial, last, "gc")  # which may take objects away
    codes = [trial.code for trial in stopped]
    assert 0 in codes
    assert 4 in codes, "or nothing was deleted that it needed"
