"""Pascal VOC as it is read: one XML file an image, and lists of the images of each subset.

Coordinates are taken as they are written (params: `first-pixel`). What VOC alone has (pose, parts,
actions, folder, source …) stands under `voc`, as it is in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from io import BytesIO
from xml.etree.ElementTree import Element

from ldb.errors import BadInput, LdbError
from ldb.formats.base import Files, Labelled, Listing, Read, Trouble, Values, why_of
from ldb.formats.boxes.finding import Finder, is_subset, stem_of
from ldb.formats.boxes.shape import PIXEL, Json, number, text_of, tidy
from ldb.formats.boxes.troubles import Troubles
from ldb.formats.boxes.xmlread import children, plain, put

FLAGS = ("truncated", "difficult", "occluded")
_MASKS = ("SegmentationClass", "SegmentationObject")
MOST_LIST = 1 << 26


class VocReader:
    """Reads the label files of a location."""

    def __init__(self, params: Values) -> None:
        self._first = int(params.get("first-pixel", "0"))

    def files(self, listing: Listing) -> Files:
        labels = [name for name in listing.names if name.lower().endswith(".xml")]
        lists = [name for name in listing.names if _list_subset(name) is not None]
        known = {*labels, *lists}
        data = [name for name in listing.names if name not in known and _is_data(name)]
        return Files([*lists, *labels], data)

    def needed(
        self, listing: Listing, labels: Sequence[str], changed: Collection[str]
    ) -> list[str]:
        stems = {stem_of(name.rpartition("/")[2]) for name in changed}
        needed = [name for name in labels if stem_of(name.rpartition("/")[2]) in stems]
        found = {stem_of(name.rpartition("/")[2]) for name in needed}
        # A list, or an image that is not called like its label file.
        other = stems - found or any(_list_subset(name) is not None for name in changed)
        return list(labels) if other else needed

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        finder = Finder(self.files(listing).data or ())
        subsets: dict[str, list[str]] = {}
        for name in (name for name in listing.names if _list_subset(name)):
            try:
                _add_list(listing, name, subsets)
            except LdbError as error:
                yield Trouble(name, why_of(error))
        files = [name for name in labels if name.lower().endswith(".xml")]
        for name, data in listing.read_many(files):
            if isinstance(data, LdbError):
                yield Trouble(name, why_of(data))
            else:
                yield from self._read_one(name, data, finder, subsets)
        yield from self._listed_only(labels, files, finder, subsets)

    def _read_one(
        self, name: str, data: bytes, finder: Finder, subsets: dict[str, list[str]]
    ) -> Iterator[Read]:
        troubles = Troubles(name)
        value: Json = {"unit": PIXEL, "objects": []}
        own: Json = {}
        try:
            for number_, element in enumerate(children(BytesIO(data), "annotation", name)):
                try:
                    _add(element, value, own, self._first)
                except BadInput as error:
                    troubles.add(f"element {number_ + 1} <{element.tag[:40]}>", error.why)
        except BadInput as error:
            yield Trouble(name, error.why)
            return
        stem = stem_of(name.rpartition("/")[2])
        _add_subset(value, own, subsets.get(stem, []))
        value["voc"] = own
        yield from troubles.found()
        file_name = text_of(own, "filename") or stem
        folder = name.rpartition("/")[0]
        above = folder.rpartition("/")[0]
        near = [f"{above}/JPEGImages".strip("/"), folder, above, f"{above}/images".strip("/")]
        path = finder.find(file_name, near) or finder.stem(stem, near) or file_name
        yield Labelled(value, name, "", path)

    def _listed_only(
        self,
        labels: Sequence[str],
        files: Sequence[str],
        finder: Finder,
        subsets: dict[str, list[str]],
    ) -> Iterator[Read]:
        """Images of a list that have no label file: a test set has none."""
        lists = [name for name in labels if _list_subset(name)]
        if not lists:
            return
        labelled = {stem_of(name.rpartition("/")[2]) for name in files}
        for stem, found in subsets.items():
            path = "" if stem in labelled else finder.stem(stem)
            if path:
                value: Json = {}
                own: Json = {}
                _add_subset(value, own, found)
                yield Labelled({**value, "voc": own}, lists[0], stem, path)


def _is_data(name: str) -> bool:
    return not any(part in _MASKS for part in name.split("/")[:-1])


def _list_subset(name: str) -> str | None:
    """The subset that a list is of; empty for lists of one class, None for other files."""
    folders, base = name.split("/")[:-1], name.rpartition("/")[2]
    if "ImageSets" not in folders or not base.lower().endswith(".txt"):
        return None
    stem = stem_of(base)
    return "" if "_" in stem and not is_subset(stem) else stem


def _add_list(listing: Listing, name: str, subsets: dict[str, list[str]]) -> None:
    with listing.open(name) as file:
        text = file.read(MOST_LIST).decode(errors="replace")
    subset = _list_subset(name) or ""
    for line in text.split("\n"):
        stem = line.split()[0] if line.strip() else ""
        if stem:
            known = subsets.setdefault(stem, [])
            if subset not in known:
                known.append(subset)


def _add_subset(value: Json, own: Json, found: Sequence[str]) -> None:
    if not found:
        return
    first = [name for name in ("train", "val", "test") if name in found]
    value["subset"] = first[0] if first else found[0]
    if len(found) > 1:
        own["sets"] = sorted(found)


def _add(element: Element, value: Json, own: Json, first: int) -> None:
    """One element right below the root."""
    if element.tag == "object":
        value["objects"].append(_thing(element, first))
    elif element.tag == "size":
        size = {each.tag: number(each.text or "") for each in element}
        width, height = size.get("width"), size.get("height")
        if type(width) is int and type(height) is int and width > 0 and height > 0:
            value["image"] = {"width": width, "height": height}
        if size.get("depth") is not None:
            own["depth"] = size["depth"]
    else:
        put(own, element.tag, plain(element))


def _thing(element: Element, first: int) -> Json:
    """An `<object>`; raises `BadInput`."""
    thing: Json = {}
    own: Json = {}
    for each in element:
        text = (each.text or "").strip()
        if each.tag == "name" and text and "label" not in thing:
            thing["label"] = text
        elif each.tag in FLAGS and text in ("0", "1"):
            thing[each.tag] = text == "1"
        elif each.tag == "bndbox" and "bbox" not in thing:
            thing["bbox"] = _box(each, first)
        else:
            put(own, each.tag, plain(each))
    if own:
        thing["voc"] = own
    if "bbox" not in thing:
        raise BadInput("object", "has no <bndbox>")
    return thing


def _box(element: Element, first: int) -> list[float]:
    sides = {each.tag: number(each.text or "") for each in element}
    left, top, right, bottom = (sides.get(key) for key in ("xmin", "ymin", "xmax", "ymax"))
    if left is None or top is None or right is None or bottom is None:
        raise BadInput("object", "its <bndbox> lacks xmin, ymin, xmax or ymax")
    if right < left or bottom < top:
        raise BadInput("object", f"its box ends before it begins: {left} {top} {right} {bottom}")
    # Counted from 1, the last pixel belongs to the box.
    return [left - first, top - first, tidy(right - left) + first, tidy(bottom - top) + first]
