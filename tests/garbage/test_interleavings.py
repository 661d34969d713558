"""gc beside writers, at every call that either makes: nothing needed is ever deleted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from ldb.errors import Conflict, StoreFailed
from tests.garbage.scene import LATER, Scene, check, hold_clocks
from tests.garbage.stepping import Hook, Killed, at_call, killed_at

BOTH = 70
"""Rows that `cats` has once its second version is there."""


@pytest.fixture(scope="module")
def first() -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ldb.dataset.now", lambda: 1)
        return Scene()


Make = Callable[[], Scene]


@pytest.fixture
def make(first: Scene, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Copies of the first scene."""

    def copy() -> Scene:
        scene = first.copy()
        hold_clocks(monkeypatch, scene)
        return scene

    return copy


def calls(actor: Callable[[Hook], object]) -> int:
    """How many calls an actor makes when nobody is beside it."""
    made = 0

    def count(number: int, verb: str, key: str) -> None:
        nonlocal made
        made = number + 1

    actor(count)
    return made


def commits(scene: Scene, hook: Hook) -> bool:
    """Commit; whether that worked. If not, nothing of it is left, and it works next time."""
    try:
        scene.commit(hook)
    except Conflict:
        check(scene.store)
        assert scene.rows() == 40
        scene.commit()
        return False
    finally:
        check(scene.store)
    assert scene.rows() == BOTH
    return True


def test_what_the_stopped_commit_left_is_used_again(make: Make) -> None:
    scene = make()
    before = scene.packs()
    assert scene.garbage() == 3, "annotations, nodes, and a loose commit"
    scene.commit()
    assert scene.packs() == before
    assert scene.rows() == BOTH
    assert scene.garbage() == 0


def test_garbage_goes_in_two_phases(make: Make) -> None:
    scene = make()
    before = scene.packs()
    first = scene.gc()
    assert (first.condemned.packs, first.condemned.loose, first.deleted.packs) == (2, 1, 0)
    assert scene.packs() == before
    assert not scene.gc(wait=LATER / 2).deleted
    second = scene.gc(wait=LATER / 2)
    assert (second.deleted.packs, second.deleted.loose) == (2, 1)
    assert len(scene.packs()) == len(before) - 2
    check(scene.store)
    assert scene.rows() == 40
    assert scene.garbage() == 0
    scene.commit()
    assert scene.rows() == BOTH


def test_young_garbage_is_left_alone(first: Scene, make: Make) -> None:
    scene = make()
    scene.clock.now = max(stored for _, stored in first.memory._values.values()) + 3600
    report = scene.gc()
    assert (report.young.packs, report.condemned.packs) == (2, 0)


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "unnoticed"])
def test_a_writer_sleeps_through_all_of_it(make: Make, noticed: bool) -> None:
    """At each of its calls, whether its clocks tell it or not."""
    outcomes = []
    for at in range(calls(make().commit)):
        scene = make()
        outcomes.append(commits(scene, at_call(at, lambda s=scene: s.cycle(noticed))))  # type: ignore[misc]
        assert scene.rows() == BOTH
    assert True in outcomes
    assert False in outcomes


def test_marked_at_any_call_of_a_writer_and_swept_later(make: Make) -> None:
    """What a writer does within the grace period never fails."""
    for at in range(calls(make().commit)):
        scene = make()
        scene.commit(at_call(at, lambda s=scene: s.gc()))  # type: ignore[misc]
        check(scene.store)
        scene.gc(wait=LATER)
        check(scene.store)
        assert scene.rows() == BOTH
        scene.gc(wait=LATER)
        scene.gc(wait=LATER)
        assert scene.garbage() == 0
        check(scene.store)


def test_marked_before_and_swept_at_any_call_of_a_writer(make: Make) -> None:
    def marked() -> Scene:
        scene = make()
        scene.gc()
        scene.clock.sleep(LATER)
        return scene

    outcomes = []
    for at in range(calls(marked().commit)):
        scene = marked()
        outcomes.append(commits(scene, at_call(at, lambda s=scene: s.gc())))  # type: ignore[misc]
        assert scene.rows() == BOTH
    assert outcomes[0]
    assert outcomes[-1], "once the ref is there it is needed"


def test_a_writer_at_any_call_of_a_mark(make: Make) -> None:
    for at in range(calls(make().gc)):
        scene = make()
        scene.gc(at_call(at, lambda s=scene: s.commit()))  # type: ignore[misc]
        check(scene.store)
        scene.gc(wait=LATER)
        check(scene.store)
        assert scene.rows() == BOTH


def test_a_writer_at_any_call_of_a_sweep(make: Make) -> None:
    def marked() -> Scene:
        scene = make()
        scene.gc()
        scene.clock.sleep(LATER)
        return scene

    for at in range(calls(marked().gc)):
        scene = marked()
        scene.gc(at_call(at, lambda s=scene: s.commit()))  # type: ignore[misc]
        check(scene.store)
        assert scene.rows() == BOTH


def _others(scene: Scene, at: int, slept: float, noticed: bool) -> Hook:
    """A gc and a commit before one call, but not before a delete that nobody noticed."""

    def hook(number: int, verb: str, key: str) -> None:
        if number == at and (noticed or verb != "delete"):
            scene.clock.sleep(slept, noticed)
            scene.gc()
            scene.commit()

    return hook


def test_another_gc_and_a_writer_at_any_call_of_a_sweep(make: Make) -> None:
    """The other one may be later by a grace period, so that this one has slept for so long.

    Whether it noticed or not; only right before a delete it must, there being no other guard.
    """

    def marked() -> Scene:
        scene = make()
        scene.gc()
        scene.clock.sleep(LATER)
        return scene

    for slept, noticed in ((0.0, True), (LATER, True), (LATER, False)):
        for at in range(calls(marked().gc)):
            scene = marked()
            others = _others(scene, at, slept, noticed)
            scene.gc(others)
            if scene.rows() != BOTH:
                scene.commit()
            check(scene.store)
            assert scene.rows() == BOTH


def test_killed_at_any_call_and_run_again(make: Make) -> None:
    def run(scene: Scene, hook: Hook) -> None:
        scene.gc(hook)

    for phase in ("mark", "sweep"):

        def ready(phase: str = phase) -> Scene:
            scene = make()
            if phase == "sweep":
                scene.gc()
                scene.clock.sleep(LATER)
            return scene

        for at in range(calls(ready().gc)):
            scene = ready()
            with suppress(Killed):
                run(scene, killed_at(at))
            check(scene.store)
            scene.copy().commit()
            for _ in range(3):
                scene.gc(wait=LATER)
            check(scene.store)
            assert scene.garbage() == 0
            assert scene.rows() == 40
            assert not list(scene.store.list("objects/pack/-gc/clock"))
            scene.commit()
            assert scene.rows() == BOTH


def test_a_failed_delete_ends_the_run_and_the_list_stays(make: Make) -> None:
    scene = make()
    scene.gc()
    scene.clock.sleep(LATER)
    failed = []

    def refuse(number: int, verb: str, key: str) -> None:
        if verb == "delete" and key.endswith(".pack"):
            failed.append(key)
            raise StoreFailed(key, "read-only")

    with pytest.raises(StoreFailed):
        scene.gc(refuse)
    assert len(failed) == 1
    check(scene.store)
    again = scene.copy()
    again.commit()
    assert again.rows() == BOTH
    check(again.store)
    assert scene.gc(wait=LATER).deleted.packs == 2
    check(scene.store)
