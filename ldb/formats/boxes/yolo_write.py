"""YOLO as it is written: ultralytics' `images/`, `labels/` and `data.yaml`, or darknet's files.

The first pass over the items finds classes and whether all objects have outlines or keypoints,
the second writes. Numbers of classes are those of the source where they fit together, else by
name in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ldb.errors import BadInput
from ldb.formats.base import Folder, Item, Losses, Placing, Values
from ldb.formats.boxes.finding import without_extension
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.masks import with_boxes
from ldb.formats.boxes.shape import (
    RELATIVE,
    WRITTEN,
    Json,
    as_json,
    box_of,
    in_unit,
    items,
    part,
    polygons_of,
    spelt,
    text_of,
    tidy,
)
from ldb.formats.boxes.sizes import Sizes
from ldb.formats.boxes.subsets import subset_name
from ldb.formats.boxes.yolo_plan import DETECT, POSE, SEGMENT, Plan

_TOP = ("objects",)
_OBJECT = frozenset(("label", "bbox", "yolo"))
_BY_TASK = {
    DETECT: frozenset(()),
    SEGMENT: frozenset(("polygons",)),
    POSE: frozenset(("keypoints",)),
}
DARKNET = "darknet"


class YoloWriter:
    """Writes a YOLO folder."""

    with_data = True

    def __init__(self, params: Values) -> None:
        self._darknet = params.get("layout") == DARKNET
        self._task: str = params.get("task", "auto")
        self._names = [name.strip() for name in params.get("names", "").split(",") if name.strip()]
        if self._darknet and self._task in (SEGMENT, POSE):
            raise BadInput("-p task", f"darknet's files hold boxes only, not {self._task}")

    def place(self, placing: Placing) -> Sequence[str]:
        subset = subset_name(placing.annotation) or "train"
        return (f"obj_{subset}_data",) if self._darknet else ("images", subset)

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        told = Told(losses)
        plan = Plan(self._names, DETECT if self._darknet else self._task)
        for item in items:
            plan.see(as_json(item.annotation))
        plan.settle(told)
        lines = _Lines(plan, told, Sizes(folder))
        for item in items:
            self._write_item(item, lines, folder, told)
        self._write_names(plan, items, folder)
        return losses

    def _write_item(self, item: Item, lines: _Lines, folder: Folder, told: Told) -> None:
        if not item.annotated:
            told.add("no annotation: YOLO takes such an image for one without objects", item.path)
            return
        written = lines.of(item)
        if written is None:
            return
        name = without_extension(item.path) + ".txt"
        if not self._darknet:
            name = "labels" + name.removeprefix("images")
        with folder.create(name) as file:
            file.write("".join(f"{line}\n" for line in written).encode())

    def _write_names(self, plan: Plan, items: Iterable[Item], folder: Folder) -> None:
        subsets = plan.subsets.names
        if self._darknet:
            self._write_darknet(plan, subsets, items, folder)
            return
        import yaml

        value: Json = {name: f"images/{name}" for name in _ordered(subsets)}
        value["names"] = dict(enumerate(plan.classes))
        if plan.task == POSE:
            value["kpt_shape"] = [plan.points, plan.point_width]
            if plan.keypoint_names:
                value["kpt_names"] = plan.keypoint_names
        text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
        with folder.create("data.yaml") as file:
            file.write(text.encode())

    def _write_darknet(
        self, plan: Plan, subsets: Sequence[str], items: Iterable[Item], folder: Folder
    ) -> None:
        lists = {"train": "train", "valid": "valid" if "valid" in subsets else "val"}
        data = [f"classes = {len(plan.classes)}"]
        data += [f"{key} = data/{each}.txt" for key, each in lists.items() if each in subsets]
        data += ["names = data/obj.names", "backup = backup/"]
        with folder.create("obj.data") as file:
            file.write("".join(f"{line}\n" for line in data).encode())
        with folder.create("obj.names") as file:
            file.write("".join(f"{' '.join(each.split())}\n" for each in plan.classes).encode())
        for subset in subsets:
            with folder.create(f"{subset}.txt") as file:
                for item in items:
                    if plan.subsets.of(item.annotation) == subset:
                        file.write(f"data/{item.path}\n".encode())


def _ordered(subsets: Sequence[str]) -> list[str]:
    first = [name for name in ("train", "val", "test") if name in subsets]
    return first + [name for name in subsets if name not in first]


class _Lines:
    """Makes the lines of one image's file."""

    def __init__(self, plan: Plan, told: Told, sizes: Sizes) -> None:
        self._plan, self._told, self._sizes = plan, told, sizes
        self._held = _OBJECT | _BY_TASK[plan.task]

    def of(self, item: Item) -> list[str] | None:
        annotation = as_json(item.annotation)
        self._told.top(item.annotation, _TOP, item.path)
        if not isinstance(annotation.get("objects"), list):
            self._told.add("no objects: YOLO takes such an image for one without any", item.path)
            return None
        scaled = in_unit(with_boxes(annotation), RELATIVE, self._sizes.of(item))
        if scaled is None:
            self._told.add("objects in pixels of an image whose size is not known", item.path)
            return None
        found = (self._line(each, item.path) for each in items(scaled, "objects"))
        return [line for line in found if line]

    def _line(self, thing: Json, where: str) -> str:
        self._told.thing(thing, self._held, "objects[].", where)
        self._told.keys(part(thing, "yolo"), ("class",), "objects[].yolo.", where)
        label = text_of(thing, "label")
        if not label:
            self._told.add("objects without a label", where)
            return ""
        numbers = self._numbers(thing, where)
        if not numbers:
            self._told.add("objects without a box", where)
            return ""
        return " ".join([str(self._plan.number_of[label]), *map(spelt, numbers)])

    def _numbers(self, thing: Json, where: str) -> list[float]:
        if self._plan.task == SEGMENT and polygons_of(thing):
            return self._inside(self._outline(polygons_of(thing), where), where)
        box = box_of(thing)
        if box is None:
            return []
        left, top, width, height = box
        centre = _tidy([left + width / 2, top + height / 2, width, height])
        if not all(0 <= each <= 1 for each in centre):
            sides = [left, top, left + width, top + height]
            left, top, right, bottom = self._inside(sides, where)
            sides = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            centre = _tidy(sides)
        return [*centre, *self._points(thing, where)]

    def _outline(self, outlines: list[list[float]], where: str) -> list[float]:
        """One outline for all: from the first point over to each of the others and back."""
        if len(outlines) == 1:
            return outlines[0]
        self._told.add("outlines of objects with several, joined into one by lines between", where)
        first, *others = outlines
        joined = [*first, *first[:2]]
        for each in others:
            joined += [*each, *each[:2], *first[:2]]
        return joined

    def _inside(self, numbers: list[float], where: str) -> list[float]:
        if all(0 <= each <= 1 for each in numbers):
            return _tidy(numbers)
        self._told.add("parts of objects outside of their image", where)
        return _tidy([min(max(each, 0), 1) for each in numbers])

    def _points(self, thing: Json, where: str) -> list[float]:
        if self._plan.task != POSE:
            return []
        points: list[float] = []
        for point in self._plan.ordered(thing):
            self._told.point(point, ("v", "name"), where)
            points += _tidy([point["x"], point["y"]])
            if self._plan.point_width == 3:
                seen: Any = point.get("v", 2)
                points.append(seen if type(seen) in (int, float) else 2)
        return points


def _tidy(numbers: Sequence[float]) -> list[float]:
    return [tidy(each, WRITTEN) for each in numbers]
