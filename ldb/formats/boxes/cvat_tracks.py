"""CVAT for video 1.1: tracks, with a shape for each frame, turned into what each frame shows.

The file names no images. CVAT calls those that it exports of a video `frame_000012.PNG`, by the
number that shapes have as `frame`; images of that name get the shapes. Nothing else ties a frame
to a file, so frames without such an image are told, and never guessed by their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from ldb.errors import BadInput
from ldb.formats.base import Labelled, Read, Trouble
from ldb.formats.boxes.cvat_shapes import SHAPES, typed
from ldb.formats.boxes.finding import Finder
from ldb.formats.boxes.shape import PIXEL, Json, Size, number
from ldb.formats.boxes.troubles import Troubles

IMAGES = "CVAT for images 1.1"
_Key = tuple[str, int]
"""Subset and number of a frame."""


class Tracks:
    """What one file says of a video: `take` its elements, then `read` its frames."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._troubles = Troubles(name)
        self._image: Json = {}
        self._source = ""
        self._tasks = 0
        self._count = 0
        self._frames: dict[_Key, list[bytes]] = {}
        """Shapes as JSON, since videos have many, and objects take several times the memory."""

    def take(self, element: Element) -> None:
        """An element right below the root."""
        if element.tag == "meta":
            self._take_meta(element)
        elif element.tag == "track":
            self._count += 1
            if self._tasks < 2:
                self._take_track(element)

    def _take_meta(self, meta: Element) -> None:
        self._tasks = sum(1 for _ in meta.iter("task"))
        self._source = (meta.findtext(".//source") or "").strip()
        width, height = (
            number(meta.findtext(f".//original_size/{side}") or "") for side in ("width", "height")
        )
        if type(width) is int and type(height) is int and width > 0 and height > 0:
            self._image = {"width": width, "height": height}

    def _take_track(self, track: Element) -> None:
        record = f"track {track.get('id', '')[:40]}"
        size = (self._image["width"], self._image["height"]) if self._image else None
        for at, each in enumerate(track):
            where = f"{record}, shape {at + 1}"
            frame = number(each.get("frame", ""))
            outside = _is_outside(each)
            try:
                if type(frame) is not int or not 0 <= frame < 10**9:
                    raise BadInput(where, "its frame is not a number of a frame")
                thing = _shape(each, track.attrib, size)
            except BadInput as error:
                self._troubles.add(where, error.why)
                continue
            made = json.dumps([outside, thing]).encode()
            self._frames.setdefault((track.get("subset", ""), frame), []).append(made)

    def read(self, finder: Finder) -> Iterator[Read]:
        """An annotation for each frame that some track has a shape in."""
        yield from self._troubles.found()
        if self._tasks > 1 and self._count:
            why = (
                f"not read, as the frames of {self._tasks} tasks are numbered in one: "
                f"export each task by itself, or as {IMAGES}, which names images"
            )
            yield Trouble(self._name, why, f"{self._count:,} tracks")
            return
        lost = []
        for key in sorted(self._frames):
            subset, frame = key
            stem = f"frame_{frame:06d}"
            path = finder.stem(stem, folders_near(self._name, subset), subset)
            if path:
                record = f"frame {frame}"
                yield Labelled(self._annotation(key), self._name, record, path)
            else:
                lost.append(stem)
        if lost:
            more = f", nor as {len(lost) - 1:,} more frames" if len(lost) > 1 else ""
            why = (
                f"no image is called {lost[0]}{more}, and tracks of a video name no others: "
                f"export them with images, or as {IMAGES}, which names images"
            )
            yield Trouble(self._name, why, f"{self._count:,} tracks")

    def _annotation(self, key: _Key) -> Json:
        subset, frame = key
        value: Json = {"unit": PIXEL, "objects": []}
        if self._image:
            value["image"] = self._image
        if subset:
            value["subset"] = subset
        own: Json = {"frame": frame}
        if self._source:
            own["source"] = self._source
        for made in self._frames.pop(key):
            outside, thing = json.loads(made)
            (own.setdefault("outside", []) if outside else value["objects"]).append(thing)
        return {**value, "cvat": own}


def _shape(element: Element, track: Mapping[str, str], size: Size | None) -> Json:
    """A shape of a track as an object, with what stands at the track itself."""
    if element.tag not in SHAPES:
        raise BadInput(element.tag, f"<{element.tag[:40]}> is not read")
    if "label" in track:
        element.set("label", track["label"])
    for name in ("frame", "outside"):
        element.attrib.pop(name, None)
    thing = SHAPES[element.tag](element, size)
    own = {k: typed(v) for k, v in track.items() if k not in ("id", "label", "subset")}
    thing["cvat"] = {"track_id": typed(track.get("id", "")), **own, **thing["cvat"]}
    return thing


def _is_outside(element: Element) -> bool:
    """Whether the object is not in the frame; a skeleton is not where no part of it is."""
    parts = element.findall("points") if element.tag == "skeleton" else [element]
    return bool(parts) and all(each.get("outside") == "1" for each in parts)


def folders_near(name: str, subset: str) -> list[str]:
    """Where the images of a file are looked for first, as CVAT puts them."""
    folder = name.rpartition("/")[0]
    below = (f"images/{subset}", "images", "", subset) if subset else ("images", "")
    return [f"{folder}/{each}".strip("/") for each in below]
