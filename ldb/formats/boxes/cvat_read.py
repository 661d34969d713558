"""CVAT 1.1 as it is read: one XML file with an element for each image, or each track of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from ldb.errors import BadInput
from ldb.formats.base import BaseReader, Files, Labelled, Listing, Read, Trouble, Values
from ldb.formats.boxes.cvat_shapes import SHAPES, common, typed
from ldb.formats.boxes.cvat_tracks import Tracks, folders_near
from ldb.formats.boxes.finding import Finder
from ldb.formats.boxes.shape import PIXEL, Json, number, size_of
from ldb.formats.boxes.troubles import Troubles
from ldb.formats.boxes.xmlread import children


class CvatReader(BaseReader):
    """Reads the XML files of a location."""

    def __init__(self, params: Values) -> None:
        pass

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if name.lower().endswith(".xml")])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        finder = Finder(name for name in listing.names if not name.lower().endswith(".xml"))
        for name in labels:
            tracks = Tracks(name)
            try:
                with listing.open(name) as file:
                    for element in children(file, "annotations", name):
                        if element.tag == "image":
                            yield from _read_image(name, element, finder)
                        else:
                            tracks.take(element)
            except BadInput as error:
                yield Trouble(name, error.why)
            yield from tracks.read(finder)


def _read_image(name: str, element: Element, finder: Finder) -> Iterator[Read]:
    record = f"image {element.get('id', '')[:40]}"
    file_name = element.get("name", "")
    if not file_name:
        yield Trouble(name, "has no name", record)
        return
    troubles = Troubles(name)
    value = image_of(element, record, troubles)
    yield from troubles.found()
    subset = str(value.get("subset", ""))
    near = folders_near(name, subset)
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
    value["cvat"] = {key: typed(each) for key, each in kept.items()}
    for at, each in enumerate(element):
        where = f"{record}, shape {at + 1}"
        try:
            if each.tag == "tag":
                value.setdefault("labels", []).append(common(each, frozenset()))
            elif each.tag in SHAPES:
                value["objects"].append(SHAPES[each.tag](each, size_of(value)))
            else:
                raise BadInput(where, f"<{each.tag[:40]}> is not read")
        except BadInput as error:
            troubles.add(where, error.why)
    return value
