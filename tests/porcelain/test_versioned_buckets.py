"""Buckets that keep versions: what was indexed can be read after it was overwritten or deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ldb.catalog import open_catalog
from ldb.clouds.base import Client, Get
from ldb.clouds.opening import open_client
from ldb.instance import Instance
from ldb.instantiate.options import InstantiateOptions
from ldb.instantiate.run import instantiate
from ldb.storage.cache import CacheOptions
from ldb.storage.remote import Clients
from tests.clouds.buckets import Bucket
from tests.porcelain.cloudteam import Team, md5, pairs, team_of, text_options


@pytest.fixture
def versioned(s3_bucket: Bucket) -> Iterator[Bucket]:
    client, name = s3_bucket.raw._client, s3_bucket.name  # type: ignore[attr-defined]
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield s3_bucket
    found = client.list_object_versions(Bucket=name)
    for each in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
        client.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])


@pytest.fixture
def team(versioned: Bucket, instance: Instance, tmp_path: Path) -> Team:
    return team_of(versioned, instance, tmp_path)


@pytest.mark.parametrize("library", ["fsspec", "obstore"])
def test_listings_have_the_newest_of_each_key(versioned: Bucket, library: str) -> None:
    keys = [f"a/{number}" for number in range(5)] + ["b-1", "b/1", "c"]
    for round_ in (b"old", b"newer"):
        versioned.fill(dict.fromkeys(keys, round_))
    versioned.raw.delete("a/3")
    keys.remove("a/3")
    client = versioned.client(library=library, versions=True)
    for limit in (None, 1, 2, 4):
        found = list(client.list(limit=limit))
        assert [(stat.key, stat.size) for stat in found] == [(key, 5) for key in keys[:limit]]
        assert all(stat.version for stat in found)
    assert [stat.key for stat in client.list(after="b-1")] == ["b/1", "c"]
    assert list(client.folders("")) == ["a", "b"]
    versions = {stat.key: stat.version for stat in client.list()}
    versioned.raw.put("c", b"newest")
    assert client.get(Get("c", version=versions["c"])) == b"newer"
    assert client.get(Get("c")) == b"newest"


def test_what_was_indexed_is_read_after_it_was_overwritten(team: Team) -> None:
    team.bucket.fill(pairs(["tom", "kit"]))
    team.register(options={**text_options(team.bucket), "versions": "true"})
    assert team.index().report.problems == []
    was = {md5(b"image tom"), md5(b"image kit")}
    assert set(team.objects()) == was
    team.bucket.raw.put("tom.jpg", b"another")
    team.bucket.raw.delete("kit.jpg")
    catalog = open_catalog(team.instance)
    rows = list(catalog.rows())
    ids = np.concatenate([each.keys for each in rows])
    notes = np.concatenate([each.fields[1] for each in rows])
    options = InstantiateOptions(
        folder=str(team.cwd / "out"), processes=1, cache=CacheOptions(str(team.cwd / "cache"))
    )
    report = instantiate(
        team.instance, catalog, ids, notes, options, clients=lambda: Clients(team_client(team))
    )
    assert report.problems == []
    made = {path.read_bytes() for path in (team.cwd / "out").glob("*.jpg")}
    assert made == {b"image tom", b"image kit"}


def team_client(team: Team) -> Callable[[str], Client]:
    return lambda uri: open_client(uri, team.bucket.options)
