"""Boxes of objects that have a mask and no box."""

from __future__ import annotations

from ldb.errors import BadInput
from ldb.formats.boxes.rle import bitmap_of, box_around
from ldb.formats.boxes.shape import Json, box_of, is_relative, items, part


def with_boxes(annotation: Json) -> Json:
    """The annotation, each object with the box and area of its mask where it has no place else.

    Masks are in pixels whatever the unit is, and have the size of the image.
    """
    if not isinstance(annotation.get("objects"), list):
        return annotation
    relative = is_relative(annotation)
    objects = [_with_box(each, relative) for each in items(annotation, "objects")]
    return {**annotation, "objects": objects}


def _with_box(thing: Json, relative: bool) -> Json:
    mask = part(thing, "mask")
    if not mask or box_of(thing):
        return thing
    try:
        bitmap = bitmap_of(mask)
    except BadInput:
        return thing
    left, top, width, height = box_around(bitmap)
    if not relative:
        return {**thing, "bbox": [left, top, width, height]}
    down, across = bitmap.shape
    return {**thing, "bbox": [left / across, top / down, width / across, height / down]}
