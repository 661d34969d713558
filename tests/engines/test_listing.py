"""Buckets listed by the workers of a Dask cluster: the same index as by one process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.local import LocalBackend
from ldb.clouds.options import configure
from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.engines.opening import open_engine
from ldb.indexing import spreadlisting
from ldb.indexing.cloudtargets import CloudTarget
from ldb.indexing.run import IndexOptions, IndexReport, index
from ldb.indexing.spreadlisting import Listed, Sizes, Spread
from ldb.instance import Instance, create
from tests.clouds.buckets import Bucket
from tests.engines.clusters import cluster, kill

RUN_TIME = 1_700_000_000_000
NAMES = [f"{number % 3}/{number:03}" for number in range(60)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred objects are a large bucket here."""
    monkeypatch.setattr(spreadlisting, "FIRST", 10)
    monkeypatch.setattr(spreadlisting, "PIECES", 3)
    monkeypatch.setattr(spreadlisting, "SIZES", Sizes(most=5, pieces=2, together=2))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Listed]:
    """What workers have listed."""
    found: list[Listed] = []
    rest = Spread.rest

    def counting(self: Spread) -> Iterator[Listed]:
        for each in rest(self):
            found.append(each)
            yield each

    monkeypatch.setattr(Spread, "rest", counting)
    return found


@contextlib.contextmanager
def configured(bucket: Bucket, options: Mapping[str, Any]) -> Iterator[None]:
    """The bucket's options, for this process and, but for secrets, for those it sends work to."""
    configure({bucket.url: options})
    try:
        yield
    finally:
        configure({})


def reached(bucket: Bucket) -> AbstractContextManager[None]:
    """The same without secrets: ministack checks no credentials."""
    options = {name: each for name, each in bucket.options.items() if name not in _KEYS}
    return configured(bucket, options | ({"anon": True} if bucket.scheme == "s3" else {}))


_KEYS = ("key", "secret")


def fill(bucket: Bucket) -> None:
    pairs = {f"data/{name}.jpg": b"image " + name.encode() for name in NAMES}
    pairs |= {f"data/{name}.json": b'{"name": "%s"}' % name.encode() for name in NAMES}
    bucket.fill({**pairs, "data/bad\x7fname.jpg": b"x", "data/.hidden/a.jpg": b"x", "data/z/": b""})


def run(instance: Instance, bucket: Bucket, engine: Engine) -> IndexReport:
    folder = f"{bucket.url}/data/".encode()
    options = IndexOptions(engine=engine, run_time=RUN_TIME)
    return index(instance, [], options, clouds=[CloudTarget(folder, (folder,))])


def roots(report: IndexReport) -> dict[str, Any]:
    assert report.version is not None
    return {name: each.root for name, each in report.version.commit.maps.items()}


def local(bucket: Bucket, folder: Path) -> IndexReport:
    return run(create(LocalBackend(folder)), bucket, LocalEngine(1))


@pytest.mark.parametrize(
    "fixture", [pytest.param("hot_s3_bucket", marks=pytest.mark.slow), "gs_bucket"]
)
def test_same_index(
    fixture: str,
    cluster_url: str,
    instance: Instance,
    counted: list[Listed],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    bucket: Bucket = request.getfixturevalue(fixture)
    fill(bucket)
    with reached(bucket), open_engine(cluster_url) as engine:
        expected = local(bucket, tmp_path / "local")
        assert (expected.found_objects, len(expected.problems)) == (60, 1)
        report = run(instance, bucket, engine)
        assert len(counted) > 4
        assert any(each.rest for each in counted)
        assert sum(each.count for each in counted) == 2 * len(NAMES) + 3 - 10
        assert (roots(report), report.problems) == (roots(expected), expected.problems)
        again = run(instance, bucket, engine)
        assert (again.new_paths, again.gone_paths, roots(again)) == (0, 0, roots(expected))
        for name in NAMES[30:35]:
            bucket.raw.delete(f"data/{name}.jpg")
        assert run(instance, bucket, engine).gone_paths == 10


@pytest.mark.slow
def test_azure(
    instance: Instance, az_bucket: Bucket, counted: list[Listed], tmp_path: Path
) -> None:
    """Its workers have the secret in their own environment."""
    fill(az_bucket)
    with configured(az_bucket, az_bucket.options):
        with cluster(tmp_path, 2, **az_bucket.environ) as found, open_engine(found.url) as engine:
            report = run(instance, az_bucket, engine)
        assert len(counted) > 4
        assert roots(report) == roots(local(az_bucket, tmp_path / "local"))


@pytest.mark.slow
def test_sorted_by_folder(
    instance: Instance, s3_bucket: Bucket, counted: list[Listed], tmp_path: Path
) -> None:
    """SeaweedFS begins no listing in the middle: the driver lists all of it."""
    fill(s3_bucket)
    with configured(s3_bucket, s3_bucket.options):
        with cluster(tmp_path, 1, **s3_bucket.environ) as found, open_engine(found.url) as engine:
            report = run(instance, s3_bucket, engine)
        assert (report.found_objects, counted) == (60, [])


@pytest.mark.slow
def test_worker_killed_while_it_lists(
    instance: Instance, hot_s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(hot_s3_bucket)
    rest = Spread.rest
    with reached(hot_s3_bucket), cluster(tmp_path, 2) as found, open_engine(found.url) as engine:

        def striking(self: Spread) -> Iterator[Listed]:
            for number, each in enumerate(rest(self)):
                if number == 1:
                    kill(found.workers[0])
                yield each

        monkeypatch.setattr(Spread, "rest", striking)
        report = run(instance, hot_s3_bucket, engine)
        assert found.workers[0].returncode is not None
        assert roots(report) == roots(local(hot_s3_bucket, tmp_path / "local"))


class _Forbidding(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>not for you</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.mark.slow
def test_a_worker_without_rights(
    instance: Instance, hot_s3_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it cannot list is a problem, and nothing that the index knows is taken for gone."""
    fill(hot_s3_bucket)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forbidding) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        elsewhere = f"http://127.0.0.1:{server.server_port}"
        environ = {**hot_s3_bucket.environ, "AWS_ENDPOINT_URL": elsewhere}
        with reached(hot_s3_bucket), cluster(tmp_path, 1, **environ) as found:
            expected = run(instance, hot_s3_bucket, LocalEngine(1))
            bucket_options = dict(hot_s3_bucket.options)
            # The worker has its own idea of where the store is.
            configure({hot_s3_bucket.url: {"anon": True, "region": "us-east-1"}})
            with pytest.MonkeyPatch.context() as patch, open_engine(found.url) as engine:
                patch.setenv("AWS_ENDPOINT_URL", str(bucket_options["endpoint_url"]))
                report = run(instance, hot_s3_bucket, engine)
            monkeypatch.setattr(spreadlisting, "FIRST", 1000)  # the driver lists all of it
            with open_engine(found.url) as engine, pytest.MonkeyPatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL", str(bucket_options["endpoint_url"]))
                unread = run(create(LocalBackend(tmp_path / "other")), hot_s3_bucket, engine)
        server.shutdown()
    assert all("on the worker at" in each.why for each in unread.problems if "bad" not in each.path)
    assert len(unread.problems) > len(NAMES)
    said = [each.why for each in report.problems if each.path.endswith("/data/")]
    assert [each for each in said if "cannot be listed: " in each and "on the worker at" in each]
    assert (report.gone_paths, roots(report)) == (0, roots(expected))
