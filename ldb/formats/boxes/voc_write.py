"""Pascal VOC as it is written: `Annotations/`, `JPEGImages/` and `ImageSets/Main/`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ldb.formats.base import Folder, Item, Losses, Placing, Values
from ldb.formats.boxes.finding import without_extension
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.masks import with_boxes
from ldb.formats.boxes.shape import (
    PIXEL,
    Json,
    as_json,
    box_of,
    in_unit,
    items,
    part,
    spelt,
    text_of,
    tidy,
)
from ldb.formats.boxes.sizes import Sizes
from ldb.formats.boxes.subsets import Subsets, subset_name
from ldb.formats.boxes.voc_read import FLAGS
from ldb.formats.boxes.xmlwrite import Xml

_TOP = ("objects", "voc")
_OBJECT = frozenset(("label", "bbox", "voc", *FLAGS))


class VocWriter:
    """Writes a VOC folder."""

    with_data = True

    def __init__(self, params: Values) -> None:
        self._first = int(params.get("first-pixel", "0"))

    def place(self, placing: Placing) -> Sequence[str]:
        return ("JPEGImages",)

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        told = Told(losses)
        sizes = Sizes(folder)
        subsets = Subsets()
        for item in items:
            subsets.see(item.annotation)
            self._write_item(item, folder, told, sizes)
        for subset in filter(None, subsets.names):
            with folder.create(f"ImageSets/Main/{subset}.txt") as file:
                for item in items:
                    if subsets.of(item.annotation) == subset:
                        file.write(f"{_stem(item)}\n".encode())
        return losses

    def _write_item(self, item: Item, folder: Folder, told: Told, sizes: Sizes) -> None:
        annotation = as_json(item.annotation)
        if not item.annotated:
            return
        told.top(item.annotation, _TOP, item.path)
        if subset_name(annotation) != text_of(annotation, "subset"):
            told.add("subsets that are no names", item.path)
        if not isinstance(annotation.get("objects"), list):
            return
        size = sizes.of(item)
        scaled = in_unit(with_boxes(annotation), PIXEL, size)
        if scaled is None:
            told.add("objects in fractions of an image whose size is not known", item.path)
            scaled = {**annotation, "objects": []}
        xml = Xml(told, item.path)
        lines = self._head(item, annotation, size, xml)
        for thing in items(scaled, "objects"):
            told.thing(thing, _OBJECT, "objects[].", item.path)
            lines += self._object(thing, xml, told, item.path)
        with folder.create(f"Annotations/{_stem(item)}.xml") as file:
            file.write("\n".join([*lines, "</annotation>", ""]).encode())

    def _head(
        self, item: Item, annotation: Json, size: tuple[int, int] | None, xml: Xml
    ) -> list[str]:
        own = part(annotation, "voc")
        lines = ["<annotation>"]
        lines += xml.element("folder", own.get("folder", "JPEGImages"))
        lines += xml.element("filename", item.path.partition("/")[2])
        if size:
            values: Json = {"width": size[0], "height": size[1]}
            if "depth" in own:
                values["depth"] = own["depth"]
            lines += xml.element("size", values)
        for key, value in own.items():
            if key not in ("folder", "filename", "depth", "sets", "size", "object"):
                lines += xml.element(key, value)
        return lines

    def _object(self, thing: Json, xml: Xml, told: Told, where: str) -> list[str]:
        box = box_of(thing)
        if box is None:
            told.add("objects without a box", where)
            return []
        if not text_of(thing, "label"):
            told.add("objects without a label", where)
        left, top, width, height = box
        first = self._first
        sides = {
            "xmin": left + first,
            "ymin": top + first,
            "xmax": tidy(left + width),
            "ymax": tidy(top + height),
        }
        own = part(thing, "voc")
        given: Json = {"name": text_of(thing, "label")}
        flags = {key: int(thing[key]) for key in FLAGS if isinstance(thing.get(key), bool)}
        rest = {key: each for key, each in own.items() if key not in ("name", "bndbox", *FLAGS)}
        given.update({key: rest.pop(key) for key in ("pose",) if key in rest})
        given.update(flags)
        given["bndbox"] = {key: spelt(tidy(value)) for key, value in sides.items()}
        return xml.element("object", {**given, **rest})


def _stem(item: Item) -> str:
    """The image's name as lists have it, below JPEGImages."""
    return without_extension(item.path.partition("/")[2])
