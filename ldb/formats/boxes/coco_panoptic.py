"""Panoptic COCO: every pixel of an image belongs to one segment, a thing or stuff.

The segments stand in the JSON file; which pixels are whose is in a PNG, whose colours are their
ids: R + 256 G + 256² B. LDB opens no PNG. It keeps its name, and the ids as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ldb.errors import BadInput
from ldb.formats.boxes.coco_shape import Category, lacks_category, thing_of
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.shape import Json, part, text_of

SEGMENTS = "segments"
"""Our key, for a list of their own: where there are instances too, these are the same things."""

INFO = "segments_info"
_ELSEWHERE = ("image_id", INFO)


def add_segments(
    note: Json,
    categories: dict[Any, Category],
    value: Json,
    record: str,
    tell: Callable[[str, str], None],
) -> None:
    """Add the segments of an annotation to that of its image, which has `coco` already."""
    segments = note[INFO]
    if not isinstance(segments, list):
        raise BadInput(record, f"its {INFO} is not a list")
    if "panoptic" in value["coco"]:
        raise BadInput(record, "the image has segments of another annotation already")
    value["coco"]["panoptic"] = {k: each for k, each in note.items() if k not in _ELSEWHERE}
    things = value.setdefault(SEGMENTS, [])
    for at, each in enumerate(segments):
        where = f"{record}.{INFO}[{at}]"
        try:
            things.append(thing_of(each, categories))
        except BadInput as error:
            tell(where, error.why)
        else:
            if lacks_category(each, categories):
                key = str(each["category_id"])[:40]
                tell(where, f"there is no category with the id {key}; the segment has no label")


def panoptic_note(
    annotation: Json, infos: list[tuple[Any, Json]], image: int, told: Told, where: str
) -> Json:
    """The record of an image, from its segments' ids and records."""
    own = part(part(annotation, "coco"), "panoptic")
    if not text_of(own, "file_name"):
        told.add("segments whose PNG is not known", where)
    else:
        told.add(
            "the PNG of segments is not copied: put those that `file_name` names into a folder "
            "called as the panoptic file",
            where,
        )
    kept = [{**note, "id": key} for key, note in infos if type(key) is int and key >= 0]
    if len(kept) < len(infos):
        told.add("segments without an id, which no pixel can belong to", where)
    rest = {key: each for key, each in own.items() if key not in _ELSEWHERE}
    return {**rest, "file_name": text_of(own, "file_name"), "image_id": image, INFO: kept}
