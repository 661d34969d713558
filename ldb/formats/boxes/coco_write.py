"""COCO as it is written: `annotations/instances_<subset>.json` and the like, `images/<subset>/`.

The first pass over the items finds labels, ids and subsets, the second writes. Ids of the source
are kept where they are unique; where not, all of that kind are numbered anew, and that is told.
"""

from __future__ import annotations

import itertools
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO

import numpy as np

from ldb.errors import BadInput
from ldb.formats.base import Folder, Item, Losses, Placing, Values
from ldb.formats.boxes.coco_panoptic import SEGMENTS, panoptic_note
from ldb.formats.boxes.coco_shape import are_lists, flat_keypoints, note_of
from ldb.formats.boxes.losses import Told, others
from ldb.formats.boxes.masks import with_boxes
from ldb.formats.boxes.shape import (
    FORMATS,
    LISTS,
    PIXEL,
    PLACES,
    PLAIN,
    Json,
    Size,
    as_json,
    in_unit,
    is_relative,
    items,
    keypoints_of,
    labels_of,
    part,
    polygons_of,
    text_of,
)
from ldb.formats.boxes.sizes import Sizes
from ldb.formats.boxes.subsets import Subsets, image_folders
from ldb.formats.jsontext import json_text

KINDS = {
    "objects": "instances", "captions": "captions", "labels": "labels", SEGMENTS: "panoptic"
}  # fmt: skip
"""Lists of ours, and the files that they go into."""

_OBJECT = frozenset((*PLACES, *PLAIN, "attributes", *FORMATS))
_TOP = frozenset((*LISTS, "label", *FORMATS))


IMAGES = "images of "
_LEAST = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "keypoints", "num_keypoints",
          "caption", "file_name", "width", "height")  # fmt: skip
"""Keys whose values are numbers and texts whatever an annotation holds."""


class CocoWriter:
    """Writes the COCO files of a dataset."""

    with_data = True

    def __init__(self, params: Values) -> None:
        pass

    def place(self, placing: Placing) -> Sequence[str]:
        return image_folders(placing.annotation)

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        told = Told(losses)
        plan = _Plan()
        for item in items:
            plan.see(as_json(item.annotation))
        plan.settle(told)
        with ExitStack() as stack:
            parts = _Parts(plan, told, stack, Sizes(folder))
            for item in items:
                parts.add(item)
            parts.write(folder)
        return losses


class _Ids:
    """Ids of one kind: those of the source where they are unique, else 1, 2, 3 …"""

    def __init__(self) -> None:
        self._seen = array("q")
        self._kept = True
        self._next = 0

    def see(self, value: Any) -> None:
        if type(value) is int and 0 <= value < 1 << 62:
            if self._kept:
                self._seen.append(value)
        else:
            self._kept = False

    def settle(self) -> bool:
        """Whether those of the source are kept; called once, when all were seen."""
        column = np.frombuffer(self._seen, np.int64) if self._seen else np.zeros(0, np.int64)
        self._kept = self._kept and len(np.unique(column)) == len(column)
        self._seen = array("q")
        return self._kept

    def of(self, value: Any) -> int:
        if self._kept:
            return int(value)
        self._next += 1
        return self._next


@dataclass(slots=True)
class _Category:
    ids: set[int] = field(default_factory=set)
    keypoints: dict[str, None] = field(default_factory=dict)
    rest: Json = field(default_factory=dict)
    of_segments: Json | None = None
    """The same for segments, which say more of it; None: no segment is of it."""
    only_segments: bool = True
    id: int = 0


class _Plan:
    """What the first pass finds out."""

    def __init__(self) -> None:
        self.subsets = Subsets()
        self.ids: dict[tuple[str, str], _Ids] = {}
        """By subset and kind; kind is empty for images."""
        self.categories: dict[str, _Category] = {}
        self.kept: dict[tuple[str, str], bool] = {}

    def see(self, annotation: Json) -> None:
        self.subsets.see(annotation)
        subset = self.subsets.of(annotation)
        image = part(part(annotation, "coco"), "image")
        self.ids.setdefault((subset, ""), _Ids()).see(image.get("id"))
        for kind, things in lists_of(annotation):
            ids = self.ids.setdefault((subset, kind), _Ids()) if kind != SEGMENTS else None
            for thing in things:
                if ids:
                    ids.see(part(thing, "coco").get("id"))
                if kind != "captions":
                    self._see_category(thing, kind == SEGMENTS)

    def _see_category(self, thing: Json, segment: bool) -> None:
        label, source = text_of(thing, "label"), part(part(thing, "coco"), "category")
        category = self.categories.setdefault(label, _Category())
        if type(source.get("id")) is int and len(category.ids) < 2:
            category.ids.add(source["id"])
        category.only_segments &= segment
        if not (category.of_segments if segment else category.rest):
            rest = {key: each for key, each in source.items() if key not in ("id", "name")}
            try:
                json_text(rest)
            except BadInput:
                rest = {}
            if segment:
                category.of_segments = rest
            else:
                category.rest = rest
        for point in keypoints_of(thing):
            if text_of(point, "name") and len(category.keypoints) < 1000:
                category.keypoints[point["name"]] = None

    def settle(self, told: Told) -> None:
        for (subset, kind), ids in sorted(self.ids.items()):
            self.kept[subset, kind] = ids.settle()
        known = [each.ids for each in self.categories.values() if each.ids]
        taken = set[int]().union(*known)
        if len(taken) != len(known) or any(len(ids) > 1 for ids in known):
            told.add("category ids of the source, which are not one for each label", "")
            taken = set()
        free = (at for at in itertools.count(1) if at not in taken)
        for _, category in sorted(self.categories.items()):
            category.id = next(iter(category.ids)) if taken and category.ids else next(free)

    def written_categories(self, kind: str) -> list[Json]:
        found = sorted(self.categories.items(), key=lambda pair: pair[1].id)
        if kind == SEGMENTS:
            return [
                {"id": each.id, "name": name, "supercategory": "", **each.of_segments}
                for name, each in found
                if each.of_segments is not None
            ]
        return [
            {"id": each.id, "name": name, "supercategory": "", **each.rest}
            | ({"keypoints": [*each.keypoints], "skeleton": each.rest.get("skeleton", [])}
               if each.keypoints else {})
            for name, each in found
            if not each.only_segments
        ]  # fmt: skip


def lists_of(annotation: Json) -> Iterator[tuple[str, list[Json]]]:
    """The lists that COCO has files for, where the annotation has them, empty ones too."""
    if isinstance(annotation.get("objects"), list):
        yield "objects", items(annotation, "objects")
    if isinstance(annotation.get("captions"), list):
        yield "captions", [each for each in items(annotation, "captions") if text_of(each, "text")]
    if isinstance(annotation.get("labels"), list) or text_of(annotation, "label"):
        yield "labels", labels_of(annotation)
    if isinstance(annotation.get(SEGMENTS), list):
        yield SEGMENTS, items(annotation, SEGMENTS)


class _Parts:
    """Records on their way into files: in temporary ones, as images stand before annotations."""

    def __init__(self, plan: _Plan, told: Told, stack: ExitStack, sizes: Sizes) -> None:
        self._plan, self._told, self._stack, self._sizes = plan, told, stack, sizes
        self._spools: dict[tuple[str, str], _Spool] = {}

    def add(self, item: Item) -> None:
        annotation = as_json(item.annotation)
        subset = self._plan.subsets.of(annotation)
        if subset != text_of(annotation, "subset"):
            self._told.add("subsets that are no names, or too many", item.path)
        if item.annotated:
            self._told.top(item.annotation, _TOP, item.path)
        else:
            self._told.add(
                "no annotation: COCO has such an image as one without objects", item.path
            )
        size = self._sizes.of(item)
        scaled = in_unit(with_boxes(annotation), PIXEL, size)
        if scaled is None:
            self._told.add("objects in fractions of an image whose size is not known", item.path)
            scaled = {**annotation, "objects": []}
        lists = dict(lists_of(scaled))
        if lists.get(SEGMENTS) and is_relative(annotation):
            self._told.add("segments in fractions of an image", item.path)
            del lists[SEGMENTS]
        if item.annotated and not lists:
            self._told.add("no objects: COCO has such an image as one without any", item.path)
        number = self._add_image(item, annotation, subset, size, [*lists] or ["objects"])
        for kind, things in lists.items():
            spool = self._spool(subset, kind)
            if kind == SEGMENTS:
                if not things and not part(annotation, "coco").get("panoptic"):
                    continue  # listed among the images, as it was, and no more
                infos = [
                    (part(thing, "coco").get("id"), self._note(kind, thing, item.path))
                    for thing in things
                ]
                made = panoptic_note(annotation, infos, number, self._told, item.path)
                spool.add(made, self._told, item.path)
                continue
            for thing in things:
                note = self._note(kind, thing, item.path)
                own = part(thing, "coco").get("id")
                ids = {"id": self._plan.ids[subset, kind].of(own), "image_id": number}
                spool.add({**note, **ids}, self._told, item.path)

    def _add_image(
        self, item: Item, annotation: Json, subset: str, size: Size | None, kinds: Sequence[str]
    ) -> int:
        """Add the image to the files of these kinds, and to no other: there it would say that it
        was looked at."""
        own = part(part(annotation, "coco"), "image")
        number = self._plan.ids[subset, ""].of(own.get("id"))
        below = item.path.split("/")[2 if subset else 1 :]  # what `place` put in front
        image: Json = {**own, "id": number, "file_name": "/".join(below)}
        if size:
            image["width"], image["height"] = size
        else:
            self._told.add("width and height of images, which are not known", item.path)
        elsewhere = ("image", "panoptic") if SEGMENTS in kinds else ("image",)
        rest = {k: each for k, each in part(annotation, "coco").items() if k not in elsewhere}
        if rest:
            image["coco"] = rest
        image.update({key: annotation[key] for key in others("coco") if key in annotation})
        for kind in kinds:
            self._spool(subset, IMAGES + kind).add(image, self._told, item.path)
        return number

    def _note(self, kind: str, thing: Json, where: str) -> Json:
        if kind == "captions":
            self._told.keys(thing, ("text", "coco"), "captions[].", where)
            own = {k: each for k, each in part(thing, "coco").items() if k != "id"}
            return {**own, "caption": thing["text"]}
        judged = thing
        if are_lists(thing.get("polygons")):
            judged = {key: each for key, each in thing.items() if key != "polygons"}
        self._told.thing(judged, _OBJECT, f"{kind}[].", where)
        if polygons_of(thing) and part(thing, "mask"):
            self._told.add("masks of objects that have outlines too", where)
        note = note_of(thing)
        category = self._plan.categories[text_of(thing, "label")]
        note["category_id"] = category.id
        for point in keypoints_of(thing):
            self._told.point(point, ("v", "name"), where)
        if keypoints_of(thing):
            flat = flat_keypoints(thing, [*category.keypoints])
            note["keypoints"], note["num_keypoints"] = flat, sum(1 for v in flat[2::3] if v)
        return note

    def _spool(self, subset: str, kind: str) -> _Spool:
        known = self._spools.get((subset, kind))
        if known is None:
            spooled = tempfile.SpooledTemporaryFile(1 << 20)  # noqa: SIM115  (the stack closes it)
            known = self._spools[subset, kind] = _Spool(self._stack.enter_context(spooled))
        return known

    def write(self, folder: Folder) -> None:
        for subset in sorted({subset for subset, _ in self._spools}):
            for kind in [each for each in KINDS if (subset, IMAGES + each) in self._spools]:
                name = KINDS[kind] + (f"_{subset}" if subset else "")
                with folder.create(f"annotations/{name}.json") as file:
                    self._write_file(file, subset, kind)

    def _write_file(self, file: BinaryIO, subset: str, kind: str) -> None:
        categories = [] if kind == "captions" else self._plan.written_categories(kind)
        file.write(b'{"info":{},"licenses":[],"categories":')
        file.write(json_text(categories))
        file.write(b',\n"images":[')
        self._spools[subset, IMAGES + kind].copy(file.write)
        file.write(b'],\n"annotations":[')
        if (subset, kind) in self._spools:
            self._spools[subset, kind].copy(file.write)
        file.write(b"]}\n")


class _Spool:
    """Records of one list, with commas between them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._first = True

    def add(self, record: Json, told: Told, where: str) -> None:
        try:
            text = json_text(dict(sorted(record.items())))
        except BadInput:
            told.add("byte strings, which JSON has no place for", where)
            text = json_text({key: record[key] for key in _LEAST if key in record})
        self._file.write(b"\n" if self._first else b",\n")
        self._file.write(text.rstrip(b"\n"))
        self._first = False

    def copy(self, write: Callable[[bytes], object]) -> None:
        self._file.seek(0)
        while data := self._file.read(1 << 20):
            write(data)
