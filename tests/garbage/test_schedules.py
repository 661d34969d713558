"""Writers and gcs that take turns in any order, with sleeps in between: drawn by Hypothesis."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.backends.base import Backend
from ldb.errors import LdbError
from ldb.garbage import watch
from tests.garbage.scene import LATER, Scene, check, hold_clocks
from tests.garbage.stepping import Remote, Turns

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks")

ACTORS = 4
SLEEP = ACTORS
"""Two writers and two gcs; the number after them lets a grace period pass."""

turns = st.lists(
    st.tuples(st.sampled_from([*range(ACTORS)] * 3 + [SLEEP]), st.integers(1, 12)), max_size=30
)
"""Whose turn it is, and for how many calls."""


@pytest.fixture(scope="module")
def first() -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ldb.dataset.now", lambda: 1)
        return Scene()


@settings(max_examples=25)
@given(turns, st.booleans())
def test_any_order(first: Scene, order: list[tuple[int, int]], marked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        scene = first.copy()
        hold_clocks(patch, scene)
        if marked:
            scene.gc()
        actors = Turns(
            scene.store, [_commit(scene), _commit(scene, "dogs"), _gc(scene), _gc(scene)]
        )
        for who, calls in order:
            if who == SLEEP:
                scene.clock.sleep(LATER)
                continue
            for _ in range(calls):
                actors.step(who, scene.clock.noticed)
        actors.finish(scene.clock.noticed)
        for error in actors.errors[:2]:
            assert not error or "ldb gc" in error, error
        check(scene.store)
        for name, error in zip(("cats", "dogs"), actors.errors):
            if error:
                scene.commit(name=name)
        assert (scene.rows("cats"), scene.rows("dogs")) == (70, 50)
        for _ in range(3):
            scene.gc(wait=LATER)
        check(scene.store)
        assert (scene.rows("cats"), scene.rows("dogs")) == (70, 50)
        assert scene.garbage() == 0


def _commit(scene: Scene, name: str = "cats") -> Callable[[Backend], None]:
    def commit(store: Backend) -> None:
        watch.readings = lambda: (Remote.noticed, Remote.noticed)
        scene.store = store
        scene.commit(name=name)

    return commit


def _gc(scene: Scene) -> Callable[[Backend], None]:
    """Both phases, if the schedule lets so much time pass; an error is no harm."""

    def gc(store: Backend) -> None:
        watch.readings = lambda: (Remote.noticed, Remote.noticed)
        scene.store = store
        for _ in range(2):
            with suppress(LdbError):
                scene.gc()

    return gc
