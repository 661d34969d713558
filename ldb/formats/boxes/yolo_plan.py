"""What must be known of all objects before a YOLO label file can be written: numbers of classes,
the order of keypoints, and which kind of line all of them can be."""

from __future__ import annotations

from collections.abc import Sequence

from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.shape import Json, items, keypoints_of, part, polygons_of, text_of
from ldb.formats.boxes.subsets import Subsets

DETECT, SEGMENT, POSE = "detect", "segment", "pose"
MOST_KEPT = 10_000
"""The largest class number that is kept: each number below it is a line of the names."""


class Plan:
    """Filled by `see` for each annotation, then `settle`d once."""

    def __init__(self, names: Sequence[str], task: str) -> None:
        self.task = task
        self.subsets = Subsets("train")
        self.classes: list[str] = []
        """By number."""
        self.number_of: dict[str, int] = {}
        self.points = 0
        """Keypoints of every object."""
        self._fewest = 1 << 30
        """Keypoints that an object has itself, at least."""
        self.point_width = 2
        self.keypoint_names: dict[int, list[str]] = {}
        self._given = list(names)
        self._numbers: dict[str, set[int]] = {}
        self._categories: dict[str, set[int]] = {}
        """Numbers of COCO's categories, whose order is the one in use for YOLO too."""
        self._names: dict[str, dict[str, None]] = {}
        self._objects = self._outlined = self._posed = 0

    def see(self, annotation: Json) -> None:
        self.subsets.see(annotation)
        for thing in items(annotation, "objects"):
            label = text_of(thing, "label")
            if label:
                self._see_thing(thing, label)

    def _see_thing(self, thing: Json, label: str) -> None:
        numbers = self._numbers.setdefault(label, set())
        number = part(thing, "yolo").get("class")
        if len(numbers) < 2:
            numbers.add(number if type(number) is int and number >= 0 else -1)
        category = part(part(thing, "coco"), "category").get("id")
        categories = self._categories.setdefault(label, set())
        if len(categories) < 2:
            categories.add(category if type(category) is int else -1)
        points = keypoints_of(thing)
        self._objects += 1
        self._outlined += bool(polygons_of(thing))
        self._posed += bool(points)
        names = self._names.setdefault(label, {})
        for point in points:
            if text_of(point, "name") and len(names) < 1000:
                names[point["name"]] = None
            if "v" in point:
                self.point_width = 3
        self.points = max(self.points, len(points), len(names))
        self._fewest = min(self._fewest, len(points))

    def settle(self, told: Told) -> None:
        if self.task == "auto":
            self.task = DETECT
            if self._objects and self._posed == self._objects:
                self.task = POSE
            elif self._objects and self._outlined == self._objects:
                self.task = SEGMENT
        self.points = min(self.points, 1000)
        if self._fewest < self.points:
            self.point_width = 3  # without a visibility, 0 0 of one that is filled in is a place
        self._number(told)
        for label, names in self._names.items():
            if names:
                self.keypoint_names[self.number_of[label]] = [*names]

    def _number(self, told: Told) -> None:
        known = {
            label: next(iter(found)) for label, found in self._numbers.items() if len(found) == 1
        }
        source = sorted(known.values())
        fits = (
            len(known) == len(self._numbers)
            and len({*source}) == len(source)
            and (not source or (source[0] >= 0 and source[-1] < MOST_KEPT))
        )
        if self._given:
            more = sorted(label for label in self._numbers if label not in self._given)
            self.classes = [*self._given, *more]
        elif fits and known:
            by_number = {number: label for label, number in known.items()}
            self.classes = [by_number.get(at, f"class {at}") for at in range(source[-1] + 1)]
        else:
            self.classes = self._in_order()
            if any(found != {-1} for found in self._numbers.values()):
                told.add("class numbers of the source, which are not one for each label", "")
        self.number_of = {label: at for at, label in reversed([*enumerate(self.classes)])}

    def _in_order(self) -> list[str]:
        """By category where each label has one of its own, else by name."""
        known = [next(iter(each)) for each in self._categories.values() if len(each) == 1]
        if len({*known} - {-1}) == len(self._categories):
            return sorted(self._categories, key=lambda label: min(self._categories[label]))
        return sorted(self._numbers)

    def ordered(self, thing: Json) -> list[Json]:
        """An object's keypoints in the order of its class, filled up to the number of all."""
        nothing: Json = {"x": 0, "y": 0, "v": 0}
        points = keypoints_of(thing)
        names = self._names.get(text_of(thing, "label"))
        if names:
            by_name = {point.get("name"): point for point in points}
            points = [by_name.get(name, nothing) for name in names]
        return [*points, *[nothing] * self.points][: self.points]
