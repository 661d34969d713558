"""The neutral shape of image labels: its keys, and what readers and writers do with it.

Annotations come from anybody, so what is asked for here is never assumed: each function gives
what fits the shape and passes over what does not. The shape: docs/formats/boxes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

PIXEL = "pixel"
RELATIVE = "relative"
"""Values of `unit`: coordinates are pixels, or fractions of width and height."""

FORMATS = ("coco", "cvat", "imagenet", "openimages", "voc", "yolo")
"""Keys that hold what only that format knows."""

LISTS = ("objects", "labels", "captions", "segments")
PLACES = ("bbox", "polygons", "mask", "keypoints", "polyline")
"""Keys that say where in the image an object is."""
PLAIN = ("label", "score", "area", "rotation", "crowd", "occluded", "truncated", "difficult")

Json = dict[str, Any]
Box = tuple[float, float, float, float]
Size = tuple[int, int]
"""Width and height."""


_NUMBERS = frozenset((int, float))


LARGEST = 1e15
"""Above this nothing is a coordinate, and sums and products of such are still finite."""


def is_number(value: Any) -> bool:
    """Whether this is a number (true and false are none) that can be a coordinate."""
    return type(value) in _NUMBERS and -LARGEST < value < LARGEST


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all are; at a tenth of the time."""
    if not _NUMBERS.issuperset(map(type, values)):
        return False
    return not values or (min(values) > -LARGEST and max(values) < LARGEST)


def tidy(value: float, digits: int = 9) -> float:
    """The same number without what adding and subtracting floats left behind it."""
    return round(value, digits) if type(value) is float else value


READ, WRITTEN = 15, 12
"""Digits of fractions: read with more than are written, they come out as they were."""


def number(text: str) -> int | float | None:
    """The number that a text spells, an integer where it is one; None where it is none."""
    text = text.strip()
    try:
        # Python takes 1_000, and many digits take it long; no format has either.
        if len(text) > 400 or "_" in text:
            return None
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def spelt(value: float) -> str:
    """A number as text: the shortest that reads back the same, without an exponent."""
    if type(value) is float and not value.is_integer():
        text = repr(value)
        return text if "e" not in text else f"{value:.12f}".rstrip("0").rstrip(".")
    return str(int(value))


def as_json(annotation: object) -> Json:
    """The annotation where it is an object; else an empty one."""
    return annotation if isinstance(annotation, dict) else {}


def items(annotation: Json, key: str) -> list[Json]:
    """The list under `key`, of the objects in it."""
    value = annotation.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def part(value: Json, key: str) -> Json:
    """The object under `key`; an empty one where there is none."""
    return as_json(value.get(key))


def text_of(value: Json, key: str) -> str:
    """The text under `key`, or an empty one."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def box_of(thing: Json) -> Box | None:
    """Left, top, width and height: the `bbox`, or else that around outlines and mask."""
    box = thing.get("bbox")
    if isinstance(box, list) and is_box(box):
        return box[0], box[1], box[2], box[3]
    return around(polygons_of(thing))


def is_box(value: Any) -> bool:
    """Whether this is a list of four numbers."""
    return isinstance(value, list) and len(value) == 4 and are_numbers(value)


def fits(thing: Json, key: str) -> bool:
    """Whether what stands under a key of the shape is what should stand there."""
    value = thing.get(key)
    if key == "bbox":
        return is_box(value)
    if key == "polygons":
        return bool(polygons_of(thing))
    if key == "keypoints":
        return bool(keypoints_of(thing))
    if key == "polyline":
        return is_flat(value)
    if key == "mask":
        return isinstance(value, dict) and {*value} >= {"size", "counts"}
    if key == "label":
        return isinstance(value, str)
    if key in ("score", "area", "rotation"):
        return is_number(value)
    return isinstance(value, bool)


def polygons_of(thing: Json) -> list[list[float]]:
    """Outlines of at least three points each; none where any of them is not one."""
    found = thing.get("polygons")
    if not isinstance(found, list) or not all(map(_is_outline, found)):
        return []
    return found


def _is_outline(points: object) -> bool:
    return is_flat(points) and len(points) >= 6  # type: ignore[arg-type]


def around(outlines: Iterable[Sequence[float]]) -> Box | None:
    """The box around all points of flat lists x, y, x, y …; None where there are none."""
    flat = [each for each in outlines if each]
    if not flat:
        return None
    xs = [x for each in flat for x in each[0::2]]
    ys = [y for each in flat for y in each[1::2]]
    left, top = min(xs), min(ys)
    return left, top, tidy(max(xs) - left), tidy(max(ys) - top)


def size_of(annotation: Json) -> Size | None:
    """Width and height of the image as the annotation has them."""
    image = part(annotation, "image")
    width, height = image.get("width"), image.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return width, height
    return None


def is_relative(annotation: Json) -> bool:
    return annotation.get("unit") == RELATIVE


Scaling = Callable[[float, float], tuple[float, float]]


def in_unit(annotation: Json, unit: str, size: Size | None) -> Json | None:
    """The same annotation with all coordinates in `unit`; None where that takes a size."""
    if is_relative(annotation) == (unit == RELATIVE) or not _has_coordinates(annotation):
        return annotation
    if size is None:
        return None
    width, height = size
    if unit == RELATIVE:
        x_by, y_by = 1 / width, 1 / height
        scaled = _scaler(lambda x: x / width, lambda y: y / height, x_by * y_by)
    else:
        scaled = _scaler(lambda x: tidy(x * width), lambda y: tidy(y * height), width * height)
    changed = {**annotation, "unit": unit}
    if isinstance(annotation.get("objects"), list):
        changed["objects"] = [
            scaled(each) if isinstance(each, dict) else each for each in annotation["objects"]
        ]
    return changed


def _has_coordinates(annotation: Json) -> bool:
    return bool(annotation.get("objects"))


def _scaler(
    x_of: Callable[[float], float], y_of: Callable[[float], float], area_by: float
) -> Callable[[Json], Json]:
    def flat(points: Sequence[float]) -> list[float]:
        return [(y_of if at % 2 else x_of)(each) for at, each in enumerate(points)]

    def scaled(thing: Json) -> Json:
        changed = dict(thing)
        if is_box(thing.get("bbox")):
            changed["bbox"] = flat(thing["bbox"])
        if polygons_of(thing):
            changed["polygons"] = [flat(each) for each in polygons_of(thing)]
        if is_flat(thing.get("polyline")):
            changed["polyline"] = flat(thing["polyline"])
        if isinstance(thing.get("keypoints"), list):
            changed["keypoints"] = [
                {**each, "x": x_of(each["x"]), "y": y_of(each["y"])} if is_point(each) else each
                for each in thing["keypoints"]
            ]
        if is_number(thing.get("area")):
            changed["area"] = tidy(thing["area"] * area_by)
        return changed

    return scaled


def is_flat(points: object) -> bool:
    """Whether this is a list x, y, x, y … of at least two points."""
    if not isinstance(points, list) or len(points) < 4 or len(points) % 2:
        return False
    return are_numbers(points)


def is_point(value: object) -> bool:
    """Whether this is a keypoint with a place."""
    return isinstance(value, dict) and is_number(value.get("x")) and is_number(value.get("y"))


def keypoints_of(thing: Json) -> list[Json]:
    """The keypoints; none where any of them lacks its place."""
    found = thing.get("keypoints")
    return found if isinstance(found, list) and all(map(is_point, found)) else []


def labels_of(annotation: Json) -> list[Json]:
    """Classes of the whole image, one object each: `labels`, or else the one `label`."""
    found = [each for each in items(annotation, "labels") if text_of(each, "label")]
    label = text_of(annotation, "label")
    if label and not any(each["label"] == label for each in found):
        return [{"label": label}, *found]
    return found
