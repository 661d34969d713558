"""Shapes of CVAT, as they stand in images and in tracks of videos, in the shape of boxes.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from ldb.errors import BadInput
from ldb.formats.boxes.rle import bitmap_of_rows, mask_of
from ldb.formats.boxes.shape import Json, Size, around, number, tidy
from ldb.formats.boxes.xmlread import plain, put

_COMMON = frozenset(("label", "occluded", "rotation"))
_PART = frozenset(("label", "outside", "occluded", "points", "source"))
"""Attributes of a part of a skeleton; its `source` is that of the whole."""


def typed(text: str) -> Any:
    """The number that a text is, where it is spelt as we would; else the text."""
    value = number(text)
    return value if value is not None and str(value) == text else text


def common(element: Element, used: frozenset[str]) -> Json:
    """What all shapes have; `used` are attributes that make its place."""
    thing: Json = {}
    if element.get("label"):
        thing["label"] = element.get("label")
    if element.get("occluded") in ("0", "1"):
        thing["occluded"] = element.get("occluded") == "1"
    rotation = number(element.get("rotation", ""))
    if rotation is not None:
        thing["rotation"] = rotation
    attributes: Json = {}
    for each in element:
        if each.tag == "attribute" and each.get("name") is not None:
            put(attributes, each.get("name", ""), each.text or "")
    if attributes:
        thing["attributes"] = attributes
    rest = {k: typed(v) for k, v in element.attrib.items() if k not in _COMMON and k not in used}
    thing["cvat"] = rest
    return thing


def _numbers(element: Element, *names: str) -> list[float]:
    found = []
    for name in names:
        value = number(element.get(name, ""))
        if value is None:
            raise BadInput(element.tag, f"its {name} is not a number")
        found.append(value)
    return found


def _flat(element: Element) -> list[float]:
    """`points="x,y;x,y"` as x, y, x, y."""
    found: list[float] = []
    for pair in element.get("points", "").split(";"):
        numbers = [number(each) for each in pair.split(",")]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            raise BadInput(element.tag, f"{pair[:40]!r} in its points is not x,y")
        found += [numbers[0], numbers[1]]
    return found


def _box(element: Element, size: Size | None) -> Json:
    left, top, right, bottom = _numbers(element, "xtl", "ytl", "xbr", "ybr")
    thing = common(element, frozenset(("xtl", "ytl", "xbr", "ybr")))
    return {**thing, "bbox": [left, top, tidy(right - left), tidy(bottom - top)]}


def _polygon(element: Element, size: Size | None) -> Json:
    points = _flat(element)
    if len(points) < 6:
        raise BadInput("polygon", "has less than three points")
    return _outlined(element, points, "polygons", [points])


def _polyline(element: Element, size: Size | None) -> Json:
    points = _flat(element)
    return _outlined(element, points, "polyline", points)


def _outlined(element: Element, points: list[float], key: str, value: Any) -> Json:
    thing = common(element, frozenset(("points",)))
    return {**thing, "bbox": list(around([points]) or ()), key: value}


def _points(element: Element, size: Size | None) -> Json:
    flat = _flat(element)
    points = [{"x": x, "y": y} for x, y in zip(flat[0::2], flat[1::2], strict=True)]
    return {**common(element, frozenset(("points",))), "keypoints": points}


def _skeleton(element: Element, size: Size | None) -> Json:
    points: list[Json] = []
    for each in element:
        if each.tag != "points":
            continue
        flat = _flat(each)
        if len(flat) != 2:
            raise BadInput("skeleton", "a part of it is not one point")
        seen = 0 if each.get("outside") == "1" else 1 if each.get("occluded") == "1" else 2
        point: Json = {"x": flat[0], "y": flat[1], "v": seen, "name": each.get("label", "")}
        own: Json = {k: typed(v) for k, v in each.attrib.items() if k not in _PART}
        attributes = [plain(one) for one in each if one.tag == "attribute"]
        if attributes:
            own["attribute"] = attributes
        if own:
            point["cvat"] = own
        points.append(point)
    thing = common(element, frozenset())
    thing["cvat"]["shape"] = "skeleton"
    return {**thing, "keypoints": points}


def _ellipse(element: Element, size: Size | None) -> Json:
    x, y, across, down = _numbers(element, "cx", "cy", "rx", "ry")
    thing = common(element, frozenset(("cx", "cy", "rx", "ry")))
    thing["cvat"]["shape"] = "ellipse"
    box = [tidy(x - across), tidy(y - down), tidy(2 * across), tidy(2 * down)]
    return {**thing, "bbox": box}


CORNERS = tuple(
    f"{axis}{side}{at}" for at in "12" for side in ("tl", "bl", "tr", "br") for axis in "xy"
)
"""Attributes of a cuboid, x and y in turn."""


def _cuboid(element: Element, size: Size | None) -> Json:
    corners = _numbers(element, *CORNERS)
    thing = common(element, frozenset())
    thing["cvat"]["shape"] = "cuboid"
    return {**thing, "bbox": list(around([corners]) or ())}


def _mask(element: Element, size: Size | None) -> Json:
    left, top, width, height = (
        _whole(element, name) for name in ("left", "top", "width", "height")
    )
    counts = [number(each) for each in element.get("rle", "").split(",")]
    if not all(type(each) is int and each >= 0 for each in counts):
        raise BadInput("mask", "its rle is not whole numbers")
    if size is None:
        raise BadInput("mask", "the image has no width and height")
    runs = [int(each) for each in counts if each is not None]
    bitmap = bitmap_of_rows(runs, (left, top, width, height), size)
    thing = common(element, frozenset(("rle", "left", "top", "width", "height")))
    return {**thing, "bbox": [left, top, width, height], "mask": mask_of(bitmap)}


def _whole(element: Element, name: str) -> int:
    value = number(element.get(name, ""))
    if type(value) is not int or value < 0:
        raise BadInput(element.tag, f"its {name} is not a whole number")
    return value


SHAPES: dict[str, Callable[[Element, Size | None], Json]] = {
    "box": _box,
    "polygon": _polygon,
    "polyline": _polyline,
    "points": _points,
    "skeleton": _skeleton,
    "ellipse": _ellipse,
    "cuboid": _cuboid,
    "mask": _mask,
}
