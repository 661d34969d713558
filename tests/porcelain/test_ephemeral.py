"""`index --ephemeral-remote`: cloud files in no location are copied to the read-add one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.clouds.base import Stat
from ldb.clouds.opening import open_client
from ldb.errors import BadInput, NotFound
from ldb.instance import Instance
from ldb.porcelain.ephemeral import download, index_fetching
from ldb.porcelain.storage import add_storage
from tests.clouds.buckets import Bucket
from tests.porcelain.cloudteam import Team, team_of

FILES = {
    "in/a.jpg": b"a", "in/a.json": b'{"class": "cat"}', "in/b.jpg": b"b", "in/b.json": b"{",
    "in/deep/c.jpg": b"c", "in/.hidden/d.jpg": b"d", "out/e.jpg": b"e",
    "out/f.png": b"f",
}  # fmt: skip


@pytest.fixture
def team(s3_bucket: Bucket, instance: Instance, tmp_path: Path) -> Team:
    s3_bucket.fill(FILES)
    made = team_of(s3_bucket, instance, tmp_path)
    made.through(s3_bucket)
    return made


def test_needs_a_read_add_location(team: Team) -> None:
    with pytest.raises(BadInput, match="lies in no storage location"):
        index_fetching(team.place, [f"{team.bucket.url}/in"])


def test_what_is_copied(team: Team, tmp_path: Path) -> None:
    store, url = tmp_path / "store", team.bucket.url
    store.mkdir()
    add_storage(team.place, str(store), read_add=True)

    def copied(path: str) -> set[str]:
        before = set(store.rglob("*.*"))
        done = index_fetching(team.place, [url + path])
        assert set(done.ids) == {url + path}
        assert {each.path for each in done.layouts} == {url + path} or "*" in path
        new = set(store.rglob("*.*")) - before
        assert done.imported == len(done.ids[url + path])
        problems.extend((each.path, each.why) for each in done.report.problems)
        return {each.name for each in new}

    problems: list[tuple[str, str]] = []
    assert copied("/in/a.jpg") == {"a.jpg", "a.json"}, "the annotation comes along"
    assert copied("/in/a.json") == set(), "it stands for its data file, which is there"
    assert problems == []
    assert copied("/in") == {"b.jpg", "b.json", "c.jpg"}, "nothing hidden"
    assert [path.rpartition("/")[2] for path, _ in problems] == ["b.json"], "which is no JSON"
    problems.clear()
    assert copied("/o*/*.png") == {"f.png"}
    assert problems == []
    with pytest.raises(NotFound, match="nowhere"):
        index_fetching(team.place, [f"{url}/nowhere"])
    team.register("/out")
    with pytest.raises(BadInput, match="holds a storage location"):
        index_fetching(team.place, [url])
    assert not index_fetching(team.place, [f"{url}/out"]).imported, "it is indexed in place"


@pytest.mark.parametrize("key", ["../z.jpg", "x/../../z.jpg", "/z.jpg", "x//z.jpg", "z\0.jpg"])
def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    client = open_client("https://127.0.0.1:9/")
    assert download(client, Stat(key, 1, 1), str(tmp_path)) == "cannot be the name of a file"
    assert list(tmp_path.iterdir()) == []
