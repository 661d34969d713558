"""One record of COCO as the neutral shape, and back: nothing of it is lost on the way.

What COCO alone has stands under `coco`: ids, an image's URLs, a category's supercategory and
skeleton, and every key that COCO does not define.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ldb.errors import BadInput
from ldb.formats.boxes.rle import area_of
from ldb.formats.boxes.shape import (
    FORMATS,
    PLACES,
    Json,
    are_numbers,
    as_json,
    box_of,
    is_number,
    is_point,
    keypoints_of,
    part,
    polygons_of,
)

AS_THEY_ARE = (
    "area",
    "attributes",
    "difficult",
    "occluded",
    "polyline",
    "rotation",
    "score",
    "truncated",
)
"""Keys of ours that stand in COCO's records under the same name, where COCO has none."""

_OWN = frozenset((
    *AS_THEY_ARE, *FORMATS, "image_id", "category_id", "bbox", "segmentation", "iscrowd",
    "keypoints", "num_keypoints", "caption",
))  # fmt: skip
_SAME = frozenset((*AS_THEY_ARE, *FORMATS)) - {"coco"}


class Category:
    """A class of things, as a COCO file has it; raises `KeyError`, `TypeError`."""

    __slots__ = ("keypoints", "name", "rest")

    def __init__(self, value: Json) -> None:
        if not isinstance(value["name"], str):
            raise TypeError("name")
        self.name: str = value["name"]
        names = value.get("keypoints")
        self.keypoints: Sequence[str] = (
            names if isinstance(names, list) and all(isinstance(n, str) for n in names) else ()
        )
        self.rest = {
            key: each
            for key, each in value.items()
            if key not in ("name", "keypoints") and each not in ("", None)
        }


def has_place(thing: Json) -> bool:
    """Whether this is somewhere in the image, and not a class of the whole."""
    return any(key in thing for key in PLACES)


def thing_of(note: Any, categories: dict[Any, Category]) -> Json:
    """An annotation as an object of ours; raises `BadInput`."""
    if not isinstance(note, dict):
        raise BadInput("annotation", "not an object")
    thing: Json = {}
    category = categories.get(_hashable(note.get("category_id")))
    if category and category.name:
        thing["label"] = category.name
    if "iscrowd" in note:
        thing["crowd"] = bool(note["iscrowd"])
    if note.get("bbox"):
        thing["bbox"] = _box(note["bbox"])
    _add_segmentation(thing, note.get("segmentation"))
    if note.get("keypoints"):
        thing["keypoints"] = _keypoints(note["keypoints"], category)
    for key in note.keys() & _SAME:
        thing[key] = note[key]
    own = part(note, "coco").copy()
    own.update({key: note[key] for key in note.keys() - _OWN})
    if category:
        own["category"] = category.rest
    elif "category_id" in note:
        own["category"] = {"id": note["category_id"]}
    thing["coco"] = own
    return thing


def lacks_category(note: Json, categories: dict[Any, Category]) -> bool:
    """Whether an annotation names a category that there is none of; captions need none."""
    if note.get("category_id") is None or "caption" in note:
        return False
    return _hashable(note["category_id"]) not in categories


def _hashable(value: Any) -> Any:
    return value if type(value) in (int, str) else None


def _box(value: Any) -> list[float]:
    if not (isinstance(value, list) and len(value) == 4 and are_numbers(value)):
        raise BadInput("annotation", "its bbox is not [left, top, width, height]")
    return value


def _add_segmentation(thing: Json, value: Any) -> None:
    if isinstance(value, dict) and {*value} >= {"size", "counts"}:
        thing["mask"] = value
    elif isinstance(value, list):
        if not are_lists(value):
            raise BadInput("annotation", "its segmentation is not lists of numbers")
        thing["polygons"] = value
    elif value is not None:
        raise BadInput("annotation", "its segmentation is neither outlines nor run lengths")


def are_lists(value: Any) -> bool:
    """Whether these are lists of numbers: COCO has outlines of two points, which are kept."""
    return isinstance(value, list) and all(
        isinstance(each, list) and are_numbers(each) for each in value
    )


def _keypoints(flat: Any, category: Category | None) -> list[Json]:
    if not (isinstance(flat, list) and len(flat) % 3 == 0 and are_numbers(flat)):
        raise BadInput("annotation", "its keypoints are not x, y, v, x, y, v …")
    names = category.keypoints if category else ()
    points = []
    for at in range(0, len(flat), 3):
        point: Json = {"x": flat[at], "y": flat[at + 1], "v": flat[at + 2]}
        if at // 3 < len(names):
            point["name"] = names[at // 3]
        points.append(point)
    return points


def caption_of(note: Json) -> Json:
    """A caption's record."""
    own = {k: each for k, each in note.items() if k not in ("caption", "image_id", "category_id")}
    return {"text": note["caption"], "coco": own}


def image_of(value: Any, licenses: dict[Any, Json], into: Json) -> None:
    """Add what an image's record says to an annotation."""
    value = as_json(value)
    size = {key: value[key] for key in ("width", "height") if type(value.get(key)) is int}
    if size:
        into["image"] = size
    own = {key: each for key, each in value.items() if key not in size and key not in FORMATS}
    license = licenses.get(_hashable(own.get("license")))  # noqa: A001  (COCO's word)
    for key in FORMATS:
        if key in value and key != "coco":
            into[key] = value[key]
    into["coco"] = {**part(value, "coco"), "image": own}
    if license:
        into["coco"]["license"] = license


# -- as written ------------------------------------------------------------------------------


def note_of(thing: Json) -> Json:
    """An object of ours, in pixels, as a record without ids and keypoints."""
    own = {key: each for key, each in part(thing, "coco").items() if key not in ("category", "id")}
    note: Json = {**own, **{key: thing[key] for key in (*AS_THEY_ARE, *FORMATS) if key in thing}}
    note.pop("coco", None)
    box, outlines, mask = box_of(thing), polygons_of(thing), part(thing, "mask")
    if mask and not outlines:
        note["segmentation"] = mask
    elif are_lists(thing.get("polygons")):
        note["segmentation"] = thing["polygons"]
    if box:
        note["bbox"] = list(box)
    if box or "segmentation" in note:
        note["iscrowd"] = int(bool(thing.get("crowd")))
        if not is_number(note.get("area")):
            note["area"] = _area(outlines, mask, box)
    return note


def _area(outlines: list[list[float]], mask: Json, box: Sequence[float] | None) -> float:
    if outlines:
        return round(sum(map(_area_inside, outlines)), 4)
    if mask:
        with suppress(BadInput):
            return area_of(mask)
    return round(box[2] * box[3], 4) if box else 0


def _area_inside(points: list[float]) -> float:
    """By the shoelace formula."""
    xs, ys = points[0::2], points[1::2]
    return abs(sum(xs[at - 1] * ys[at] - xs[at] * ys[at - 1] for at in range(len(xs)))) / 2


def flat_keypoints(thing: Json, names: Sequence[str]) -> list[float]:
    """Keypoints in the order of a category's names; (0, 0, 0) for those that are not there."""
    points = keypoints_of(thing)
    if names:
        by_name = {point.get("name"): point for point in points if "name" in point}
        points = [by_name.get(name, {"x": 0, "y": 0, "v": 0}) for name in names]
    return [
        value
        for point in points
        if is_point(point)
        for value in (point["x"], point["y"], seen(point))
    ]


def seen(point: Json) -> int:
    """COCO's visibility: 0 not labelled, 1 hidden, 2 visible; visible where nothing is said."""
    value = point.get("v")
    return value if value in (0, 1, 2) and type(value) is int else 2
