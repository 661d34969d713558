"""How many requests a command costs: counted between LDB and a real server.

The figures are promises of docs/design/012-instances-in-buckets.md. Commands run as processes of
their own, so what they save they save by the cache on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ldb.backends.objectcache import CacheSettings
from ldb.backends.opening import open_backend
from ldb.history import publish, resolve
from ldb.instance import open_instance
from ldb.objects.codec import encode
from ldb.objects.model import Blob, BlobType
from ldb.porcelain.fsck import fsck
from ldb.porcelain.gc import gc
from ldb.refs.name import INDEX, dataset_ref, parse_version
from ldb.refs.store import RefStore
from tests.cli.test_bucket_instance import Team, fill
from tests.clouds.buckets import Bucket
from tests.clouds.faultproxy import Seen

pytestmark = [pytest.mark.cloud, pytest.mark.slow]
FILES = 30
QUERY = ("list", "-s", "ds:root", "--query", "label == 'dog'")


@pytest.fixture
def counted(s3_bucket: Bucket) -> Iterator[Bucket]:
    with s3_bucket.proxied() as bucket:
        yield bucket


@pytest.fixture
def ann(counted: Bucket, tmp_path: Path) -> Team:
    """Her instance has an index and a workspace, and her cache what she wrote."""
    team = Team(tmp_path / "ann", counted)
    fill(tmp_path / "data", range(FILES))
    team.run("init", f"{counted.url}/team/ldb")
    team.run("add-storage", str(tmp_path / "data"))
    team.run("index", str(tmp_path / "data"))
    return team


def requests(bucket: Bucket, team: Team, *args: str) -> list[Seen]:
    assert bucket.proxy is not None
    bucket.proxy.clear()
    team.run(*args)
    return list(bucket.proxy.log)


def test_a_warm_query(counted: Bucket, ann: Team) -> None:
    """One page of a listing, by the library that takes no time to load."""
    ann.run(*QUERY)
    (seen,) = requests(counted, ann, *QUERY)
    assert "list-type=2" in seen.path
    assert seen.agent.startswith("object_store/")


def test_a_head(counted: Bucket, ann: Team, tmp_path: Path) -> None:
    """One request where it was seen, two where somebody has moved it on since."""
    url = f"{counted.url}/team/ldb"
    bob = Team(tmp_path / "bob", counted)
    bob.run("config", "set", "core.instance", url)

    def head_costs() -> tuple[int, int]:
        cache = CacheSettings(str(tmp_path / "cache"), 1 << 30)
        assert counted.proxy is not None
        counted.proxy.clear()
        head = RefStore(open_backend(url, cache, counted.options)).head(INDEX)
        assert head is not None
        return head.number, len(counted.proxy.log)

    first = head_costs()
    assert first[1] <= 3  # nothing is known here: the value `instance` as well
    assert head_costs() == (first[0], 1)
    fill(tmp_path / "data", range(FILES, FILES + 5))
    bob.run("index", str(tmp_path / "data"))
    number, cost = head_costs()
    assert number > first[0]
    assert cost == 2
    assert head_costs() == (number, 1)


def test_list_of_datasets(counted: Bucket, ann: Team, tmp_path: Path) -> None:
    """One listing for all, whatever their number; what is new of them is read at once."""
    ann.run("stage", "ds:dogs", "dogs")
    ann.run("-C", "dogs", "add", "ds:root", "--query", "label == 'dog'")
    ann.run("-C", "dogs", "commit")
    instance = open_instance(open_backend(f"{counted.url}/team/ldb", options=counted.options))
    dogs = resolve(instance, parse_version("ds:dogs"))
    for number in range(12):
        name = dataset_ref(f"dogs-{number}")
        publish(instance, name, lambda _: replace(dogs.commit, parents=(dogs.oid,)))
    seen = requests(counted, ann, "ds", "list")
    assert sum("list-type=2" in each.path for each in seen) <= 3, "refs, packs, loose blobs"
    assert len(seen) <= 3 + 2 * 12
    seen = requests(counted, ann, "ds", "list")
    assert len(seen) == 1, [f"{each.method} {each.path}" for each in seen]


def test_deletes_of_gc(counted: Bucket, ann: Team, tmp_path: Path) -> None:
    """Of as many as a request takes there is one, whatever the cache has to forget."""
    cache = CacheSettings(str(tmp_path / "cache"), 1 << 30)
    backend = open_backend(f"{counted.url}/team/ldb", cache, counted.options)
    instance = open_instance(backend)
    for number in range(40):
        instance.objects.put(Blob(BlobType.ANNOTATION, encode(number)))
    assert counted.proxy is not None
    counted.proxy.clear()
    assert gc(instance, prune=True, alone=True).deleted.loose == 40
    seen = [(each.method, each.path.partition("?")[2]) for each in counted.proxy.log]
    assert sum(method == "POST" and "delete" in query for method, query in seen) <= 3
    assert sum(method == "DELETE" for method, _ in seen) <= 6, "claims, marks, probes of the clock"
    assert fsck(open_instance(backend).backend).sound


def test_a_commit_of_a_small_change(counted: Bucket, ann: Team) -> None:
    ann.run("stage", "ds:dogs", "dogs")
    ann.run("-C", "dogs", "add", "ds:root", "--query", "label == 'dog'")
    ann.run("-C", "dogs", "commit")
    ann.run("-C", "dogs", "del", "--query", "number == `3`")
    seen = requests(counted, ann, "-C", "dogs", "commit")
    assert len(seen) <= 6, [f"{each.method} {each.path}" for each in seen]
    assert sum(each.method == "PUT" for each in seen) >= 2
    assert all(each.agent.startswith("object_store/") for each in seen), "loads quickly"
