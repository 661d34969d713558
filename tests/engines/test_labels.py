"""Label formats indexed on a Dask cluster: the same index as by local processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.engines.opening import open_engine
from ldb.ids import Oid
from ldb.indexing.run import IndexReport
from ldb.instance import create
from ldb.instantiate.options import InstantiateOptions
from ldb.porcelain.fsck.run import fsck
from ldb.porcelain.index import index
from ldb.porcelain.instantiate import in_format, instantiate
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.engines.clusters import cluster
from tests.engines.test_indexing import ldb
from tests.formats.boxes.labels import box, image, png
from tests.indexing.conftest import LONG_AGO

RUN_TIME = 1_700_000_000_000
COUNT, FOLDERS = 40, 5
BY_ID = ("annotation-only", "label-studio")
"""Formats that speak of data objects which the index knows."""
KINDS = ("coco", "yolo", "voc")
EVERY_DAY = "coco"
FORMATS = (
    "yolo", "voc", "cvat", "openimages", "imagenet", "tensorflow-inferred", "hf-imagefolder",
    "webdataset", "parquet", "croissant", *BY_ID,
)  # fmt: skip


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of both engines' runs bear one time."""
    monkeypatch.setattr("ldb.indexing.run.now", lambda: RUN_TIME)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Images with boxes beside them, in some folders."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(COUNT):
        label = "cat" if number % 3 else "dog"
        value = image(box(label, number, 2, 30, 40), subset="train" if number % 4 else "val")
        path = folder / "data" / str(number % FOLDERS) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(64, 64) + bytes([number]))
        path.with_suffix(".json").write_text(json.dumps({**value, "label": label}))
    age(folder / "data", LONG_AGO)
    place = instance_at(folder / "instance", folder / "data")
    index(place, [str(folder / "data")], format="bare")
    return place.refreshed()


def instance_at(where: Path, *locations: Path, room: Path | None = None) -> Place:
    """A new instance with these storage locations."""
    place = Place(create(LocalBackend(where)), str(where), "ann")
    for folder in locations:
        add_storage(place, str(folder))
    if room:
        room.mkdir(exist_ok=True)
        add_storage(place, str(room), read_add=True)
    return place.refreshed()


class Side:
    """One of two instances, and the engine that reads for it."""

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place, self.engine = place, engine

    def index(self, folder: Path, format_: str) -> tuple[dict[str, Oid], list[int], list[str]]:
        """Roots of the index after it, the counts, and what was wrong."""
        report = index(self.place, [str(folder)], format=format_, engine=self.engine).report
        self.place = self.place.refreshed()
        assert report.version is not None
        roots = {name: each.root for name, each in report.version.commit.maps.items()}
        if format_ == "webdataset":
            del roots["paths"]  # files unpacked just now; whether one was read too soon differs
        return roots, counts(report), sorted(f"{each.path}: {each.why}" for each in report.problems)


def counts(report: IndexReport) -> list[int]:
    return [
        report.found_objects, report.new_objects, report.new_annotations, report.new_paths,
        report.gone_paths, report.updated_objects, report.label_files, report.labels_read,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", [EVERY_DAY, *(pytest.param(each, marks=pytest.mark.slow) for each in FORMATS)]
)
def test_as_by_local_processes(name: str, source: Place, cluster_url: str, tmp_path: Path) -> None:
    """Read anew, left alone, and read again once labels, data and whole files are others."""
    folder, room = tmp_path / name, tmp_path / "room"
    options = in_format(InstantiateOptions(str(folder)), name, ())
    assert instantiate(source, ["ds:root"], (), options).report.problems == []
    for path in folder.rglob(".ldb_*"):
        path.unlink()
    age(folder, LONG_AGO)
    known = source.instance.settings().locations[0].url.removeprefix("file://")
    with open_engine(cluster_url) as dask:
        sides = [
            Side(instance_at(tmp_path / str(at), folder, Path(known), room=room), engine)
            for at, engine in enumerate((LocalEngine(2), dask))
        ]
        if name in BY_ID:
            here, there = (each.index(Path(known), "bare") for each in sides)
            assert here == there
        first, there = (each.index(folder, name) for each in sides)
        assert there == first
        assert name in BY_ID or first[1][1] == COUNT
        here, there = (each.index(folder, name) for each in sides)
        assert (here, there[0]) == (there, first[0])
        if name not in ("webdataset", "parquet"):
            change(folder)
            here, there = (each.index(folder, name) for each in sides)
            assert here == there
            assert here[0] != first[0]
    for each in sides:
        assert not fsck(each.place.instance.backend).problems


@pytest.mark.slow
def test_in_a_bucket(source: Place, s3_bucket: Bucket, tmp_path: Path) -> None:
    """Instances, data and labels in a bucket; workers have credentials of their own."""
    data, own = f"{s3_bucket.url}/data", dict(s3_bucket.environ)

    def ran(*words: object) -> str:
        done = ldb(*words, **own)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout + done.stderr

    for name in KINDS:
        folder = tmp_path / name
        instantiate(source, ["ds:root"], (), in_format(InstantiateOptions(str(folder)), name, ()))
        s3_bucket.fill({
            f"data/{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
            for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".ldb")
        })  # fmt: skip
    with cluster(tmp_path, 2, **own) as found:
        said = []
        for engine in ("local", found.url):
            place = f"{s3_bucket.url}/{engine[:4]}"
            ran("init", place)
            ran("--instance", place, "add-storage", data)
            indexing = ["--instance", place, "index", "--engine", engine]
            told = [ran(*indexing, *(f"{data}/{name}" for name in KINDS)) for _ in range(2)]
            notes = ran("--instance", place, "eval", "ds:root", "--jshow", "@", "--json")
            rows = ran("--instance", place, "list", "ds:root", "--json").splitlines()
            said.append([*told, notes, sorted(rows)])
        ran("--instance", place, "fsck")
        assert said[0] == said[1]
        assert f"{len(KINDS) * COUNT} found, {COUNT} new" in said[0][0]
        assert "read as yolo" in said[0][0]
        assert " 0 read" in said[0][1]
        assert "Run out-of-band function" in found.log, "it was the cluster that did it"
    assert servers.SECRET not in found.log


def change(folder: Path) -> None:
    """Every dog becomes a wolf, one image another, and one is gone."""
    images = sorted(folder.rglob("*.png"))
    if images:
        images[0].unlink()
        images[1].write_bytes(png(32, 32))
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.suffix == ".png":
            continue
        raw = path.read_bytes()
        if b"dog" in raw:
            path.write_bytes(raw.replace(b"dog", b"wolf"))
    for path in sorted(folder.rglob("dog")):
        path.rename(path.with_name("wolf"))
    age(folder, LONG_AGO + 100)


def age(folder: Path, time: int) -> None:
    """All files were changed then: those of just now would be read again."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time, time))
