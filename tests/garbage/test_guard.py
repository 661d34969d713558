"""What a writer does around creating a ref: what it asks the store, and what it undoes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.errors import Conflict, NotFound
from ldb.history import DATASET_MAP, resolve
from ldb.instance import Location, Settings, add_location, create, open_instance
from ldb.objects.condemned import FOLDER
from ldb.porcelain.gc import gc
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.plumbing.commit_map import commit_map
from ldb.porcelain.plumbing.refs import update_ref
from ldb.porcelain.storage import add_storage
from ldb.refs.name import VersionSpec
from tests.garbage.scene import CATS, LATER, Scene, check, hold_clocks
from tests.garbage.stepping import Hook, Killed, Stepped
from tests.porcelain.fsck.samples import write_data


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("ldb.dataset.now", lambda: 1)
    scene = Scene()
    hold_clocks(monkeypatch, scene)
    return scene


def asked(scene: Scene) -> list[tuple[str, str]]:
    """The calls of a commit that concern condemned lists."""
    calls: list[tuple[str, str]] = []

    def note(number: int, verb: str, key: str) -> None:
        if key.startswith(FOLDER) or (key.startswith("refs/") and verb == "create"):
            calls.append((verb, key.removeprefix(FOLDER)))

    scene.commit(note)
    return calls


def test_two_listings_and_no_more(scene: Scene) -> None:
    """Right before the ref and right after, whether there has ever been a gc or not."""
    wanted = [("list", ""), ("create", CATS.key(2)), ("list", "")]
    assert asked(scene.copy()) == wanted
    scene.cycle()
    assert asked(scene) == wanted


def test_an_active_list_is_read_once(scene: Scene) -> None:
    scene.gc()
    calls = asked(scene)
    assert calls[:2] == [("list", ""), ("read", "0000000001.list")]
    assert calls[-3:] == [("list", ""), ("create", CATS.key(2)), ("list", "")]
    assert len(calls) == 5
    check(scene.store)


def test_a_version_that_lacks_blobs_is_withdrawn(scene: Scene) -> None:
    before = open_instance(scene.store)
    old = resolve(before, VersionSpec(CATS))

    def hook(number: int, verb: str, key: str) -> None:
        if verb == "create" and key == CATS.key(2):
            scene.cycle(noticed=False)

    with pytest.raises(Conflict, match="has deleted some") as caught:
        scene.commit(hook)
    assert "withdrawn" in caught.value.hint
    now = resolve(open_instance(scene.store), VersionSpec(CATS))
    assert now.number == 3, "number 2 was seen by somebody, perhaps: it is not used again"
    assert now.commit.maps == old.commit.maps
    assert [ref.number for ref in open_instance(scene.store).refs.history(CATS)] == [3, 1]
    check(scene.store)
    scene.commit()
    assert scene.rows() == 70
    check(scene.store)


def test_the_first_version_that_lacks_blobs_is_withdrawn(scene: Scene) -> None:
    """There was nothing before: what follows is a tombstone."""
    with suppress(Killed):
        scene.commit(_killed_at_ref, name="dogs")
    scene.clock.sleep(LATER)

    def hook(number: int, verb: str, key: str) -> None:
        if verb == "create" and key.startswith("refs/datasets/dogs/") and not hook_done:
            hook_done.append(key)
            scene.cycle(noticed=False)

    hook_done: list[str] = []
    with pytest.raises(Conflict):
        scene.commit(hook, name="dogs")
    assert scene.versions()[-1] == "ds:dogs.v2"
    check(scene.store)
    scene.commit(name="dogs")
    assert scene.rows("dogs") == 50
    check(scene.store)


def _killed_at_ref(number: int, verb: str, key: str) -> None:
    if verb == "create" and key.startswith("refs/"):
        raise Killed


def test_update_ref_saves_what_others_made(scene: Scene) -> None:
    """The commit was made long ago, by another process, and is condemned by now."""
    instance = open_instance(scene.store)
    refs = resolve(instance, VersionSpec(CATS))
    root = refs.commit.maps[DATASET_MAP]
    made = commit_map(
        instance, CATS, {DATASET_MAP: root.root}, parents=[refs.oid], author="Ann", time=5
    )
    scene.clock.sleep(LATER)
    scene.gc()
    instance = open_instance(scene.store)
    update_ref(instance, CATS, made, "Ann")
    for _ in range(2):
        scene.gc(wait=LATER)
        check(scene.store)
    assert resolve(open_instance(scene.store), VersionSpec(CATS)).oid == made


def test_settings(scene: Scene) -> None:
    """Of a command that was stopped right before its ref, and run again at any time."""

    def change(settings: Settings) -> Settings:
        return add_location(settings, Location("file:///data"))

    with suppress(Killed):
        open_instance(Stepped(scene.store, _killed_at_ref)).update_settings(change, "Ann")
    scene.clock.sleep(LATER)
    for at in range(12):
        each = scene.copy()

        def cycle(number: int, verb: str, key: str, at: int = at, each: Scene = each) -> None:
            if number == at:
                each.cycle(noticed=False)

        with suppress(Conflict):
            open_instance(Stepped(each.store, cycle)).update_settings(change, "Ann")
        check(each.store)
        open_instance(each.store).update_settings(change, "Ann")
        assert open_instance(each.store).settings().locations
        check(each.store)


def test_index_on_a_folder_store(tmp_path: Path) -> None:
    """A stopped run's packs are used by the next one, at whose calls they are deleted.

    There the store's clock cannot be moved; without any grace period all rests on looking
    again.
    """
    data = tmp_path / "data"
    write_data(data, 0, 6)
    backend = LocalBackend(tmp_path / "instance")
    create(backend)
    add_storage(Place(open_instance(backend), str(tmp_path), "Ann"), str(data))

    def run(hook: Hook) -> None:
        place = Place(open_instance(Stepped(backend, hook)), str(tmp_path), "Ann")
        index(place, [str(data)])

    calls = 0
    for at in range(0, 100, 9):
        with suppress(Killed):
            run(_killed_at_ref)
        made = 0

        def collect(number: int, verb: str, key: str, at: int = at) -> None:
            nonlocal made
            made = number
            if number == at:
                gc(open_instance(backend), prune=True, alone=True)

        with suppress(Conflict, NotFound):  # or it was reading what is gone
            run(collect)
        check(backend)
        run(lambda *_: None)
        check(backend)
        write_data(data, 0, 6, str(at))
        calls = max(calls, made)
        if at > made:
            break
    assert calls > 10
