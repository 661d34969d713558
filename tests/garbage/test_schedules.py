"""Writers and gcs that take turns in any order, with sleeps in between: drawn by Hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.errors import LdbError
from tests.garbage.scene import LATER, Scene, check, hold_clocks
from tests.garbage.stepping import Turns

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


@settings(max_examples=40)
@given(turns, st.booleans())
def test_any_order(first: Scene, order: list[tuple[int, int]], marked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        scene = first.copy()
        hold_clocks(patch, scene)
        if marked:
            scene.gc()
        actors = Turns(
            [
                lambda hook: scene.commit(hook),
                lambda hook: scene.commit(hook, name="dogs"),
                lambda hook: _gc(scene, hook),
                lambda hook: _gc(scene, hook),
            ]
        )
        for who, calls in order:
            if who == SLEEP:
                scene.clock.sleep(LATER)
                continue
            for _ in range(calls):
                actors.step(who)
        actors.finish()
        for error in actors.errors[:2]:
            assert error is None or "ldb gc" in str(error), error
        check(scene.store)
        for name, error in zip(("cats", "dogs"), actors.errors):
            if error is not None:
                scene.commit(name=name)
        assert (scene.rows("cats"), scene.rows("dogs")) == (70, 50)
        for _ in range(3):
            scene.gc(wait=LATER)
        check(scene.store)
        assert (scene.rows("cats"), scene.rows("dogs")) == (70, 50)
        assert scene.garbage() == 0


def _gc(scene: Scene, hook: object) -> None:
    """Both phases, if the schedule lets so much time pass; an error is no harm."""
    try:
        for _ in range(2):
            scene.gc(hook)  # type: ignore[arg-type]
    except LdbError:
        pass
