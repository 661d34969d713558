"""Commands on an instance in a bucket while requests go wrong: nothing lost, nothing half-visible.

Faults come from a proxy between the commands and a real server; the instance is looked at
beside it. What a single request comes to: `tests/contracts/client_faults.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.opening import open_backend
from ldb.instance import exists
from ldb.porcelain.fsck import fsck
from tests.cli.conftest import Ldb
from tests.cli.test_bucket_instance import fill
from tests.clouds.buckets import Bucket
from tests.clouds.faultproxy import FaultProxy

pytestmark = [pytest.mark.cloud, pytest.mark.slow]

FAULTS: dict[str, dict[str, Any]] = {
    "503": {"action": "status", "code": 503},
    "429": {"action": "status", "code": 429},
    "409": {"action": "status", "code": 409},
    "500": {"action": "status", "code": 500},
    "cut before": {"action": "reset"},
    "lost answer": {"action": "lost_response"},
    "cut amid the answer": {"action": "truncate", "after": 60},
    "stall": {"action": "hang", "times": 10},
    "delay": {"action": "delay", "seconds": 0.3},
}
SMALL = 6
SET_UP = ("add-storage {data}", "index {data}", "stage ds:cats cats", "-C cats add ds:root")
LISTING = r"list-type=2|comp=list|/o\?"


class World:
    """An instance reached through a proxy, and the data it is about."""

    def __init__(self, ldb: Ldb, there: Bucket, beside: Bucket, tmp_path: Path) -> None:
        assert there.proxy is not None
        self.proxy: FaultProxy = there.proxy
        self.url = f"{there.url}/team/ldb"
        self._ldb, self._beside, self.data = ldb, beside, tmp_path / "data"
        self._work = os.getcwd()
        fill(self.data, range(SMALL))
        for name, value in (("timeout", "2"), ("patience", "20")):
            self.run(f"config set storage.{there.url}.{name} {value}")

    def run(self, command: str, code: int = 0) -> str:
        """Run it, and see that the instance is sound after it."""
        args = command.format(data=self.data, url=self.url).split()
        os.chdir(self._work)
        done = self._ldb(*args)
        assert done.code == code, (command, done.out, done.err)
        assert "Traceback" not in done.err
        backend = open_backend(self.url, options=self._beside.options)
        if exists(backend):
            problems = fsck(backend).problems
            assert not problems, (command, problems)
        return done.out + done.err

    def objects(self, version: str) -> int:
        return len(self.run(f"list {version} --json").splitlines())


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes commands reach a bucket."""

    def reach(environ: Mapping[str, str]) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

    return reach


@pytest.fixture
def world(bucket: Bucket, ldb: Ldb, reached: Any, tmp_path: Path) -> Iterator[World]:
    with bucket.proxied() as there:
        reached({**there.environ, "LDB_DIR": f"{there.url}/team/ldb"})
        yield World(ldb, there, bucket, tmp_path)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_third_request_goes_wrong(world: World, fault: str) -> None:
    """Of the whole life of an instance: each command gets through at its first try."""
    rule = world.proxy.add(**FAULTS[fault], every=3)
    world.run("init {url}")
    for command in SET_UP:
        world.run(command)
    world.run("-C cats commit -m first")
    fill(world.data, range(SMALL, 2 * SMALL))
    world.run("index {data}")
    world.run("-C cats add ds:root")
    world.run("-C cats commit -m second")
    world.run("-C cats instantiate")
    assert "put together" in world.run("repack")
    world.run("gc --prune --alone")
    assert rule.hits > 60
    world.proxy.clear()
    assert (world.objects("ds:cats.v1"), world.objects("ds:cats.v2")) == (SMALL, 2 * SMALL)
    assert world.objects("ds:root") == 2 * SMALL
    assert "ds:cats.v2" in world.run("ds list")
    assert "ds:root.v3" not in world.run("log ds:root")


@pytest.mark.parametrize("gone", ["503", "cut before"])
def test_it_stays_wrong(world: World, gone: str) -> None:
    """Each command ends soon with an error that says what was tried, and gets through later."""
    world.run("init {url}")
    for command in SET_UP:
        world.run(command)
    bucket = world.url.rpartition("/team")[0]
    world.run(f"config set storage.{bucket}.patience 2")
    fill(world.data, range(SMALL, 2 * SMALL))
    for command in (
        "index {data}",
        "-C cats commit",
        "-C cats instantiate",
        "repack",
        "gc --prune --alone",
    ):
        method = {"s3": "PUT|POST|DELETE", "gs": "POST|DELETE", "az": "PUT|DELETE"}
        for kind in method[bucket[:2]].split("|"):
            world.proxy.add(**FAULTS[gone], method=kind)
        asked = len(world.proxy.log)
        if command != "-C cats instantiate":
            said = world.run(command, code=1)
            assert "tried" in said or "may have been saved" in said or "no clear answer" in said
            assert len(world.proxy.log) - asked < 200
        world.proxy.clear()
        world.run(command)
    assert world.objects("ds:cats") == SMALL
    assert world.objects("ds:root") == 2 * SMALL


def test_listings_come_late(world: World) -> None:
    """Every other one is what it was before: two writers' versions are kept all the same."""
    world.run("init {url}")
    for command in SET_UP:
        world.run(command)
    world.run("-C cats commit")
    for name in ("one", "two"):
        world.run(f"stage ds:cats {name}")
    world.run("-C one del --query number==`1`")
    world.run("-C two del --query number==`2`")
    late = world.proxy.add("late", method="GET", path=LISTING, every=2)
    world.run("-C one commit")
    world.run("-C two commit")
    world.run("repack")
    world.run("gc --prune")
    world.run("gc --prune")
    assert any(each.action == "late" for each in world.proxy.log)
    assert late.hits > 10
    world.proxy.clear()
    assert [world.objects(f"ds:cats.v{n}") for n in (1, 2, 3)] == [SMALL, SMALL - 1, SMALL - 2]
