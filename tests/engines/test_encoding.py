"""`--sort` by an encoder on a Dask cluster: the order and the vectors of local work, each once."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from ldb.backends.local import LocalBackend
from ldb.cli.main import main
from ldb.clouds.options import configure
from ldb.engines.opening import open_engine
from ldb.errors import SAME_DISKS, StoreFailed
from ldb.foreign.own import Own
from ldb.instance import create
from ldb.porcelain import nearest
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.porcelain.storage import add_storage
from ldb.query.selection import FilterSpec
from ldb.search.encoder import load
from ldb.search.encoding import EncoderFailed
from ldb.search.vectors import VectorStore
from ldb.search.workers import EncoderOpener
from ldb.settings import UserSettings
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.engines.clusters import INSTALLED, MODULES, cluster
from tests.engines.hues import picture
from tests.engines.test_indexing import ldb

COUNT, NO_PICTURES = 300, 5
NEAR = FilterSpec("sort", ("hues", "1", "2"))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's package is installed here, as it is on the workers."""
    monkeypatch.syspath_prepend(INSTALLED)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Pictures, and some files that are none."""
    folder = tmp_path_factory.mktemp("indexed")
    data = folder / "data"
    data.mkdir()
    for number in range(COUNT):
        (data / f"{number:03}.hue").write_bytes(picture(number))
    for number in range(NO_PICTURES):
        (data / f"no-{number}.txt").write_text(f"no picture {number}")
    place = Place(create(LocalBackend(folder / "instance")), str(folder), "ann")
    add_storage(place, str(data))
    index(place, [str(data)], format="bare")
    return place.refreshed()


@dataclass
class Side:
    """A user who sorts by the encoder on one engine, with vectors of their own."""

    place: Place
    folder: Path

    @property
    def encoded(self) -> dict[str, list[str]]:
        """What was encoded so far, by process."""
        return {each.name: each.read_text().split() for each in (self.folder / "log").iterdir()}

    def sorted(self, spec: FilterSpec = NEAR) -> tuple[list[bytes], tuple[str, ...]]:
        """Ids in order, and the warnings."""
        found = select(self.place, ["ds:root"], [spec], default="staged")
        return found.rows.ids.tolist(), found.warnings

    def vectors(self, ids: list[bytes]) -> list[Any]:
        """What is kept of each, by what it is near to."""
        store = VectorStore(self.place.own.vectors, "Hues", "1", 16)
        keys = np.array(ids, "S16")
        each = [store.scores(keys, np.array(one, np.float32)) for one in ([1, 0], [0, 1])]
        assert all(found.known.all() for found in each)
        return [found.values.tobytes() for found in each]


def side(
    place: Place, folder: Path, engine: str, settings: Mapping[str, str] = MappingProxyType({})
) -> Side:
    """For `place` on the engine of this name."""
    (folder / "log").mkdir(parents=True)
    values = {"hues.log": str(folder / "log"), **settings}
    own = Own(
        settings=UserSettings(folder / "config", values),
        vectors=str(folder / "vectors"),
        engine=partial(open_engine, engine),
    )
    return Side(replace(place, find_own=lambda: own), folder)


@pytest.fixture
def here(indexed: Place, tmp_path: Path) -> Side:
    """What the engine of every day gives."""
    return side(indexed, tmp_path / "here", "local")


def test_as_in_this_process(
    indexed: Place, here: Side, cluster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same order and the same vectors, and nothing is computed twice."""
    there = side(indexed, tmp_path / "there", cluster_url)
    monkeypatch.setattr(nearest, "BATCH", 20)
    ids, warnings = here.sorted()
    assert len(here.encoded) == 1
    found, told = there.sorted()
    assert found == ids
    assert len(ids) == COUNT + NO_PICTURES
    (warning,), (other,) = warnings, told
    assert "puts last" in warning
    assert f"and {NO_PICTURES - 1} more" in other
    assert "on the worker at" in other
    assert there.vectors(ids[:COUNT]) == here.vectors(ids[:COUNT])
    assert not here.encoded.keys() & there.encoded.keys(), "not by the driver"
    pictures = [each for some in there.encoded.values() for each in some if each.startswith("4855")]
    assert len(set(pictures)) == COUNT
    before = there.encoded
    assert there.sorted(FilterSpec("sort", ("hues", "2", "1")))[0] != ids
    assert there.sorted()[0] == ids
    assert sum(map(len, there.encoded.values())) - sum(map(len, before.values())) <= NO_PICTURES


def test_command_and_setting(
    indexed: Place, cluster_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--instance", indexed.instance.url]
    log = tmp_path / "log"
    log.mkdir()
    assert main(["config", "set", "hues.log", str(log)]) == 0
    assert main(["config", "set", "core.engine", "spark"]) == 0
    sort = ["list", "ds:root", "--file", "type == 'hue'", "--sort", "hues 1 2"]
    assert main([*words, *sort]) == 2
    assert "no such engine: spark" in capsys.readouterr().err
    assert main([*words, *sort, "--engine", cluster_url]) == 0
    first = capsys.readouterr().out
    assert len(first.splitlines()) == COUNT
    assert len(list(log.iterdir())) in (1, 2)
    assert main([*words, *sort]) == 0  # all vectors are known, so no engine is opened
    assert capsys.readouterr().out == first


def test_an_encoder_that_workers_lack(
    indexed: Place, cluster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "only-here" / "lonely-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ldb.encoders]\nlonely = tests.engines.hues:Hues\n")
    monkeypatch.syspath_prepend(str(info.parent))
    there = side(indexed, tmp_path / "there", cluster_url, {"lonely.log": str(tmp_path)})
    with pytest.raises(EncoderFailed, match=r"encoder lonely: is not installed on the worker at"):
        there.sorted(FilterSpec("sort", ("lonely", "1", "2")))
    assert there.encoded == {}


def test_an_encoder_of_another_version(
    indexed: Place, cluster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUES_VERSION", "2")
    there = side(indexed, tmp_path / "there", cluster_url)
    with pytest.raises(EncoderFailed, match=r"is 'Hues 1' on the worker at .*, and 'Hues 2' here"):
        there.sorted()


def test_a_folder_that_workers_do_not_see(
    cluster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process's own folder is another one in each process."""
    monkeypatch.chdir(tmp_path)
    mine = "/proc/self/cwd"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "1.hue").write_bytes(picture(1))
    place = Place(create(LocalBackend(tmp_path / "instance")), str(tmp_path), "ann")
    add_storage(place, f"{mine}/data")
    index(place, [f"{mine}/data"], format="bare")
    there = side(place.refreshed(), tmp_path / "there", cluster_url)
    wrong = f"{mine}/data/1.hue cannot be read: .*, on the worker at .*, and can be read here"
    with pytest.raises(StoreFailed, match=wrong) as found:
        there.sorted()
    assert found.value.hint == SAME_DISKS


def test_what_is_sent(tmp_path: Path) -> None:
    """Names and plain settings: no code, and nothing secret."""
    settings = {"log": "/plain", "api_key": "K3Y", "token": "T0KEN"}
    opener = EncoderOpener("hues", settings, "Hues", "1", "md5", load("hues", settings))
    try:
        configure({"s3://b": {"secret": "S3CRET", "region": "r-1"}})
        sent = pickle.dumps(opener)
    finally:
        configure({})
    assert b"/plain" in sent
    assert b"r-1" in sent
    assert not [word for word in (b"K3Y", b"S3CRET", b"T0KEN", b"tests.engines") if word in sent]


@pytest.mark.slow
def test_a_killed_worker_costs_only_time(indexed: Place, here: Side, tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as found:
        fatal = {"hues.fatal": picture(COUNT // 2).hex()}
        there = side(indexed, tmp_path / "there", found.url, fatal)
        order, _ = there.sorted()
        assert sum(each.poll() == -signal.SIGKILL for each in found.workers) == 1
    assert order == here.sorted()[0]
    assert there.vectors(order[:COUNT]) == here.vectors(order[:COUNT])


@pytest.mark.slow
def test_data_in_a_bucket(s3_bucket: Bucket, tmp_path: Path) -> None:
    """Workers read from it, with credentials of their own."""
    for number in range(100):
        s3_bucket.raw.put(f"data/{number}.hue", picture(number))
    s3_bucket.raw.put("data/no.txt", b"none")
    own = {**s3_bucket.environ, "PYTHONPATH": MODULES}
    place, data = f"{tmp_path}/instance", f"{s3_bucket.url}/data"
    logs = {engine: tmp_path / f"log-{engine}" for engine in ("local", "dask")}
    said = []

    def ran(*words: object) -> str:
        done = ldb(*words, **own)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ran("init", place)
    ran("add-storage", data)
    ran("index", "-m", "bare", data)
    with cluster(tmp_path, 2, **own) as found:
        for engine, log in logs.items():
            log.mkdir()
            ran("config", "set", "hues.log", log)
            ran("config", "set", "core.vector_cache_dir", tmp_path / f"vectors-{engine}")
            url = found.url if engine == "dask" else engine
            said.append(ran("list", "ds:root", "--sort", "hues 1 2", "--engine", url))
        assert servers.SECRET not in found.log
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 101
    assert len(list(logs["dask"].iterdir())) == 2
