"""CVAT for images 1.1 as it is read: one XML file with an element for each image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ldb.errors import BadInput
from ldb.formats.base import BaseReader, Files, Labelled, Listing, Read, Trouble, Values
from ldb.formats.boxes.finding import Finder
from ldb.formats.boxes.rle import bitmap_of_rows, mask_of
from ldb.formats.boxes.shape import PIXEL, Json, Size, around, number, size_of, tidy
from ldb.formats.boxes.troubles import Troubles
from ldb.formats.boxes.xmlread import children, plain, put

_COMMON = frozenset(("label", "occluded", "rotation"))


class CvatReader(BaseReader):
    """Reads the XML files of a location."""

    def __init__(self, params: Values) -> None:
        pass

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if name.lower().endswith(".xml")])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        finder = Finder(name for name in listing.names if not name.lower().endswith(".xml"))
        for name in labels:
            try:
                with listing.open(name) as file:
                    for element in children(file, "annotations", name):
                        yield from _read_element(name, element, finder)
            except BadInput as error:
                yield Trouble(name, error.why)


def _read_element(name: str, element: Element, finder: Finder) -> Iterator[Read]:
    if element.tag == "track":
        yield Trouble(name, "tracks of videos are not read", f"track {element.get('id', '')[:40]}")
    if element.tag != "image":
        return
    record = f"image {element.get('id', '')[:40]}"
    file_name = element.get("name", "")
    if not file_name:
        yield Trouble(name, "has no name", record)
        return
    troubles = Troubles(name)
    value = image_of(element, record, troubles)
    yield from troubles.found()
    folder = name.rpartition("/")[0]
    subset = str(value.get("subset", ""))
    below = (f"images/{subset}", "images", "", subset) if subset else ("images", "")
    near = [f"{folder}/{each}".strip("/") for each in below]
    yield Labelled(value, name, record, finder.find(file_name, near, subset) or file_name)


def image_of(element: Element, record: str, troubles: Troubles) -> Json:
    """An `<image>` as an annotation."""
    given = dict(element.attrib)
    value: Json = {"unit": PIXEL, "objects": []}
    width, height = number(given.get("width", "")), number(given.get("height", ""))
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        value["image"] = {"width": width, "height": height}
    if given.get("subset"):
        value["subset"] = given["subset"]
    kept = {k: v for k, v in given.items() if k not in ("width", "height", "subset")}
    value["cvat"] = {key: _typed(each) for key, each in kept.items()}
    for at, each in enumerate(element):
        where = f"{record}, shape {at + 1}"
        try:
            if each.tag == "tag":
                value.setdefault("labels", []).append(_common(each, frozenset()))
            elif each.tag in _SHAPES:
                value["objects"].append(_SHAPES[each.tag](each, size_of(value)))
            else:
                raise BadInput(where, f"<{each.tag[:40]}> is not read")
        except BadInput as error:
            troubles.add(where, error.why)
    return value


def _typed(text: str) -> Any:
    """The number that a text is, where it is spelt as we would; else the text."""
    value = number(text)
    return value if value is not None and str(value) == text else text


def _common(element: Element, used: frozenset[str]) -> Json:
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
    rest = {k: _typed(v) for k, v in element.attrib.items() if k not in _COMMON and k not in used}
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
    thing = _common(element, frozenset(("xtl", "ytl", "xbr", "ybr")))
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
    thing = _common(element, frozenset(("points",)))
    return {**thing, "bbox": list(around([points]) or ()), key: value}


def _points(element: Element, size: Size | None) -> Json:
    flat = _flat(element)
    points = [{"x": x, "y": y} for x, y in zip(flat[0::2], flat[1::2], strict=True)]
    return {**_common(element, frozenset(("points",))), "keypoints": points}


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
        attributes = [plain(one) for one in each if one.tag == "attribute"]
        if attributes:
            point["cvat"] = {"attribute": attributes}
        points.append(point)
    thing = _common(element, frozenset())
    thing["cvat"]["shape"] = "skeleton"
    return {**thing, "keypoints": points}


def _ellipse(element: Element, size: Size | None) -> Json:
    x, y, across, down = _numbers(element, "cx", "cy", "rx", "ry")
    thing = _common(element, frozenset(("cx", "cy", "rx", "ry")))
    thing["cvat"]["shape"] = "ellipse"
    box = [tidy(x - across), tidy(y - down), tidy(2 * across), tidy(2 * down)]
    return {**thing, "bbox": box}


CORNERS = tuple(
    f"{axis}{side}{at}" for at in "12" for side in ("tl", "bl", "tr", "br") for axis in "xy"
)
"""Attributes of a cuboid, x and y in turn."""


def _cuboid(element: Element, size: Size | None) -> Json:
    corners = _numbers(element, *CORNERS)
    thing = _common(element, frozenset())
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
    thing = _common(element, frozenset(("rle", "left", "top", "width", "height")))
    return {**thing, "bbox": [left, top, width, height], "mask": mask_of(bitmap)}


def _whole(element: Element, name: str) -> int:
    value = number(element.get(name, ""))
    if type(value) is not int or value < 0:
        raise BadInput(element.tag, f"its {name} is not a whole number")
    return value


_SHAPES: dict[str, Callable[[Element, Size | None], Json]] = {
    "box": _box,
    "polygon": _polygon,
    "polyline": _polyline,
    "points": _points,
    "skeleton": _skeleton,
    "ellipse": _ellipse,
    "cuboid": _cuboid,
    "mask": _mask,
}
