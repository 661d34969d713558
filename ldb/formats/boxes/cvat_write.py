"""CVAT for images 1.1 as it is written: `annotations.xml`, and the images in `images/`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

from ldb.errors import BadInput
from ldb.formats.base import Folder, Item, Losses, Placing, Values
from ldb.formats.boxes.cvat_shapes import CORNERS
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.rle import bitmap_of, rows_of
from ldb.formats.boxes.shape import (
    PIXEL,
    Json,
    around,
    as_json,
    box_of,
    in_unit,
    is_flat,
    is_number,
    items,
    keypoints_of,
    labels_of,
    part,
    polygons_of,
    spelt,
    text_of,
    tidy,
)
from ldb.formats.boxes.sizes import Sizes
from ldb.formats.boxes.subsets import image_folders, subset_name
from ldb.formats.boxes.xmlwrite import Xml

_TOP = ("objects", "labels", "label", "cvat")
_LABEL = frozenset(("label", "occluded", "attributes", "cvat"))
_OBJECT = _LABEL | {"bbox", "rotation"}
_PLAIN = (str, int, float, bool)
_SHAPE_KEYS = frozenset((
    "shape", "label", "occluded", "rotation", "points", "rle", "left", "top", "width", "height",
    "xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry",
))  # fmt: skip
_IMAGE_KEYS = frozenset(("id", "name", "width", "height", "subset"))


class CvatWriter:
    """Writes a CVAT folder."""

    with_data = True

    def __init__(self, params: Values) -> None:
        pass

    def place(self, placing: Placing) -> Sequence[str]:
        return image_folders(placing.annotation)

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        told = Told(losses)
        seen = _Labels()
        for item in items:
            seen.see(as_json(item.annotation))
        sizes = Sizes(folder)
        with folder.create("annotations.xml") as file:
            head = [
                '<?xml version="1.0" encoding="utf-8"?>',
                "<annotations>",
                "  <version>1.1</version>",
            ]
            head += seen.lines(Xml(told, "labels"))
            file.write("\n".join([*head, ""]).encode())
            for number, item in enumerate(items):
                if item.annotated:
                    lines = _image(item, number, told, sizes)
                    file.write("\n".join([*lines, ""]).encode())
            file.write(b"</annotations>\n")
        return losses


class _Labels:
    """Labels with the names of their attributes, which stand before the images."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, None]] = {}

    def see(self, annotation: Json) -> None:
        for thing in (*items(annotation, "objects"), *labels_of(annotation)):
            names = self._found.setdefault(text_of(thing, "label"), {})
            for name in part(thing, "attributes"):
                if len(names) < 1000:
                    names[name] = None

    def lines(self, xml: Xml) -> list[str]:
        labels = []
        for label, names in sorted(self._found.items()):
            attributes = [
                {
                    "name": name,
                    "mutable": "False",
                    "input_type": "text",
                    "default_value": "",
                    "values": "",
                }
                for name in sorted(names)
            ]
            labels.append({"name": label, "attributes": {"attribute": attributes}})
        return xml.element("meta", {"task": {"labels": {"label": labels}}})


def _image(item: Item, number: int, told: Told, sizes: Sizes) -> list[str]:
    annotation = as_json(item.annotation)
    told.top(item.annotation, _TOP, item.path)
    xml = Xml(told, item.path)
    size = sizes.of(item)
    subset = subset_name(annotation)
    if subset != text_of(annotation, "subset"):
        told.add("subsets that are no names", item.path)
    given: Json = {"id": number, "name": "/".join(item.path.split("/")[2 if subset else 1 :])}
    if subset:
        given["subset"] = subset
    if size:
        given.update(width=size[0], height=size[1])
    else:
        told.add("width and height of images, which are not known", item.path)
    own = part(annotation, "cvat")
    given.update({k: v for k, v in own.items() if k not in _IMAGE_KEYS and isinstance(v, _PLAIN)})
    if own.get("outside"):
        told.add("shapes of tracks that are outside of the frame (cvat.outside)", item.path)
    lines = [f"  <image{xml.attributes(given)}>"]
    if not isinstance(annotation.get("objects"), list):
        told.add("no objects: CVAT takes such an image for one without any", item.path)
    scaled = in_unit(annotation, PIXEL, size)
    if scaled is None:
        told.add("objects in fractions of an image whose size is not known", item.path)
    for thing in items(scaled or {}, "objects"):
        lines += _Shape(thing, told, xml, item.path).lines()
    for label in labels_of(annotation):
        told.thing(label, _LABEL, "labels[].", item.path)
        lines += _element("tag", _common(label), label, xml, told, item.path)
    return [*lines, "  </image>"]


def _common(thing: Json) -> Json:
    given: Json = {"label": text_of(thing, "label")}
    own = part(thing, "cvat")
    given.update({k: v for k, v in own.items() if k not in _SHAPE_KEYS and isinstance(v, _PLAIN)})
    return given


def _element(
    tag: str, given: Json, thing: Json, xml: Xml, told: Told, where: str, inside: Sequence[str] = ()
) -> list[str]:
    lines = [f"    <{tag}{xml.attributes(given)}>", *inside]
    for name, value in part(thing, "attributes").items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, _PLAIN):
                told.add("attributes that are not texts or numbers", where)
                continue
            text = escape(xml.text(each))
            lines.append(f"      <attribute{xml.attributes({'name': name})}>{text}</attribute>")
    return [*lines, f"    </{tag}>"]


class _Shape:
    """One object, as the one or several elements that hold most of it."""

    def __init__(self, thing: Json, told: Told, xml: Xml, where: str) -> None:
        self._thing, self._told, self._xml, self._where = thing, told, xml, where
        self._given = _common(thing)
        self._given["occluded"] = int(thing.get("occluded") is True)
        self._kind = text_of(part(thing, "cvat"), "shape")

    def lines(self) -> list[str]:
        thing = self._thing
        if self._kind == "cuboid" and all(is_number(part(thing, "cvat").get(c)) for c in CORNERS):
            return self._made("cuboid", {}, frozenset())
        if polygons_of(thing):
            return self._polygons(polygons_of(thing))
        if part(thing, "mask"):
            return self._mask()
        if is_flat(thing.get("polyline")):
            self._tell_box(around([thing["polyline"]]))
            return self._made("polyline", {"points": _pairs(thing["polyline"])}, {"polyline"})
        if keypoints_of(thing):
            return self._keypoints()
        return self._box()

    def _made(
        self, tag: str, place: Json, held: Iterable[str], inside: Sequence[str] = ()
    ) -> list[str]:
        self._told.thing(self._thing, _OBJECT | {*held}, "objects[].", self._where)
        given = {**self._given, **place}
        rotation = self._thing.get("rotation")
        if is_number(rotation):
            given["rotation"] = rotation
        return _element(tag, given, self._thing, self._xml, self._told, self._where, inside)

    def _tell_box(self, other: Any) -> None:
        """Tell a box that is not the one around the shape, which alone is written."""
        box = self._thing.get("bbox")
        ours = box_of(self._thing)
        if (
            box
            and ours
            and (other is None or max(abs(a - b) for a, b in zip(ours, other, strict=True)) > 1)
        ):
            self._told.add("boxes of objects that have another shape too", self._where)

    def _polygons(self, outlines: list[list[float]]) -> list[str]:
        if len(outlines) > 1:
            self._told.add("that several outlines are one object", self._where)
        self._tell_box(around(outlines))
        made = (self._made("polygon", {"points": _pairs(each)}, {"polygons"}) for each in outlines)
        return [line for lines in made for line in lines]

    def _mask(self) -> list[str]:
        try:
            bitmap = bitmap_of(part(self._thing, "mask"))
        except BadInput:
            self._told.add("masks that are not run lengths", self._where)
            return self._box()
        counts, (left, top, width, height) = rows_of(bitmap)
        if not width:
            self._told.add("masks without a pixel", self._where)
            return self._box()
        self._tell_box((left, top, width, height))
        place: Json = {"rle": ", ".join(map(str, counts)), "left": left, "top": top}
        return self._made("mask", {**place, "width": width, "height": height}, {"mask"})

    def _keypoints(self) -> list[str]:
        points = keypoints_of(self._thing)
        self._tell_box(None)
        if not any(text_of(point, "name") for point in points):
            for point in points:
                self._told.point(point, (), self._where)
            flat = [value for point in points for value in (point["x"], point["y"])]
            return self._made("points", {"points": _pairs(flat)}, {"keypoints"})
        inside = []
        for point in points:
            self._told.point(point, ("v", "name"), self._where)
            given = {
                "label": text_of(point, "name"),
                "outside": int(point.get("v") == 0),
                "occluded": int(point.get("v") == 1),
                "points": _pairs([point["x"], point["y"]]),
            }
            inside.append(f"      <points{self._xml.attributes(given)}/>")
        return self._made("skeleton", {}, {"keypoints"}, inside)

    def _box(self) -> list[str]:
        box = box_of(self._thing)
        if box is None:
            self._told.add("objects without a box", self._where)
            return []
        left, top, width, height = box
        if self._kind == "ellipse":
            place = {
                "cx": left + width / 2,
                "cy": top + height / 2,
                "rx": width / 2,
                "ry": height / 2,
            }
            return self._made("ellipse", _spelt(place), ())
        sides = {"xtl": left, "ytl": top, "xbr": left + width, "ybr": top + height}
        return self._made("box", _spelt(sides), ())


def _spelt(place: dict[str, float]) -> Json:
    return {key: spelt(tidy(value)) for key, value in place.items()}


def _pairs(flat: Sequence[float]) -> str:
    return ";".join(f"{spelt(x)},{spelt(y)}" for x, y in zip(flat[0::2], flat[1::2], strict=False))
