"""`ldb index` on a Dask cluster: the same index as by local processes, whatever dies meanwhile."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.clouds.options import configure
from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.engines.opening import open_engine
from ldb.errors import BadInput, NotFound
from ldb.ids import Oid
from ldb.indexing.run import IndexOptions, IndexReport, ReaderOpener, index
from ldb.indexing.scan import BATCH
from ldb.indexing.targets import targets_of
from ldb.instance import Instance, create
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.engines.clusters import ROOT, cluster, kill
from tests.indexing.conftest import LONG_AGO, wait_for

PAIRS = 6 * BATCH
RUN_TIME = 1_700_000_000_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs for tens of batches; some contents are met twice, one annotation is bad."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(PAIRS):
        below = folder / f"{number % 7}"
        below.mkdir(exist_ok=True)
        image, note = below / f"{number:06}.jpg", below / f"{number:06}.json"
        image.write_bytes(b"image %d" % (number % (PAIRS - 100)))
        note.write_text("{" if number == 77 else f'{{"number": {number}, "class": "cat"}}')
        for path in (image, note):
            os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def run(instance: Instance, data: Path, engine: Engine) -> IndexReport:
    options = IndexOptions(engine=engine, run_time=RUN_TIME, tags=("a",))
    return index(instance, targets_of([str(data)]), options)


def roots(report: IndexReport) -> dict[str, Oid]:
    assert report.version is not None
    return {name: each.root for name, each in report.version.commit.maps.items()}


@pytest.fixture(scope="module")
def expected(data: Path, tmp_path_factory: pytest.TempPathFactory) -> IndexReport:
    """What the local engine finds."""
    return run(create(LocalBackend(tmp_path_factory.mktemp("local") / "i")), data, LocalEngine(2))


def ldb(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ldb.cli.main", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def fsck_is_clean(instance: Instance) -> None:
    done = ldb("--instance", instance.url, "fsck")
    assert done.returncode == 0, done.stdout + done.stderr


def test_same_roots_as_locally(
    cluster_url: str, data: Path, instance: Instance, expected: IndexReport
) -> None:
    with open_engine(cluster_url) as engine:
        report = run(instance, data, engine)
        assert roots(report) == roots(expected)
        assert report.problems == expected.problems
        assert (report.found_objects, report.new_objects) == (PAIRS, PAIRS - 100)
        again = run(instance, data, engine)
    assert (again.new_objects, again.new_paths, roots(again)) == (0, 0, roots(expected))
    fsck_is_clean(instance)


def test_worker_killed_when_the_first_pack_appears(
    data: Path, instance: Instance, expected: IndexReport, tmp_path: Path
) -> None:
    packs = Path(instance.url) / "objects" / "pack"
    with cluster(tmp_path, 2) as found, open_engine(found.url) as engine:

        def strike() -> None:
            wait_for(lambda: list(packs.glob("*.pack")))
            kill(found.workers[0])

        striking = threading.Thread(target=strike)
        striking.start()
        report = run(instance, data, engine)
        striking.join()
        assert found.workers[0].returncode == -signal.SIGKILL
    assert roots(report) == roots(expected)
    instance.objects.refresh()
    fsck_is_clean(instance)


def test_nothing_is_published_where_there_is_a_problem(
    cluster_url: str, data: Path, instance: Instance
) -> None:
    ldb("--instance", instance.url, "add-storage", data)
    done = ldb("--instance", instance.url, "index", "--strict", "--engine", cluster_url, data)
    assert done.returncode == 2
    assert "nothing was indexed" in done.stderr
    assert not list(Path(instance.url, "refs").rglob("index/*"))


def test_command_and_setting(cluster_url: str, data: Path, instance: Instance) -> None:
    ldb("--instance", instance.url, "add-storage", data)
    done = ldb("--instance", instance.url, "index", "--engine", cluster_url, data / "1")
    assert "paths:" in done.stderr
    assert done.returncode == 0, done.stderr
    assert ldb("config", "set", "core.engine", "spark").returncode == 0
    done = ldb("--instance", instance.url, "index", data / "1")
    assert done.returncode == 2
    assert "core.engine in" in done.stderr
    assert "no such engine: spark" in done.stderr


@pytest.mark.parametrize("wrong", ["id", "place", "folder"])
def test_a_worker_elsewhere(
    cluster_url: str, data: Path, instance: Instance, tmp_path: Path, wrong: str
) -> None:
    """A worker that finds another instance, none, or no data at these paths says so."""
    opener = ReaderOpener(
        url=str(tmp_path / "nowhere") if wrong == "place" else instance.url,
        algorithm="md5",
        id_bytes=16,
        run_time=RUN_TIME,
        tags=(),
        strict=False,
        instance_id="another" if wrong == "id" else instance.id,
        folders=(str(tmp_path / "gone") if wrong == "folder" else str(data),),
        objects=None,
    )
    kind, text = {
        "id": (BadInput, "is another instance on the worker"),
        "place": (NotFound, "LDB instance not found: .*nowhere"),
        "folder": (NotFound, "folder not found: .*gone"),
    }[wrong]
    with pytest.raises(kind, match=text), opener():
        pass


def test_interrupted(cluster_url: str, data: Path, instance: Instance) -> None:
    ldb("--instance", instance.url, "add-storage", data)
    packs = Path(instance.url) / "objects" / "pack"
    before = len(list(packs.glob("*.pack")))
    words = ["--instance", instance.url, "index", "--engine", cluster_url, str(data)]
    with subprocess.Popen(
        [sys.executable, "-m", "ldb.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as going:
        wait_for(lambda: len(list(packs.glob("*.pack"))) > before)
        os.killpg(going.pid, signal.SIGINT)
        _, err = going.communicate(timeout=60)
    assert (going.returncode, err.strip()) == (130, "interrupted")
    assert not list(Path(instance.url, "refs").rglob("index/*"))


@pytest.mark.slow
def test_own_cluster(data: Path, instance: Instance) -> None:
    """`--engine dask` starts workers of its own, and leaves none behind."""
    ldb("--instance", instance.url, "add-storage", data)
    done = ldb("--instance", instance.url, "index", "--engine", "dask", data / "1")
    assert done.returncode == 0, done.stderr
    assert "ds:root.v1: " in done.stderr.splitlines()[-1]  # and nothing of Dask's after it
    fsck_is_clean(instance)


@pytest.mark.slow
def test_bucket_to_bucket(s3_bucket: Bucket, tmp_path: Path) -> None:
    """Data and instance in a bucket; workers have credentials in their own environment."""
    for number in range(60):
        s3_bucket.raw.put(f"data/{number}.jpg", b"image %d" % number)
        s3_bucket.raw.put(f"data/{number}.json", b'{"number": %d}' % number)
    own, place = dict(s3_bucket.environ), f"{s3_bucket.url}/instance"
    data = f"{s3_bucket.url}/data"
    with cluster(tmp_path, 2, **own) as found:
        for words in (["init", place], ["--instance", place, "add-storage", data]):
            done = ldb(*words, **own)
            assert done.returncode == 0, done.stderr
        words = ["--instance", place, "index", "--engine", found.url, data]
        done = ldb(*words, **own)
        assert done.returncode == 0, done.stderr
        assert "data objects: 60 found, 60 new" in done.stderr
        # It was the cluster that did it.
        assert "Run out-of-band function" in found.log
    done = ldb("--instance", place, "fsck", **own)
    assert done.returncode == 0, done.stderr
    assert servers.SECRET not in found.log


def test_nothing_secret_is_sent(instance: Instance) -> None:
    table = {"s3://b": {"key": "K3Y", "secret": "S3CRET", "token": "T0KEN", "region": "r-1"}}
    opener = ReaderOpener(instance.url, "md5", 16, 1, (), False, instance.id, (), None)
    try:
        configure(table)
        sent = pickle.dumps(opener)
    finally:
        configure({})
    assert b"r-1" in sent
    assert not [word for word in (b"K3Y", b"S3CRET", b"T0KEN") if word in sent]
