"""Instantiating from object stores: real servers, real faults."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldb.catalog import SeenPath, open_catalog
from ldb.clouds.opening import open_client
from ldb.errors import BadInput, Unsupported
from ldb.instance import Instance
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.instantiate.run import instantiate
from ldb.storage.cache import Cache, CacheOptions
from ldb.storage.fetching import SMALL
from ldb.storage.remote import Clients
from tests.clouds.buckets import Bucket
from tests.instantiate.conftest import tree
from tests.instantiate.seen import index_seen

BIG = bytes(range(256)) * (SMALL // 256) * 11 + b"and a bit"
"""Comes in pieces."""


@dataclass
class Cloud:
    """A bucket, an instance that knows of objects in it, a target and a cache."""

    bucket: Bucket
    instance: Instance
    folder: Path
    limit: int | None = None
    local: bool = False

    @property
    def target(self) -> Path:
        return self.folder / "target"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def uri(self, key: str) -> str:
        return f"{self.bucket.url}/{key}"

    def put(self, objects: Mapping[str, bytes], **notes: bytes) -> None:
        """Store objects and index them as they are."""
        self.bucket.fill(objects)
        self.index({data: [self.uri(key)] for key, data in objects.items()}, **notes)

    def index(self, objects: Mapping[bytes, Sequence[SeenPath | str]], **notes: bytes) -> None:
        index_seen(self.instance, objects, {k.encode(): v for k, v in notes.items()})

    def run(self, bucket: Bucket | None = None, **options: Any) -> InstantiateReport:
        """Instantiate all, in this process unless told."""
        through = bucket or self.bucket
        catalog = open_catalog(self.instance)
        rows = list(catalog.rows())
        ids = np.concatenate([each.keys for each in rows])
        notes = np.concatenate([each.fields[1] for each in rows])
        options.setdefault("processes", 1)
        options.setdefault("cache", CacheOptions(str(self.cache), self.local, self.limit))
        made = InstantiateOptions(folder=str(options.pop("folder", self.target)), **options)

        def clients() -> Clients:
            return Clients(
                lambda uri: open_client(uri, {**through.options, "retries": 2, "timeout": 5})
            )

        return instantiate(self.instance, catalog, ids, notes, made, clients=clients)

    def contents(self) -> list[bytes]:
        """What lies in the target."""
        return sorted(tree(self.target).values())

    def cached(self) -> list[Path]:
        return sorted(path for path in self.cache.glob("files/*/??/*") if path.is_file())


@pytest.fixture
def cloud(bucket: Bucket, instance: Instance, tmp_path: Path) -> Cloud:
    """On each kind of store in turn."""
    try:
        open_client(bucket.url, bucket.options)
    except Unsupported as error:
        pytest.skip(str(error))
    return Cloud(bucket, instance, tmp_path)


@pytest.fixture
def s3(s3_bucket: Bucket, instance: Instance, tmp_path: Path) -> Cloud:
    return Cloud(s3_bucket, instance, tmp_path)


def test_small_large_and_empty(cloud: Cloud) -> None:
    cloud.put({"a/tom.jpg": b"tom", "b/big.bin": BIG, "none": b""}, tom=b'{"class": "cat"}')
    report = cloud.run()
    assert (report.problems, report.objects, report.annotations) == ([], 3, 1)
    found = tree(cloud.target)
    name = hashlib.md5(b"tom").hexdigest()
    assert found[f"tom-{name}.jpg"] == b"tom"
    assert found[f"tom-{name}.json"] == b'{\n  "class": "cat"\n}\n'
    assert BIG in found.values()
    assert b"" in found.values()
    assert {path.read_bytes() for path in cloud.cached()} == {b"tom", BIG, b""}
    assert {stat.S_IMODE(path.stat().st_mode) for path in cloud.cached()} == {0o444}
    assert os.listdir(cloud.cache / ".ldb_fetching") == []


def test_local_and_remote_in_worker_processes(s3: Cloud) -> None:
    source = s3.folder / "source"
    source.mkdir()
    objects: dict[bytes, Sequence[SeenPath | str]] = {}
    remote = {}
    for number in range(120):
        data = b"object %d" % number
        if number % 3:
            (source / f"{number}.txt").write_bytes(data)
            objects[data] = [f"file://{source}/{number}.txt"]
        else:
            remote[f"{number}.txt"] = data
            objects[data] = [s3.uri(f"{number}.txt")]
    s3.bucket.fill(remote)
    s3.index(objects)
    report = s3.run(processes=2)
    assert (report.problems, report.objects) == ([], 120)
    assert s3.contents() == sorted(objects)
    assert len(s3.cached()) == 40, "local files do not go through the cache"
    again = s3.run(processes=2)
    assert (again.objects, again.already_there) == (0, 120)


def test_cached_objects_are_not_fetched_again(s3: Cloud) -> None:
    s3.put({"tom": b"tom", "big": BIG})
    s3.run()
    s3.bucket.raw.delete("tom")
    s3.bucket.raw.delete("big")
    report = s3.run(folder=s3.folder / "other")
    assert (report.problems, report.objects) == ([], 2)
    assert sorted(tree(s3.folder / "other").values()) == sorted([b"tom", BIG])


def test_damaged_cached_object_is_fetched_again(s3: Cloud) -> None:
    s3.put({"tom": b"tom"})
    s3.run()
    [path] = s3.cached()
    path.chmod(0o644)
    path.write_bytes(b"tim")
    assert s3.run(folder=s3.folder / "other").problems == []
    assert list(tree(s3.folder / "other").values()) == [b"tom"]
    assert path.read_bytes() == b"tom"


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (b"tim", "its hash is"),
        (b"to", "2 bytes, not 3"),
        (b"tommy", "more than 3 bytes"),
        (b"", "0 bytes, not 3"),
        (BIG, "more than 3 bytes"),
        (None, "is not there any more"),
    ],
)
def test_overwritten_object_is_named_and_never_served(
    s3: Cloud, now: bytes | None, why: str
) -> None:
    s3.put({"tom": b"tom", "kit": b"kit"})
    if now is None:
        s3.bucket.raw.delete("tom")
    else:
        s3.bucket.raw.put("tom", now)
    report = s3.run()
    [problem] = report.problems
    assert problem.path == s3.uri("tom")
    assert hashlib.md5(b"tom").hexdigest() in problem.why
    assert why in problem.why
    assert s3.contents() == [b"kit"]
    assert len(s3.cached()) == 1


def test_overwritten_and_deleted_on_every_cloud(cloud: Cloud) -> None:
    cloud.put({"big": BIG, "tom": b"tom", "rex": b"rex", "kit": b"kit"})
    cloud.bucket.fill({"big": BIG[:-1] + b"!", "tom": b"tommy"})
    cloud.bucket.raw.delete("rex")
    found = {each.path: each.why.partition(" ")[2] for each in cloud.run().problems}
    assert found.pop(cloud.uri("big")).startswith("changed since it was indexed: its hash is ")
    assert found == {
        cloud.uri("tom"): "changed since it was indexed: it has more than 3 bytes",
        cloud.uri("rex"): "is not there any more",
    }
    assert cloud.contents() == [b"kit"]


def test_the_next_path_is_tried(s3: Cloud) -> None:
    local = s3.folder / "tom.txt"
    local.write_bytes(b"tom")
    s3.bucket.fill({"tom": b"tim", "zoo/tom": b"tom", "kit": b"kit"})
    s3.index({
        b"tom": [s3.uri("gone/tom"), s3.uri("tom"), s3.uri("zoo/tom")],
        b"kit": ["file:///nowhere/kit", s3.uri("kit")],
    })  # fmt: skip
    report = s3.run()
    assert report.problems == []
    assert s3.contents() == [b"kit", b"tom"]
    assert [each.path for each in report.passed_over] == [
        "file:///nowhere/kit", s3.uri("gone/tom"), s3.uri("tom")
    ]  # fmt: skip


def test_local_paths_come_first(s3: Cloud) -> None:
    local = s3.folder / "tom.txt"
    local.write_bytes(b"tom")
    s3.index({b"tom": ["az://nobody/tom", f"file://{local}"]})
    report = s3.run()
    assert (report.problems, report.passed_over) == ([], [])
    assert s3.contents() == [b"tom"]
    assert not s3.cache.exists()


def test_buckets_that_cannot_be_reached(s3: Cloud) -> None:
    s3.bucket.fill({"kit": b"kit"})
    s3.index({
        b"tom": [f"{s3.bucket.url}nosuch/tom"],
        b"kit": [s3.uri("kit")],
        b"rex": ["gopher://old/rex"],
    })  # fmt: skip
    report = s3.run()
    assert s3.contents() == [b"kit"]
    found = {each.path: each.why for each in report.problems}
    assert set(found) == {f"{s3.bucket.url}nosuch/tom", "gopher://old/rex"}


def test_version_that_was_indexed_is_read(s3: Cloud) -> None:
    raw: Any = s3.bucket.raw
    raw._client.put_bucket_versioning(
        Bucket=s3.bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    client = s3.bucket.client()
    for key, data in {"tom": b"tom", "big": BIG}.items():
        raw.put(key, data)
    seen = {key: client.head(key) for key in ("tom", "big")}
    if seen["tom"].version is None:
        pytest.skip("this server keeps no versions")
    raw.put("tom", b"tim")
    raw.delete("big")
    s3.index({
        data: [SeenPath(s3.uri(key), 1, token=seen[key].token, version=seen[key].version or "")]
        for key, data in {"tom": b"tom", "big": BIG}.items()
    })  # fmt: skip
    assert s3.run().problems == []
    assert s3.contents() == sorted([b"tom", BIG])


def test_version_that_is_gone_may_be_there_under_another(s3: Cloud) -> None:
    s3.bucket.fill({"tom": b"tom", "kit": b"kat"})
    s3.index({
        b"tom": [SeenPath(s3.uri("tom"), 1, version="0" * 32)],
        b"kit": [SeenPath(s3.uri("kit"), 1, version="0" * 32)],
    })  # fmt: skip
    report = s3.run()
    assert [each.path for each in report.problems] == [s3.uri("kit")]
    assert s3.contents() == [b"tom"]


@pytest.mark.parametrize("link", ["auto", "copy", "hardlink"])
def test_links(s3: Cloud, link: str) -> None:
    s3.put({"tom": b"tom", "big": BIG})
    s3.run(link=link)
    assert s3.contents() == sorted([b"tom", BIG])
    inodes = {path.stat().st_ino for path in s3.cached()}
    written = {path.stat().st_ino for path in s3.target.iterdir() if path.name[0] != "."}
    assert written == inodes if link == "hardlink" else not written & inodes
    if link != "hardlink":
        assert all(os.stat(path).st_mode & 0o200 for path in s3.target.iterdir())


def test_local_files_go_through_the_cache_when_asked(s3: Cloud) -> None:
    s3.local = True
    for name in ("tom", "big"):
        (s3.folder / name).write_bytes(b"tom" if name == "tom" else BIG)
    (s3.folder / "bad").write_bytes(b"other")
    s3.index({
        b"tom": [f"file://{s3.folder}/tom"],
        BIG: [f"file://{s3.folder}/big"],
        b"rex": [f"file://{s3.folder}/bad"],
        b"kit": [f"file://{s3.folder}/nowhere"],
    })  # fmt: skip
    report = s3.run(link="hardlink")
    assert {Path(each.path).name: each.why.partition(" ")[2] for each in report.problems} == {
        "bad": "changed since it was indexed: it has more than 3 bytes",
        "nowhere": "is not there any more",
    }
    assert {path.read_bytes() for path in s3.cached()} == {b"tom", BIG}
    assert {path.stat().st_nlink for path in s3.cached()} == {2}
    (s3.folder / "tom").unlink()
    assert len(s3.run(folder=s3.folder / "other").problems) == 2
    assert b"tom" in tree(s3.folder / "other").values()


def test_cache_stays_below_its_size(s3: Cloud) -> None:
    s3.limit = 5000
    s3.put({f"{number}": b"%1000d" % number for number in range(20)})
    assert s3.run().problems == []
    assert len(s3.contents()) == 20
    assert sum(path.stat().st_size for path in s3.cached()) <= 5000


def test_cache_of_others_is_not_cleaned_whatever_the_setting_says(s3: Cloud) -> None:
    theirs = s3.cache / "files/md5/00" / ("1" * 30)
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"nowhere else")
    s3.put({"tom": b"tom"})
    s3.limit = 1
    with pytest.raises(BadInput, match="removes nothing"):
        s3.run()
    s3.limit = None
    assert s3.run().problems == []
    assert theirs.exists()


def test_edited_and_foreign_files_stay(s3: Cloud) -> None:
    s3.put({"tom": b"tom", "kit": b"kit"})
    s3.run()
    [tom] = s3.target.glob("tom*")
    tom.write_bytes(b"edited")
    [kit] = s3.target.glob("kit*")
    kit.unlink()
    report = s3.run()
    assert [each.why for each in report.problems] == [
        "was edited since it was instantiated; -f replaces it"
    ]
    assert s3.contents() == [b"edited", b"kit"]
    assert s3.run(force=True).problems == []
    assert s3.contents() == [b"kit", b"tom"]


KEYS = ["../../up", "/etc/passwd", "a/../../b", "C:\\x\\y", "con.txt", "tab\there", "new\nline",
        "x" * 300 + ".jpg", "é" * 150, ".hidden", "a//b", "end/", "nul", "\x7f",
        "~", "*?x"]  # fmt: skip


@pytest.mark.parametrize("preserve", [False, True])
def test_no_key_leads_out_of_the_target(s3: Cloud, preserve: bool) -> None:
    """The bytes are in the cache already: few servers would even store such keys."""
    objects = {b"object %d" % number: [s3.uri(key)] for number, key in enumerate(KEYS)}
    with Cache(str(s3.cache), "md5") as cache:
        for data in objects:
            cache.keep(hashlib.md5(data).digest(), len(data), [data])
    s3.index(objects)
    before = {path for path in s3.folder.rglob("*") if s3.target not in path.parents}
    report = s3.run(preserve_paths=preserve)
    assert report.problems == []
    assert s3.contents() == sorted(objects)
    after = {path for path in s3.folder.rglob("*") if s3.target not in path.parents}
    assert after - before == {s3.target}
    for path in s3.target.rglob("*"):
        assert path.name.isprintable()
        assert len(os.fsencode(path.name)) <= 255


def test_a_key_that_is_a_folder_as_well(s3: Cloud) -> None:
    s3.put({"a": b"file", "a/b": b"below"})
    report = s3.run(preserve_paths=True)
    assert len(report.problems) == 1, "a folder cannot hold both: one is written, one is told"
    assert len(s3.contents()) == 1
    assert s3.run(force=True).problems == [], "names with ids do not collide"


# -- faults ------------------------------------------------------------------------------


def rule(action: str, **how: Any) -> Callable[[Any], None]:
    return lambda proxy: proxy.add(action, **how)


@pytest.mark.parametrize(
    "fault",
    [
        rule("status", code=503, method="GET", times=2),
        rule("reset", method="GET", times=2),
        rule("truncate", method="GET", after=2, times=2),
        rule("truncate", method="GET", after=3_000_000, times=2),
        rule("hang", method="GET", seconds=8, times=1),
        rule("lost_response", method="GET", times=2),
    ],
    ids=["503", "reset", "truncated", "reset-mid-body", "stall", "lost"],
)
def test_what_passes_is_survived(s3: Cloud, fault: Callable[[Any], None]) -> None:
    s3.put({"tom": b"tom and more", "big": BIG})
    with s3.bucket.proxied() as proxied:
        fault(proxied.proxy)
        report = s3.run(proxied)
    assert report.problems == []
    assert s3.contents() == sorted([b"tom and more", BIG])


@pytest.mark.parametrize(
    "fault",
    [rule("status", code=503), rule("reset"), rule("truncate", method="GET", after=2)],
    ids=["503", "reset", "truncated"],
)
def test_what_stays_is_told_for_each_object(s3: Cloud, fault: Callable[[Any], None]) -> None:
    s3.put({"tom": b"tom and more", "big": BIG})
    with s3.bucket.proxied() as proxied:
        fault(proxied.proxy)
        report = s3.run(proxied)
    assert {each.path for each in report.problems} == {s3.uri("tom"), s3.uri("big")}
    for problem in report.problems:
        assert "secret" not in problem.why.lower()
        assert str(s3.bucket.options["secret"]) not in problem.why
    assert s3.contents() == []
    assert s3.cached() == []


def test_no_rights(s3: Cloud) -> None:
    s3.put({"tom": b"tom", "big": BIG})
    with s3.bucket.proxied() as proxied:
        assert proxied.proxy is not None
        proxied.proxy.add(
            "status", code=403, path="tom", body=b"<Error><Code>AccessDenied</Code></Error>"
        )
        report = s3.run(proxied)
    [problem] = report.problems
    assert problem.path == s3.uri("tom")
    assert s3.contents() == [BIG]


def test_a_bucket_that_only_fails_is_given_up(s3: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldb.storage.fetching.PATIENCE", 0.0)
    s3.put({f"{number}": b"object %d" % number for number in range(300)})
    with s3.bucket.proxied() as proxied:
        assert proxied.proxy is not None
        proxied.proxy.add("status", code=503)
        report = s3.run(proxied)
        asked = {each.path for each in proxied.proxy.log}
    assert len(report.problems) == 300
    assert len(asked) < 200
    assert sum("not tried" in each.why for each in report.problems) > 100
