"""Repacking: fewer files, the same versions, and old packs that gc takes away."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from ldb.backends.base import Backend
from ldb.errors import NotFound
from ldb.instance import Instance, open_instance
from ldb.objects.model import BlobType
from ldb.porcelain import repack as repacking
from ldb.porcelain.fsck import fsck
from ldb.porcelain.gc import gc
from ldb.porcelain.repack import repack
from tests.garbage.scene import LATER, Scene, check, hold_clocks
from tests.garbage.stepping import Killed, Stepped, at_call, killed_at
from tests.porcelain.fsck.samples import in_memory, make_instance, store_of


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An instance with eight packs and seven loose blobs."""
    return in_memory(make_instance(tmp_path_factory.mktemp("repack")).instance.backend)


def again(backend: Backend) -> Instance:
    return open_instance(backend)


def packs(backend: Backend) -> list[str]:
    return [each.key for each in backend.list("objects/") if each.key.endswith(".pack")]


def refs(backend: Backend) -> dict[str, bytes]:
    return {each.key: bytes(backend.read(each.key)) for each in backend.list("refs/")}


def test_one_pack_and_the_same_versions(values: dict[str, bytes]) -> None:
    backend = store_of(values)
    before = fsck(backend).checked
    report = repack(again(backend))
    assert (report.packs, report.loose, report.new_packs) == (8, 7, 1)
    after = fsck(backend)
    assert after.sound
    assert after.checked.copies == report.blobs
    done = gc(again(backend), prune=True, alone=True)
    assert (done.deleted.packs, done.deleted.loose) == (8, 7)
    assert len(packs(backend)) == 1
    left = fsck(backend)
    assert left.sound
    assert (left.checked.unused, left.checked.copies) == (0, 0)
    assert left.checked.blobs == before.blobs - before.unused
    assert refs(backend) == refs(store_of(values))


def test_dry_run_writes_nothing(values: dict[str, bytes]) -> None:
    backend = store_of(values)
    report = repack(again(backend), dry_run=True)
    assert (report.packs, report.loose, report.new_packs) == (8, 7, 0)
    assert in_memory(backend) == values


def test_what_is_repacked_stays(values: dict[str, bytes]) -> None:
    """Before gc and after it."""
    backend = store_of(values)
    repack(again(backend))
    assert repack(again(backend)).packs == 0
    gc(again(backend), prune=True, alone=True)
    assert repack(again(backend)).packs == 0


def test_types_apart_where_there_is_much(
    values: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repacking, "PACK_BYTES", 20_000)
    backend = store_of(values)
    report = repack(again(backend))
    assert report.new_packs == 3
    gc(again(backend), prune=True, alone=True)
    kinds = [{block.type for block in pack.blocks()} for pack in again(backend).objects.packs()]
    assert {BlobType.ANNOTATION} in kinds
    assert {BlobType.RECORD} in kinds
    assert fsck(backend).sound


def test_batches(values: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repacking, "BLOBS", 10)
    backend = store_of(values)
    report = repack(again(backend))
    assert report.new_packs > 1
    gc(again(backend), prune=True, alone=True)
    assert fsck(backend).checked.copies == 0
    assert fsck(backend).sound


def test_sparse_packs_are_written_anew(
    values: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repacking, "SMALL", 0)
    backend = store_of(values)
    # How much of a pack is used here depends on how long indexing took: two fifths and more.
    monkeypatch.setattr(repacking, "SPARSE", 0.25)
    assert repack(again(backend), dry_run=True).packs == 0
    monkeypatch.setattr(repacking, "SPARSE", 1.0)
    assert repack(again(backend)).packs > 0
    gc(again(backend), prune=True, alone=True)
    report = fsck(backend)
    assert report.sound
    assert report.checked.unused == 0


def test_killed_at_any_call(values: dict[str, bytes]) -> None:
    steps = Stepped(store_of(values), lambda *_: None)
    repack(again(steps))
    for at in range(0, steps.calls, 3):
        backend = store_of(values)
        with pytest.raises(Killed):
            repack(again(Stepped(backend, killed_at(at))))
        assert fsck(backend).sound
        repack(again(backend))
        gc(again(backend), prune=True, alone=True)
        assert fsck(backend).sound
        assert len(packs(backend)) == 1


def test_beside_a_writer_and_gcs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repack, then two gcs and a writer that rely on its packs, at any call of the sweep."""
    monkeypatch.setattr("ldb.dataset.now", lambda: 1)
    first = Scene()
    steps = Stepped(first.copy().store, lambda *_: None)
    repack(again(steps))
    for at in range(0, steps.calls, 2):
        scene = first.copy()
        hold_clocks(monkeypatch, scene)

        def others(scene: Scene = scene) -> None:
            scene.gc()
            scene.commit()
            scene.gc(wait=LATER)

        with suppress(NotFound):  # packs that it was reading are gone
            repack(again(Stepped(scene.store, at_call(at, others))))
        check(scene.store)
        for _ in range(3):
            scene.gc(wait=LATER)
            check(scene.store)
        assert scene.rows() == 70


def test_gcs_do_not_condemn_each_others_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is there twice; two gcs mark and sweep in any order."""
    monkeypatch.setattr("ldb.dataset.now", lambda: 1)
    first = Scene()
    repack(again(first.store))
    counting = first.copy()
    hold_clocks(monkeypatch, counting)
    steps = Stepped(counting.store, lambda *_: None)
    gc(again(steps), prune=True)
    for at in range(steps.calls):
        scene = first.copy()
        hold_clocks(monkeypatch, scene)

        def other(scene: Scene = scene) -> None:
            scene.gc()
            scene.gc(wait=LATER)

        scene.gc(at_call(at, other))
        check(scene.store)
        scene.gc(wait=LATER)
        check(scene.store)
        assert scene.rows() == 40


def test_places_that_lead_to_deleted_packs_go(tmp_path: Path) -> None:
    place = make_instance(tmp_path, objects=1100)
    backend = place.instance.backend
    found = [e.key for e in backend.list("objects/") if e.key.endswith(".places")]
    assert found
    repack(again(backend))
    gc(again(backend), prune=True, alone=True)
    report = fsck(backend)
    assert report.sound
    assert not [note for note in report.notes if "not there any more" in note]
    assert [e.key for e in backend.list("objects/") if e.key.endswith(".places")]
