"""COCO as it is read: the JSON files of one subset together, one annotation an image.

Objects, keypoints and captions of an image stand in files of their own and are joined by the
image's file name. A file is never parsed whole: its values stay text until their image's turn.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ldb.backends.base import Buffer
from ldb.errors import BadInput, LdbError
from ldb.formats.base import BaseReader, Files, Labelled, Listing, Read, Values
from ldb.formats.boxes.coco_panoptic import INFO, SEGMENTS, add_segments
from ldb.formats.boxes.coco_shape import (
    Category,
    caption_of,
    has_place,
    image_of,
    lacks_category,
    thing_of,
)
from ldb.formats.boxes.finding import Finder
from ldb.formats.boxes.shape import PIXEL, Json, as_json
from ldb.formats.boxes.troubles import Troubles
from ldb.objects.codec import json_fields, json_items, json_members, parse_json

KINDS = "instances|person_keypoints|captions|labels|stuff|image_info|panoptic"
_NAMED = re.compile(rf"(?:.*/)?(?:{KINDS})_(?P<subset>[^/]+)\.json", re.IGNORECASE)
_PANOPTIC = re.compile(r"(?:.*/)?panoptic_[^/]*\.json", re.IGNORECASE)
_ROBOFLOW = re.compile(r"(?:(?:.*/)?(?P<subset>[^/]+)/)?_annotations\.coco\.json", re.IGNORECASE)


def subset_of(name: str) -> str:
    """The subset that a label file's name tells; empty where it tells none."""
    found = _NAMED.fullmatch(name) or _ROBOFLOW.fullmatch(name)
    return (found["subset"] or "") if found else ""


class CocoReader(BaseReader):
    """Reads the COCO files of a location."""

    def __init__(self, params: Values) -> None:
        self._pattern: str = params.get("labels", "")

    def files(self, listing: Listing) -> Files:
        texts = [name for name in listing.names if name.lower().endswith(".json")]
        if self._pattern:
            labels = [name for name in texts if fnmatchcase(name, self._pattern)]
        else:
            labels = _usual(texts)
        known = set(labels)
        aside = {name for name in texts if name not in known and _is_aside(name)}
        data = [name for name in listing.names if name not in known and name not in aside]
        return Files(labels, [name for name in data if not _is_panoptic_mask(name)])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        finder = Finder(self.files(listing).data or ())
        together: dict[tuple[str, str], list[str]] = {}
        for name in labels:
            together.setdefault((name.rpartition("/")[0], subset_of(name)), []).append(name)
        for (folder, subset), names in together.items():
            yield from _Subset(listing, folder, subset, finder).read(sorted(names, key=_order))


def _usual(texts: list[str]) -> list[str]:
    """Those in a folder `annotations` or with a COCO name; where there is none, all."""
    named = [name for name in texts if _NAMED.fullmatch(name) or _ROBOFLOW.fullmatch(name)]
    inside = [name for name in texts if "annotations" in name.lower().split("/")[:-1]]
    found = {*named, *inside}
    return [name for name in texts if name in found] if found else texts


def _is_aside(name: str) -> bool:
    return bool(_PANOPTIC.fullmatch(name))


def _is_panoptic_mask(name: str) -> bool:
    return any(part.lower().startswith("panoptic_") for part in name.split("/")[:-1])


def _order(name: str) -> tuple[int, str]:
    """Instances first: the others add to their objects."""
    base = name.rpartition("/")[2].lower()
    kinds = KINDS.split("|")
    return next((at for at, kind in enumerate(kinds) if base.startswith(kind)), -1), name


class _ImageKeys(TypedDict):
    id: int | str
    file_name: str


class _ImageOf(TypedDict):
    image_id: int | str


@dataclass(slots=True)
class _File:
    """One label file, split into texts."""

    name: str
    annotations: list[Buffer]
    categories: dict[Any, Category]
    licenses: dict[Any, Json]
    says: str
    """What its annotations are, by the first: a key of ours, or nothing."""
    order: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Positions of annotations, by image."""
    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    """Where each image's begin among them."""


@dataclass(slots=True)
class _Image:
    """An image of the subset: in which files it is, there at which number, and its text."""

    seen: list[tuple[int, int]]
    value: Buffer


class _Subset:
    def __init__(self, listing: Listing, folder: str, subset: str, finder: Finder) -> None:
        self._listing, self._finder = listing, finder
        self._subset = subset
        above = folder.rpartition("/")[0] if "/" in folder else ""
        roots = dict.fromkeys((folder, above, ""))
        deep = ("images/" + subset, subset, "images", "data", "")
        self._near = [f"{root}/{each}".strip("/") for root in roots for each in deep]
        self._files: list[_File] = []
        self._images: dict[str, _Image] = {}

    def read(self, names: Sequence[str]) -> Iterator[Read]:
        for name in names:
            troubles = Troubles(name)
            try:
                with self._listing.open(name) as file:
                    raw = file.read()
                self._add(name, raw, troubles)
            except BadInput as error:
                troubles.add("", error.why)
            yield from troubles.found()
        if not self._files:
            return
        troubles = Troubles(self._files[0].name)
        for file_name, image in self._images.items():
            yield self._labelled(file_name, image, troubles)
            yield from troubles.found(last=False)
        yield from troubles.found()

    def _add(self, name: str, raw: bytes, troubles: Troubles) -> None:
        members = json_members(raw, name)
        if "images" not in members:
            raise BadInput(name, "has no list `images`: not COCO")
        images = json_items(members["images"], f"{name}: images")
        annotations = json_items(members.get("annotations", b"[]"), f"{name}: annotations")
        categories = _categories(members, troubles)
        file = _File(name, annotations, categories, _licenses(members), _says(annotations))
        ids = self._add_images(file, images, troubles)
        _group(file, ids, len(images), troubles)
        self._files.append(file)

    def _add_images(
        self, file: _File, images: list[Buffer], troubles: Troubles
    ) -> dict[int | str, int]:
        """Note the images of a file; their numbers by id."""
        number = len(self._files)
        ids: dict[int | str, int] = {}
        for at, raw in enumerate(images):
            try:
                image = json_fields(raw, _ImageKeys, "image")
            except BadInput as error:
                troubles.add(f"images[{at}]", f"no `id` and `file_name`: {error.why}")
                continue
            key, file_name = image["id"], image["file_name"]
            if key in ids:
                troubles.add(f"images[{at}]", f"the id {key!r} is another image's too")
                continue
            ids[key] = at
            known = self._images.setdefault(file_name, _Image([], raw))
            known.seen.append((number, at))
        return ids

    def _labelled(self, file_name: str, image: _Image, troubles: Troubles) -> Labelled:
        value: Json = {"unit": PIXEL}
        if self._subset:
            value["subset"] = self._subset
        file = self._files[image.seen[0][0]]
        image_of(parse_json(image.value, file.name), file.licenses, value)
        for number, at in image.seen:
            self._add_notes(self._files[number], at, value, troubles)
        path = self._finder.find(file_name, self._near, self._subset) or file_name
        return Labelled(value, file.name, f"images[{image.seen[0][1]}]", path)

    def _add_notes(self, file: _File, image: int, value: Json, troubles: Troubles) -> None:
        start, stop = int(file.starts[image]), int(file.starts[image + 1])
        if file.says:  # an empty list: this image was looked at, and has nothing
            value.setdefault(file.says, [])
        by_id = {_id(each): each for each in value.get("objects", ())}
        by_id.pop(None, None)
        for at in file.order[start:stop].tolist():
            record = f"annotations[{at}]"
            try:
                note = parse_json(file.annotations[at], record)
                if isinstance(note, dict) and INFO in note:
                    tell = partial(troubles.add, source=file.name)
                    add_segments(note, file.categories, value, record, tell)
                    continue
                _put(note, file.categories, value, by_id)
                if lacks_category(note, file.categories):
                    key = str(note["category_id"])[:40]
                    why = f"there is no category with the id {key}; the object has no label"
                    troubles.add(record, why, file.name)
            except BadInput as error:
                troubles.add(record, error.why, file.name)


def _put(note: Json, categories: dict[Any, Category], value: Json, by_id: dict[Any, Json]) -> None:
    if isinstance(note.get("caption"), str):
        value.setdefault("captions", []).append(caption_of(note))
        return
    thing = thing_of(note, categories)
    if not has_place(thing):
        value.setdefault("labels", []).append(thing)
        return
    same = by_id.get(_id(thing))
    # person_keypoints repeats objects of instances, under the same id.
    if (
        same
        and "label" in thing
        and same.get("label") == thing["label"]
        and same.get("bbox") == thing.get("bbox")
    ):
        categories = {**thing["coco"]["category"], **same["coco"]["category"]}
        same["coco"] = {**thing["coco"], **same["coco"], "category": categories}
        for key, content in thing.items():
            same.setdefault(key, content)
        return
    value.setdefault("objects", []).append(thing)


def _says(annotations: list[Buffer]) -> str:
    try:
        first = as_json(parse_json(annotations[0], "annotation"))
    except (BadInput, IndexError):
        return ""
    if "caption" in first:
        return "captions"
    if INFO in first:
        return SEGMENTS
    return "objects" if "bbox" in first or "segmentation" in first else "labels"


def _id(thing: Json) -> Any:
    found = thing.get("coco", {}).get("id")
    return found if type(found) in (int, str) else None


def _categories(members: dict[str, Buffer], troubles: Troubles) -> dict[Any, Category]:
    found: dict[Any, Category] = {}
    for at, raw in enumerate(json_items(members.get("categories", b"[]"), "categories")):
        try:
            value = parse_json(raw, "category")
            found[_key(value["id"])] = Category(value)
        except BadInput as error:
            troubles.add(f"categories[{at}]", error.why)
        except (KeyError, TypeError):
            troubles.add(f"categories[{at}]", "lacks `id` or `name`")
    return found


def _key(value: Any) -> Any:
    if type(value) not in (int, str):
        raise TypeError
    return value


def _licenses(members: dict[str, Buffer]) -> dict[Any, Json]:
    try:
        found = parse_json(members.get("licenses", b"[]"), "licenses")
        return {each["id"]: each for each in found if each.get("name") or each.get("url")}
    except (LdbError, KeyError, TypeError, AttributeError):
        return {}  # nothing that labels depend on


def _group(file: _File, ids: dict[int | str, int], images: int, troubles: Troubles) -> None:
    """Put the annotations in the order of their images."""
    numbers = array("q")
    for at, raw in enumerate(file.annotations):
        numbers.append(_image_number(raw, at, ids, troubles))
    column = np.frombuffer(numbers, np.int64) if numbers else np.zeros(0, np.int64)
    order = np.argsort(column, kind="stable")
    file.order = order
    file.starts = np.searchsorted(column[order], np.arange(images + 1)).astype(np.int64)


def _image_number(raw: Buffer, at: int, ids: dict[int | str, int], troubles: Troubles) -> int:
    record = f"annotations[{at}]"
    try:
        key = json_fields(raw, _ImageOf, record)["image_id"]
    except BadInput as error:
        troubles.add(record, f"no `image_id`: {error.why}")
        return -1
    number = ids.get(key, -1)
    if number < 0:
        troubles.add(record, f"there is no image with the id {key!r}")
    return number
