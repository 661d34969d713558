"""Label formats in buckets, on real servers: label files are read pinned, data where it lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ldb.instance import Instance
from tests.clouds.buckets import Bucket
from tests.porcelain.cloudteam import Team, team_of


@pytest.fixture
def team(s3_bucket: Bucket, instance: Instance, tmp_path: Path) -> Team:
    return team_of(s3_bucket, instance, tmp_path)


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def notes(team: Team) -> dict[str, Any]:
    """Path in the bucket → current annotation."""
    return {
        seen.path.removeprefix(team.bucket.url + "/"): note
        for record, note in team.objects().values()
        for seen in record.paths
    }


def test_a_table_is_read_where_it_lies_and_again_when_it_changes(team: Team) -> None:
    rows = [{"file_name": "a.jpg", "n": 1}, {"file_name": "sub/b.jpg", "n": 2}]
    images = {f"train/{name}": name.encode() for name in ("a.jpg", "sub/b.jpg", "c.jpg")}
    team.bucket.fill({**images, "train/metadata.jsonl": lines(*rows), "x/other.txt": b"x"})
    team.register()
    done = team.index("/train")
    [layout] = done.layouts
    assert layout.chosen.name == "hf-imagefolder"
    assert done.report.problems == []
    assert (done.report.new_objects, done.report.labels_read) == (3, 1)
    assert notes(team) == {
        "train/a.jpg": {"n": 1}, "train/sub/b.jpg": {"n": 2}, "train/c.jpg": None
    }  # fmt: skip

    report = team.index("/train").report
    assert (report.labels_read, report.new_annotations, report.gone_paths) == (0, 0, 0)
    assert report.found_objects == 3

    team.bucket.fill({"train/metadata.jsonl": lines({**rows[0], "n": 7}, {"file_name": "zzz"})})
    team.bucket.raw.delete("train/c.jpg")
    report = team.index("/train").report
    assert [each.why for each in report.problems] == [
        "line 2: zzz is neither here nor in the index"
    ]
    assert (report.labels_read, report.new_annotations, report.gone_paths) == (1, 1, 1)
    assert notes(team)["train/a.jpg"] == {"n": 7}
    assert notes(team)["train/sub/b.jpg"] == {"n": 2}
    assert team.index("/train").report.labels_read == 1  # because of what was wrong in it


def test_folders_are_labels_and_tasks_find_their_objects_by_url(team: Team, tmp_path: Path) -> None:
    team.bucket.fill({"cat/1.jpg": b"1", "cat/tabby/2.jpg": b"2"})
    team.register()
    assert team.index(format="infer").report.problems == []
    assert notes(team) == {
        "cat/1.jpg": {"label": "cat"}, "cat/tabby/2.jpg": {"label": {"cat": "tabby"}}
    }  # fmt: skip
    task = {"data": {"image": f"{team.bucket.url}/cat/1.jpg"}, "annotations": []}
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([task]))
    report = team.index(str(path).replace("/", "file:///", 1), format="label-studio").report
    assert report.problems == []
    assert notes(team)["cat/1.jpg"]["data"]["data-object-info"]["path_key"] == "data.image"


def test_tasks_in_the_bucket_that_were_named_alone(team: Team) -> None:
    team.bucket.fill({"images/1.jpg": b"1"})
    team.register()
    team.index()
    [digits] = team.objects()
    value = {"annotation": {"n": 1}, "ldb_meta": {"data_object_id": digits}}
    team.bucket.fill({"labels/a.json": json.dumps(value).encode(), "labels/b.json": b"{"})
    report = team.index("/labels/a.json", format="annot").report
    assert (report.problems, report.gone_paths) == ([], 0)
    assert notes(team) == {"images/1.jpg": {"n": 1}}
