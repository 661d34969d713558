"""`index` when a store or the way to it misbehaves, and when objects change meanwhile.

What can be survived is; all else is a problem of its own path, and no path is taken for gone
because something failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ldb.errors import BadInput, Untrusted
from ldb.history import head
from ldb.instance import Instance
from ldb.objects.model import BlobType
from ldb.refs.name import INDEX, SETTINGS
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.porcelain.cloudteam import Team, md5, pairs, team_of, text_options

FEW = {"retries": "2", "patience": "20", "timeout": "5"}


@pytest.fixture
def s3(s3_bucket: Bucket, instance: Instance, tmp_path: Path) -> Team:
    team = team_of(s3_bucket, instance, tmp_path)
    team.bucket.fill(pairs(["a", "b", "sub/c", "sub/secret"]))
    team.register()
    return team


class OnceListed:
    """A progress display that does something when the listing is complete."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action, self._label = action, ""

    def start(self, label: str, total: int | None = None) -> None:
        if self._label == "listing":
            self._action()
        self._label = label

    def advance(self, steps: int = 1) -> None:
        pass


def test_what_passes_is_survived(s3: Team) -> None:
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        s3.through(bucket, **FEW)
        bucket.proxy.add("status", method="GET", path="list-type", times=1, code=503)
        bucket.proxy.add("reset", method="GET", path=r"/a\.jpg", times=1)
        bucket.proxy.add("status", method="GET", path=r"/b\.json", times=2, code=503)
        bucket.proxy.add("truncate", method="GET", path=r"/sub/c\.jpg", times=1, after=3)
        report = s3.index().report
    assert report.problems == []
    assert report.new_objects == 4
    assert s3.objects()[md5(b"image sub/c")][1] == {"label": "cat", "name": "sub/c"}


def test_no_rights_for_some_keys_is_their_problem(s3: Team) -> None:
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        s3.through(bucket, **FEW)
        bucket.proxy.add("status", method="GET", path="/secret", code=403, body=b"")
        report = s3.index().report
    reported = sorted(each.path.removeprefix(s3.bucket.url) for each in report.problems)
    assert reported == ["/sub/secret.jpg", "/sub/secret.json"]
    assert report.new_objects == 3
    s3.through(s3.bucket)
    after = s3.index().report
    assert (after.problems, after.new_objects) == ([], 1)
    assert s3.objects()[md5(b"image sub/secret")][1] is not None


def test_a_listing_that_fails_forgets_nothing(s3: Team) -> None:
    s3.index()
    before = s3.paths
    s3.bucket.raw.delete("a.jpg")
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        s3.through(bucket, **FEW)
        bucket.proxy.add("status", method="GET", path="list-type", code=500)
        report = s3.index().report
    assert ["cannot be listed" in each.why for each in report.problems] == [True]
    assert report.gone_paths == 0
    assert s3.paths == before
    s3.through(s3.bucket)
    assert s3.index().report.gone_paths == 2


def test_a_listing_that_fails_in_the_middle_forgets_nothing(
    gs_bucket: Bucket, instance: Instance, tmp_path: Path
) -> None:
    team = team_of(gs_bucket, instance, tmp_path)
    gs_bucket.fill({f"{at:04}.jpg": b"x" for at in range(1010)})
    team.register()
    team.index("/1005.jpg")
    gs_bucket.fill({"1009.jpg": b"new"})
    with gs_bucket.proxied() as bucket:
        assert bucket.proxy is not None
        team.through(bucket, **FEW)
        bucket.proxy.add("status", method="GET", path="pageToken|startOffset", code=500)
        report = team.index().report
    assert ["cannot be listed" in each.why for each in report.problems] == [True]
    assert report.gone_paths == 0
    assert report.found_objects == 1000
    assert "/1005.jpg" in team.paths
    assert "/1009.jpg" not in team.paths
    team.through(gs_bucket)
    assert team.index().report.problems == []
    assert len(team.paths) == 1010


def test_what_changes_after_the_listing_waits_for_the_next_run(s3: Team) -> None:
    def meanwhile() -> None:
        s3.bucket.raw.put("a.jpg", b"overwritten")
        s3.bucket.raw.put("sub/c.json", b'{"label": "changed"}')
        s3.bucket.raw.delete("b.jpg")

    report = s3.index(progress=OnceListed(meanwhile)).report
    why = {each.path.removeprefix(s3.bucket.url): each.why for each in report.problems}
    assert why.keys() == {"/a.jpg", "/b.jpg", "/sub/c.json"}
    assert "overwritten" in why["/a.jpg"]
    assert "gone" in why["/b.jpg"]
    assert md5(b"overwritten") not in s3.objects()
    assert s3.objects()[md5(b"image sub/c")][1] is None
    assert s3.index().report.problems == []
    assert s3.objects()[md5(b"overwritten")][1] == {"label": "cat", "name": "a"}
    assert s3.objects()[md5(b"image sub/c")][1] == {"label": "changed"}
    assert "/b.jpg" not in s3.paths


def test_a_store_that_is_out_of_reach_is_told_without_any_secret(s3: Team) -> None:
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        s3.through(bucket, retries="0", patience="5")
        bucket.proxy.add("reset")
        report = s3.index().report
    (problem,) = report.problems
    assert servers.SECRET not in str(problem)
    assert servers.KEY not in str(problem)


def test_no_secret_is_in_the_instance(s3: Team, instance: Instance) -> None:
    s3.index()
    newest = instance.refs.head(SETTINGS)
    assert newest is not None
    assert newest.target is not None
    payload = instance.objects.get(newest.target, BlobType.SETTINGS).payload
    assert b"region" in payload
    assert servers.SECRET.encode() not in payload
    assert servers.KEY.encode() not in payload
    (location,) = instance.settings().locations
    assert location.options.keys() == {"endpoint_url", "allow_http", "region"}
    assert s3.options[location.url]["secret"] == servers.SECRET
    for file in Path(instance.url).rglob("*"):
        assert not file.is_file() or servers.SECRET.encode() not in file.read_bytes()


def test_an_address_that_only_the_instance_names_gets_no_credentials(s3: Team) -> None:
    own = s3.options[s3.bucket.url]
    del own["endpoint_url"]
    with pytest.raises(Untrusted, match="endpoint_url"):
        s3.index()
    own["endpoint_url"] = text_options(s3.bucket)["endpoint_url"]
    assert s3.index().report.problems == []


def test_trusted_md5s_are_not_read_but_for_a_sample(s3: Team) -> None:
    s3.bucket.fill({f"many/{at}.bin": f"content {at}".encode() for at in range(40)})
    s3.register(trust_etag=True)
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        s3.through(bucket)
        report = s3.index().report
        read = [seen.path for seen in bucket.proxy.log if seen.method == "GET"]
        again = s3.index().report
    assert report.problems == again.problems == []
    assert (report.new_objects, again.new_objects) == (44, 0)
    data = [path for path in read if ".bin" in path or ".jpg" in path]
    assert len(data) == 16
    assert len([path for path in read if ".json" in path]) == 4
    assert md5(b"content 7") in s3.objects()


def test_a_listed_md5_that_is_wrong_refuses_the_run(
    az_bucket: Bucket, instance: Instance, tmp_path: Path
) -> None:
    from azure.storage.blob import BlobServiceClient, ContentSettings

    team = team_of(az_bucket, instance, tmp_path)
    az_bucket.fill({"a.jpg": b"one", "b.jpg": b"two"})
    text = str(az_bucket.options["connection_string"])
    with BlobServiceClient.from_connection_string(text) as service:
        blob = service.get_blob_client(az_bucket.name, "a.jpg")
        blob.set_http_headers(ContentSettings(content_md5=bytearray(16)))
    team.register(trust_etag=True)
    with pytest.raises(BadInput, match="MD5 00000000"):
        team.index()
    assert head(instance, INDEX) is None
    team.register(trust_etag=False)
    assert team.index().report.new_objects == 2


def test_a_killed_run_leaves_nothing_half_visible(s3: Team, home: Path) -> None:
    s3.index("/a.jpg")
    before = head(s3.instance, INDEX)
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        bucket.proxy.add("hang", method="GET", path=r"/sub/secret\.jpg")
        settings = home / ".ldb" / "config"
        settings.parent.mkdir()
        lines = [f"{name} = {value}" for name, value in text_options(bucket).items()]
        settings.write_text("\n".join([f"[storage.{s3.bucket.url}]", *lines, ""]))
        child = subprocess.Popen(
            [sys.executable, "-m", "ldb.cli.main", "--instance", s3.instance.url,
             "index", s3.bucket.url],
            env={**os.environ, "HOME": str(home)},
        )  # fmt: skip
        while not any("secret.jpg" in seen.path for seen in bucket.proxy.log):
            assert child.poll() is None
            time.sleep(0.05)
        child.kill()
        child.wait()
    assert head(s3.instance, INDEX) == before
    report = s3.index().report
    assert report.problems == []
    assert len(s3.objects()) == 4
