"""Boxes of objects that have a mask and no box."""

from __future__ import annotations

from ldb.errors import BadInput
from ldb.formats.boxes.rle import bitmap_of, box_around
from ldb.formats.boxes.shape import Json, box_of, part


def with_box(thing: Json) -> Json:
    """The object with the box and area of its mask, where it has neither box nor outline.

    A mask is in pixels, so this is for objects whose coordinates are pixels too.
    """
    mask = part(thing, "mask")
    if not mask or box_of(thing):
        return thing
    try:
        bitmap = bitmap_of(mask)
    except BadInput:
        return thing
    return {"area": int(bitmap.sum()), **thing, "bbox": list(box_around(bitmap))}
