"""Telling what a format cannot hold: every key of an annotation that its writer does not write.

Nothing that an annotation holds may get lost without a word: each writer says which keys it
writes, and what stands under any other key and says something is counted; so is what stands under
a key of the shape and does not fit it, as no writer can do anything with that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ldb.formats.base import Losses
from ldb.formats.boxes.shape import (
    FORMATS,
    LISTS,
    PIXEL,
    PLACES,
    PLAIN,
    RELATIVE,
    Json,
    fits,
    part,
)

MOST = 200
"""Different keys that are named: they come from annotations, so there may be any number."""

NEEDED = {"captions": "text", "labels": "label"}
"""What an entry of these lists is nothing without."""


class Told:
    """Losses by key, of bounded number."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._named: set[str] = set()

    def add(self, why: str, where: str) -> None:
        if why not in self._named:
            if len(self._named) >= MOST:
                why = "more keys than can be told"
            self._named.add(why)
        self._losses.add(why, where)

    def keys(self, value: Json, held: Collection[str], path: str, where: str) -> None:
        """Count the keys of `value` outside `held`; `path` stands before them."""
        for key, content in value.items():
            if key not in held and says_something(content):
                self.add(f"no place for {path}{key[:100]}", where)

    def top(self, annotation: Any, held: Collection[str], where: str) -> None:
        """Count what is lost of a whole annotation, but for what is in its lists.

        Every format takes unit, subset and the size of the image, which its file has too.
        """
        if not isinstance(annotation, dict):
            if says_something(annotation):
                self.add("annotations that are no objects with keys", where)
            return
        self.keys(annotation, {"unit", "subset", "image", *held}, "", where)
        self.keys(part(annotation, "image"), ("width", "height"), "image.", where)
        if annotation.get("unit", PIXEL) not in (PIXEL, RELATIVE):
            self.add("a unit that is neither pixel nor relative; taken for pixels", where)
        for key in LISTS:
            value = annotation.get(key)
            if key in held and says_something(value) and not fits_list(value):
                self.add(f"entries of {key} that are no objects with keys", where)
            elif key in held and value and not all(map(_is_whole(key), value)):
                self.add(f"entries of {key} without a {NEEDED[key]}", where)

    def thing(self, thing: Json, held: Collection[str], path: str, where: str) -> None:
        """Count what is lost of an entry of one of the lists."""
        self.keys(thing, held, path, where)
        for key in PLACES:
            if key in held and says_something(thing.get(key)) and not fits(thing, key):
                self.add(f"{path}{key} that is not as it should be", where)
        for key in PLAIN:
            if key in held and says_something(thing.get(key)) and not fits(thing, key):
                self.add(f"{path}{key} that is not as it should be", where)

    def point(self, point: Json, held: Collection[str], where: str) -> None:
        """Count what a keypoint has beside its place."""
        self.keys(point, ("x", "y", *held), "objects[].keypoints[].", where)


def _is_whole(key: str) -> Callable[[Json], bool]:
    needed = NEEDED.get(key)
    return lambda each: needed is None or isinstance(each.get(needed), str)


def fits_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def says_something(value: Any) -> bool:
    """Whether leaving this out loses anything: not so for null, false and what is empty."""
    return value is not None and value is not False and value != "" and value != [] and value != {}


def others(own: str) -> frozenset[str]:
    """Keys of the formats but one."""
    return frozenset(FORMATS) - {own}
