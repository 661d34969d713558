"""Open Images as it is written: CSV files in `annotations/`, images in `images/<subset>/`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

from ldb.formats.base import Folder, Item, Losses, Placing, Values
from ldb.formats.boxes.finding import stem_of
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.masks import with_boxes
from ldb.formats.boxes.openimages_read import FLAGS, SIDES
from ldb.formats.boxes.shape import (
    RELATIVE,
    WRITTEN,
    Json,
    as_json,
    box_of,
    in_unit,
    is_number,
    items,
    labels_of,
    part,
    spelt,
    text_of,
    tidy,
)
from ldb.formats.boxes.sizes import Sizes
from ldb.formats.boxes.subsets import Subsets, subset_name

DEFAULT = "train"
_TOP = ("objects", "labels", "label", "openimages")
_LABEL = frozenset(("label", "score", "openimages"))
_OBJECT = _LABEL | {"bbox", *FLAGS.values()}
_BOX_COLUMNS = (
    "ImageID",
    "Source",
    "LabelName",
    "Confidence",
    *SIDES,
    *FLAGS,
    "IsDepiction",
    "IsInside",
)
_LABEL_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")
_SEGMENT_OWN = ("MaskPath", "BoxID", "PredictedIoU", "Clicks")
_SEGMENT_COLUMNS = (
    "MaskPath", "ImageID", "LabelName", "BoxID", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax",
    "PredictedIoU", "Clicks",
)  # fmt: skip
_IMAGE_COLUMNS = (
    "ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL",
    "Author", "Title", "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation",
)  # fmt: skip

Rows = Iterator[Sequence[str]]


class OpenImagesWriter:
    """Writes an Open Images folder."""

    with_data = True

    def __init__(self, params: Values) -> None:
        pass

    def place(self, placing: Placing) -> Sequence[str]:
        return ("images", subset_name(placing.annotation) or DEFAULT)

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        plan = _Plan(Told(losses))
        for item in items:
            plan.see(as_json(item.annotation))
        plan.settle()
        sizes = Sizes(folder)
        for subset in plan.subsets.names:
            mine = _Mine(items, subset, plan.subsets)
            kind = "oidv6-train" if subset == "train" else subset
            files = {
                "annotations-bbox": (_BOX_COLUMNS, _boxes(mine, plan, sizes), "objects"),
                "annotations-human-imagelabels": (_LABEL_COLUMNS, _labels(mine, plan), "labels"),
                "annotations-object-segmentation": (
                    _SEGMENT_COLUMNS,
                    _segments(mine, plan),
                    "segments",
                ),
            }
            for name, (columns, rows, needs) in files.items():
                if (subset, needs) in plan.has or needs == "objects":
                    _write(folder, f"annotations/{kind}-{name}.csv", columns, rows)
        _write(
            folder, "annotations/image_ids_and_rotation.csv", _IMAGE_COLUMNS, _images(items, plan)
        )
        names = ((plan.ids[label], label) for label in sorted(plan.ids))
        columns = ("LabelName", "DisplayName")
        _write(folder, "annotations/oidv6-class-descriptions.csv", columns, names)
        return losses


class _Mine:
    """The items of one subset that have an annotation."""

    def __init__(self, items: Iterable[Item], subset: str, subsets: Subsets) -> None:
        self._items, self._subset, self._subsets = items, subset, subsets

    def __iter__(self) -> Iterator[tuple[Item, Json]]:
        for item in self._items:
            if item.annotated and self._subsets.of(item.annotation) == self._subset:
                yield item, as_json(item.annotation)


class _Plan:
    """Names of classes, and which files there are."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.subsets = Subsets(DEFAULT)
        self.has: set[tuple[str, str]] = set()
        """Subset and kind of what there is."""
        self.ids: dict[str, str] = {}
        self._seen: dict[str, set[str]] = {}

    def see(self, annotation: Json) -> None:
        self.subsets.see(annotation)
        subset = self.subsets.of(annotation)
        for key, things in (
            ("objects", items(annotation, "objects")),
            ("labels", labels_of(annotation)),
        ):
            if things:
                self.has.add((subset, key))
            for thing in things:
                own = part(thing, "openimages")
                seen = self._seen.setdefault(text_of(thing, "label"), set())
                if len(seen) < 2:
                    seen.add(text_of(own, "LabelName"))
                if text_of(own, "MaskPath"):
                    self.has.add((subset, "segments"))

    def settle(self) -> None:
        """Each label's id: that of the source where it has one and no other label has it too."""
        known = Counter(next(iter(each)) for each in self._seen.values() if len(each) == 1)
        for label, seen in self._seen.items():
            source = next(iter(seen)) if len(seen) == 1 else ""
            self.ids[label] = source if source and known[source] == 1 else label


def _write(
    folder: Folder, name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    with folder.create(name) as file:
        file.write(_line(columns))
        for row in rows:
            file.write(_line(row))


def _line(row: Sequence[str]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode()


def _boxes(mine: _Mine, plan: _Plan, sizes: Sizes) -> Rows:
    told = plan.told
    for item, annotation in mine:
        told.top(item.annotation, _TOP, item.path)
        if annotation.get("objects") == []:
            told.add("that an image was looked at and has no objects", item.path)
        scaled = in_unit(with_boxes(annotation), RELATIVE, sizes.of(item))
        if scaled is None:
            told.add("objects in pixels of an image whose size is not known", item.path)
            continue
        for thing in items(scaled, "objects"):
            told.thing(thing, _OBJECT, "objects[].", item.path)
            row = _box_row(thing, item, plan)
            if row:
                yield row


def _box_row(thing: Json, item: Item, plan: _Plan) -> Sequence[str]:
    box, own = box_of(thing), part(thing, "openimages")
    if box is None or not text_of(thing, "label"):
        plan.told.add("objects without a box or a label", item.path)
        return ()
    known = {*_BOX_COLUMNS, *_SEGMENT_OWN}
    plan.told.keys(own, known, "objects[].openimages.", item.path)
    flags = [_flag(thing.get(key)) for key in FLAGS.values()]
    more = [_cell(own.get(key, -1)) for key in ("IsDepiction", "IsInside")]
    return [*_start(thing, item, plan), *_sides(box), *flags, *more]


def _sides(box: Sequence[float]) -> list[str]:
    left, top, width, height = box
    return [spelt(tidy(each, WRITTEN)) for each in (left, left + width, top, top + height)]


def _start(thing: Json, item: Item, plan: _Plan) -> list[str]:
    score = thing.get("score")
    source = text_of(part(thing, "openimages"), "Source")
    confidence = spelt(score) if score is not None and is_number(score) else "1"
    return [_image_id(item), source, plan.ids[text_of(thing, "label")], confidence]


def _image_id(item: Item) -> str:
    return stem_of(item.path.rpartition("/")[2])


def _labels(mine: _Mine, plan: _Plan) -> Rows:
    for item, annotation in mine:
        for thing in labels_of(annotation):
            plan.told.thing(thing, _LABEL, "labels[].", item.path)
            own = part(thing, "openimages")
            plan.told.keys(own, _LABEL_COLUMNS, "labels[].openimages.", item.path)
            yield _start(thing, item, plan)


def _segments(mine: _Mine, plan: _Plan) -> Rows:
    for item, annotation in mine:
        for thing in items(annotation, "objects"):
            own, box = part(thing, "openimages"), box_of(thing)
            if text_of(own, "MaskPath") and box and text_of(thing, "label"):
                plan.told.add("files of masks, which are no data objects", item.path)
                end = [_cell(own.get(key, "")) for key in ("PredictedIoU", "Clicks")]
                label = plan.ids[text_of(thing, "label")]
                start = [
                    _cell(own["MaskPath"]),
                    _image_id(item),
                    label,
                    _cell(own.get("BoxID", "")),
                ]
                yield [*start, *_sides(box), *end]


def _images(found: Iterable[Item], plan: _Plan) -> Rows:
    for item in found:
        annotation = as_json(item.annotation)
        own = part(annotation, "openimages")
        plan.told.keys(own, _IMAGE_COLUMNS, "openimages.", item.path)
        subset = plan.subsets.of(annotation)
        if not item.annotated:
            plan.told.add("that an image has no annotation, not one without objects", item.path)
        yield [_image_id(item), subset, *(_cell(own.get(key, "")) for key in _IMAGE_COLUMNS[2:])]


def _flag(value: Any) -> str:
    """1, 0, or -1 for what is not known."""
    return str(int(value)) if isinstance(value, bool) else "-1"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return spelt(value) if is_number(value) else ""
