"""`ldb instantiate` on a Dask cluster: the files of local processes, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import pickle
import platform
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldb.backends.local import LocalBackend
from ldb.catalog import open_catalog
from ldb.cli.main import main
from ldb.clouds.options import configure
from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.engines.opening import open_engine
from ldb.errors import BadInput
from ldb.instance import create, open_instance
from ldb.instantiate import spread
from ldb.instantiate.manifest import listed_files
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.instantiate.run import instantiate
from ldb.instantiate.spread import FolderProbe, WriterOpener, check, probe
from ldb.instantiate.write import WriteOptions
from ldb.porcelain.index import index
from ldb.porcelain.instantiate import in_format
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.porcelain.storage import add_storage
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.engines.clusters import cluster, kill
from tests.engines.test_indexing import ldb
from tests.formats.boxes.labels import box, image, png
from tests.indexing.conftest import wait_for

COUNT = 210
HIDDEN = ".ldb_instantiated"


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are some for each worker."""
    monkeypatch.setattr(spread, "PART", 20)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Images with labels in some folders; names meet, some have no annotation, one is gone."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(COUNT):
        path = folder / "data" / str(number % 7) / f"{number // 2:03}.png"
        path = path.with_stem(f"{path.stem}{'ab'[number % 2]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(8, 8) + number.to_bytes(2, "big"))
        if number % 50:
            value = image(box("cat" if number % 3 else "dog", 1, 2, 3, 4))
            path.with_suffix(".json").write_text(json.dumps({**value, "number": number}))
    place = Place(create(LocalBackend(folder / "instance")), str(folder), "ann")
    add_storage(place, str(folder / "data"))
    index(place, [str(folder / "data")], format="bare")
    (folder / "data" / "3" / "005b.png").write_bytes(b"changed")
    return place.refreshed()


@dataclass
class Side:
    """A folder that is written to, by one engine."""

    place: Place
    folder: Path
    engine: Engine

    def write(self, options: InstantiateOptions, part: slice = slice(None)) -> Any:
        """Write some of the objects; what was counted."""
        rows = select(self.place, ["ds:root"], (), default="staged").rows
        report = instantiate(
            self.place.instance,
            open_catalog(self.place.instance),
            np.array(rows.ids[part]),
            np.array(rows.annotations[part]),
            replace(options, folder=str(self.folder), processes=2),
            engine=self.engine,
        )
        return self.told(report)

    def told(self, report: InstantiateReport) -> Any:
        problems = [(each.path, each.why) for each in (*report.problems, *report.passed_over)]
        told = str((report, problems)).replace(str(self.folder), "TARGET")
        where = f" (on the worker at {platform.node()})"
        assert (where in told) == bool(problems and not self.engine.forks)
        return told.replace(where, "")

    def files(self) -> dict[str, bytes]:
        """What is in it, but for the list."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != HIDDEN
        }


def both(source: Place, tmp_path: Path, dask: Engine) -> tuple[Side, Side]:
    engines = {"here": LocalEngine(2), "there": dask}
    here, there = (Side(source, tmp_path / name, each) for name, each in engines.items())
    return here, there


def same(here: Side, there: Side) -> None:
    assert there.files() == here.files()
    assert listed_files(str(there.folder)) == listed_files(str(here.folder))
    assert not (there.folder / ".ldb_instantiating").exists()


WAYS: dict[str, InstantiateOptions] = {
    "plain": InstantiateOptions(""),
    "as-seen": InstantiateOptions("", preserve_paths=True),
    "hardlinks": InstantiateOptions("", link="hardlink"),
    "annotations": InstantiateOptions("", annotations_only=True),
    "imagenet": in_format(InstantiateOptions(""), "imagenet", ()),
    "coco": in_format(InstantiateOptions("", preserve_paths=True), "coco", ()),
}
EVERY_DAY = "as-seen"


@pytest.mark.parametrize(
    "way", [each if each == EVERY_DAY else pytest.param(each, marks=pytest.mark.slow)
            for each in WAYS],
)  # fmt: skip
def test_as_by_local_processes(source: Place, cluster_url: str, tmp_path: Path, way: str) -> None:
    """Anew, once more with edited files, and fewer of them by force: files, list and counts."""
    options = WAYS[way]
    with open_engine(cluster_url) as dask:
        here, there = both(source, tmp_path, dask)
        assert there.write(options) == here.write(options)
        same(here, there)
        assert len(here.files()) > (0 if way == "coco" else COUNT - 20)
        for side in (here, there):
            (side.folder / "mine.txt").write_text("not LDB's")
            some = sorted(each for each in side.files() if each != "mine.txt")
            edited, gone = side.folder / some[1], side.folder / some[len(some) // 2]
            edited.unlink()
            edited.write_bytes(b'{"edited": true}')
            gone.unlink()
        assert there.write(options) == here.write(options)
        same(here, there)
        forced, half = replace(options, force=True), slice(0, COUNT // 2)
        assert there.write(forced, half) == here.write(forced, half)
        same(here, there)
        assert (there.folder / "mine.txt").exists()


def test_a_folder_that_workers_do_not_see(
    source: Place, cluster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process's own folder is another one in each process: nothing is written."""
    monkeypatch.chdir(tmp_path)
    with open_engine(cluster_url) as dask:
        there = Side(source, Path("/proc/self/cwd/out"), dask)
        with pytest.raises(BadInput, match=r"out: is not the same folder on the worker at"):
            there.write(InstantiateOptions(""))
    assert list((tmp_path / "out").iterdir()) == []


def test_another_folder_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / ".ldb_instantiating").mkdir()
    with probe(str(tmp_path)) as proof:
        check(str(tmp_path), proof)
        with pytest.raises(BadInput, match="is not the same folder"):
            check(str(tmp_path), (proof[0], "other"))
        with FolderProbe(str(tmp_path), proof)():
            pass
    with pytest.raises(BadInput, match="is not the same folder"):
        check(str(tmp_path), proof)


def test_command_and_setting(
    source: Place, cluster_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--instance", source.instance.url, "instantiate", "ds:root", "--limit", "20", "-t"]
    assert main(["config", "set", "core.engine", "spark"]) == 0
    assert main([*words, str(tmp_path / "out")]) == 2
    assert "no such engine: spark" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, str(tmp_path / "out"), "--engine", cluster_url]) == 0
    assert "wrote 20 data objects" in capsys.readouterr().err
    assert main(["config", "set", "core.engine", cluster_url]) == 0
    assert main([*words, str(tmp_path / "out")]) == 0
    assert "wrote 0 data objects" in capsys.readouterr().err


def test_nothing_secret_is_sent() -> None:
    write = WriteOptions("/out", "md5", "auto", force=False, annotations_only=False)
    opener = WriterOpener("/i", "id", write, False, False, None, ("name", "content"))
    try:
        configure({"s3://b": {"key": "K3Y", "secret": "S3CRET", "region": "r-1"}})
        sent = pickle.dumps(opener)
    finally:
        configure({})
    assert b"r-1" in sent
    assert not [word for word in (b"K3Y", b"S3CRET") if word in sent]


@pytest.mark.slow
def test_a_killed_worker_costs_only_time(source: Place, tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as found, open_engine(found.url) as dask:
        here, there = both(source, tmp_path, dask)

        def strike() -> None:
            wait_for(lambda: len(list(there.folder.glob("*.png"))) > 20)
            kill(found.workers[0])
            kill(found.workers[1])
            found.add_worker()

        striking = threading.Thread(target=strike)
        striking.start()
        there.write(InstantiateOptions(""))
        striking.join()
        assert found.workers[0].returncode == -signal.SIGKILL
        here.write(InstantiateOptions(""))
        same(here, there)


@pytest.mark.slow
@pytest.mark.parametrize("link", ["auto", "hardlink"])
def test_data_in_a_bucket(s3_bucket: Bucket, tmp_path: Path, link: str) -> None:
    """Workers fetch it, with credentials of their own."""
    for number in range(60):
        s3_bucket.raw.put(f"data/{number}.jpg", b"image %d" % number)
        s3_bucket.raw.put(f"data/{number}.json", b'{"number": %d}' % number)
    own, place, data = dict(s3_bucket.environ), f"{tmp_path}/i", f"{s3_bucket.url}/data"
    with cluster(tmp_path, 2, **own) as found:
        for words in (["init", place], ["add-storage", data], ["index", data]):
            assert ldb(*words, **own).returncode == 0
        words = ["instantiate", "ds:root", "--link", link, "-t"]
        done = ldb(*words, tmp_path / "there", "--engine", found.url, **own)
        assert done.returncode == 0, done.stderr
        assert "wrote 60 data objects and 60 annotations" in done.stderr
        assert "Run out-of-band function" in found.log, "it was the cluster that did it"
        assert servers.SECRET not in found.log
        assert not os.path.exists(tmp_path / "there" / ".ldb_instantiating")
    done = ldb(*words, tmp_path / "here", **own)
    assert done.returncode == 0, done.stderr
    at = Place(open_instance(LocalBackend(Path(place))), place)
    there, here = (Side(at, tmp_path / each, LocalEngine(1)) for each in ("there", "here"))
    same(here, there)
