"""Machines whose clock is days off work on an instance in a bucket: nothing is lost.

The clock of whole processes is moved, for the libraries as well, by a few lines of C that are
loaded before the system's own calls.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_bucket_instance import Team, fill
from tests.clouds.buckets import Bucket

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]

DAY = 86400
MOVED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long moved(void) { return atol(getenv("CLOCK_MOVED")); }

int clock_gettime(clockid_t clock, struct timespec *found) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, found);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) found->tv_sec += moved();
    return code;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
"""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    source, library = tmp_path / "moved.c", tmp_path / "moved.so"
    source.write_text(MOVED)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def member(base: Path, bucket: Bucket, shim: Path, seconds: int) -> Team:
    """One whose clock is so many seconds ahead."""
    team = Team(base, bucket)
    team.environ |= {"LD_PRELOAD": str(shim), "CLOCK_MOVED": str(seconds)}
    return team


@pytest.mark.parametrize("days", [10, -10])
def test_days_off(gs_bucket: Bucket, shim: Path, tmp_path: Path, days: int) -> None:
    ann = Team(tmp_path / "ann", gs_bucket)
    bob = member(tmp_path / "bob", gs_bucket, shim, days * DAY)
    url = f"{gs_bucket.url}/team/ldb"
    data = tmp_path / "data"
    fill(data, range(6))
    ann.run("init", url)
    bob.run("config", "set", "core.instance", url)
    ann.run("add-storage", str(data))
    ann.run("index", str(data))
    # What nobody needs, and is younger than the grace period by the store's clock.
    waste = ann.run("hash-object", "-w", "--stdin", stdin='{"a": 1}').strip()
    for team in (ann, bob):
        team.run("stage", "ds:cats", "cats")
    ann.run("-C", "cats", "add", "ds:root", "--limit", "3")
    assert "ds:cats.v1" in ann.run("-C", "cats", "commit")
    bob.run("-C", "cats", "add", "ds:root")
    bob.run("gc", "--prune")
    assert "ds:cats.v2" in bob.run("-C", "cats", "commit")
    bob.run("gc", "--prune")
    ann.run("cat-file", "-e", waste)
    fill(data, range(6, 9))
    assert "ds:root.v2" in bob.run("index", str(data))
    assert "ds:cats.v2" in ann.run("log", "ds:cats")
    assert len(ann.run("list", "ds:root").splitlines()) >= 9
    shown = [ann.run("eval", f"ds:cats.v{n}", "--show", "number", "-j").split() for n in (1, 2)]
    assert [len(each) for each in shown] == [3, 6]
    ann.run("fsck")


def test_a_store_that_minds(s3_bucket: Bucket, shim: Path, tmp_path: Path) -> None:
    """S3 signs with the time, and refuses one that is off: said clearly, nothing done."""
    ann = Team(tmp_path / "ann", s3_bucket)
    ann.run("init", f"{s3_bucket.url}/ldb")
    before = s3_bucket.raw.list()
    bob = member(tmp_path / "bob", s3_bucket, shim, 10 * DAY)
    bob.run("config", "set", "core.instance", f"{s3_bucket.url}/ldb")
    fill(tmp_path / "data", range(3))
    said = bob.run("add-storage", str(tmp_path / "data"), code=1)
    assert "time" in said.lower()
    assert "Traceback" not in said
    assert s3_bucket.raw.list() == before
