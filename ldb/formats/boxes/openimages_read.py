"""Open Images as it is read: CSV files of boxes, of labels of whole images, and of segments.

Boxes are fractions and stay so. 1, 0 and -1 of a flag become true, false and null (unknown). What
Open Images alone has stands under `openimages`, as texts and numbers of the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from ldb.errors import BadInput
from ldb.formats.base import BaseReader, Files, Labelled, Listing, Read, Trouble, Values
from ldb.formats.boxes.finding import Finder
from ldb.formats.boxes.shape import READ, RELATIVE, Json, number, tidy
from ldb.formats.boxes.tables import Row, Table, rows_in
from ldb.formats.boxes.troubles import Troubles

BOXES = re.compile(r"(?:(?:.*/)?(?:oidv\d+-)?(?P<subset>[^/]*?)-)?annotations-bbox\.csv", re.I)
LABELS = re.compile(
    r"(?:(?:.*/)?(?:oidv\d+-)?(?P<subset>[^/]*?)-)?annotations-(?:human|machine)-imagelabels(?:-boxable)?\.csv",
    re.I,
)
SEGMENTS = re.compile(
    r"(?:(?:.*/)?(?:oidv\d+-)?(?P<subset>[^/]*?)-)?annotations-object-segmentation\.csv", re.I
)
NAMES = re.compile(r"(?:.*/)?[^/]*class-descriptions[^/]*\.csv", re.I)
IMAGES = re.compile(
    r"(?:.*/)?(?:[^/]*image_ids_and_rotation|[^/]*images-with[^/]*rotation)\.csv", re.I
)
FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsGroupOf": "crowd"}
SIDES = ("XMin", "XMax", "YMin", "YMax")
_FLAG = {"1": True, "0": False, "-1": None}


class OpenImagesReader(BaseReader):
    """Reads the CSV files of a location."""

    def __init__(self, params: Values) -> None:
        pass

    def files(self, listing: Listing) -> Files:
        labels = [name for name in listing.names if _is_label_file(name)]
        known = set(labels)
        data = [name for name in listing.names if name not in known and _is_data(name)]
        return Files(labels, data)

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        names: dict[str, str] = {}
        for name in filter(NAMES.fullmatch, labels):
            yield from _add_names(listing, name, names)
        with ExitStack() as stack:
            reading = _Reading(listing, names, stack)
            for name in labels:
                if not NAMES.fullmatch(name):
                    yield from reading.open(name)
            yield from reading.read(Finder(self.files(listing).data or ()))


def _is_label_file(name: str) -> bool:
    return any(each.fullmatch(name) for each in (BOXES, LABELS, SEGMENTS, NAMES, IMAGES))


def _is_data(name: str) -> bool:
    folders = name.split("/")[:-1]
    return "masks" not in folders and not name.lower().endswith((".csv", ".json", ".meta", ".txt"))


def _add_names(listing: Listing, name: str, names: dict[str, str]) -> Iterator[Trouble]:
    """Names of classes: with a header from version 6 on, before that without one."""
    troubles = Troubles(name)
    columns = ("LabelName", "DisplayName")
    try:
        with listing.open(name) as file:
            for _, _, row in rows_in(file, name, troubles, columns):
                if row["LabelName"] != "LabelName":
                    names[row["LabelName"]] = row["DisplayName"]
    except BadInput as error:
        troubles.add("", error.why)
    yield from troubles.found()


class _Reading:
    def __init__(self, listing: Listing, names: dict[str, str], stack: ExitStack) -> None:
        self._listing, self._names, self._stack = listing, names, stack
        self._numbers: dict[str, int] = {}
        """Of images, by their ids."""
        self._tables: list[tuple[str, str, Table]] = []
        """Kind, subset, rows."""

    def open(self, name: str) -> Iterator[Trouble]:
        for kind, pattern in (
            ("box", BOXES),
            ("segment", SEGMENTS),
            ("label", LABELS),
            ("image", IMAGES),
        ):
            found = pattern.fullmatch(name)
            if not found:
                continue
            subset = (found["subset"] or "") if kind != "image" else ""
            try:
                table = Table(self._listing, name, "ImageID", self._numbers, self._stack)
            except BadInput as error:
                yield Trouble(name, error.why)
                return
            self._tables.append((kind, subset, table))
            return

    def read(self, finder: Finder) -> Iterator[Read]:
        self._tables.sort(key=lambda each: ("box", "segment", "label", "image").index(each[0]))
        for key, at in self._numbers.items():
            labelled = self._labelled(key, at, finder)
            for _, _, table in self._tables:
                yield from table.troubles.found(last=False)
            if labelled:
                yield labelled
        for _, _, table in self._tables:
            yield from table.troubles.found()

    def _labelled(self, key: str, at: int, finder: Finder) -> Labelled | None:
        value: Json = {"unit": RELATIVE}
        source = record = ""
        for kind, subset, table in self._tables:
            for line, row in table.rows(at):
                if not source or (kind != "image" and not record):
                    source, record = table.name, f"line {line}"
                if kind != "image" and subset and "subset" not in value:
                    value["subset"] = subset
                try:
                    _PUT[kind](value, row, self._names)
                except BadInput as error:
                    table.troubles.add(f"line {line}", error.why)
        path = finder.stem(key, (), str(value.get("subset", ""))) if key else ""
        return Labelled(value, source, record, path or key) if source and key else None


def _put_box(value: Json, row: Row, names: dict[str, str]) -> None:
    thing = _thing(row, names, {*SIDES, *FLAGS, "Confidence"})
    thing["bbox"] = _box(row, SIDES)
    for column, key in FLAGS.items():
        if row.get(column, "") in _FLAG:
            thing[key] = _FLAG[row[column]]
    _add_score(thing, row)
    value.setdefault("objects", []).append(thing)


def _put_segment(value: Json, row: Row, names: dict[str, str]) -> None:
    columns = tuple("Box" + side for side in SIDES)
    thing = _thing(row, names, {*columns})
    thing["bbox"] = _box(row, columns)
    for known in value.get("objects", ()):  # the box that it belongs to has a row of its own
        if known.get("label") == thing.get("label") and "MaskPath" not in known["openimages"]:
            same = zip(known["bbox"], thing["bbox"], strict=True)
            if max(abs(one - other) for one, other in same) < 1e-4:
                known["openimages"].update(thing["openimages"])
                return
    value.setdefault("objects", []).append(thing)


def _put_label(value: Json, row: Row, names: dict[str, str]) -> None:
    thing = _thing(row, names, {"Confidence"})
    _add_score(thing, row)
    value.setdefault("labels", []).append(thing)


def _put_image(value: Json, row: Row, names: dict[str, str]) -> None:
    kept = {key: _typed(text) for key, text in row.items() if key != "ImageID" and text}
    subset = kept.pop("Subset", "")
    if isinstance(subset, str) and subset:
        value.setdefault("subset", subset)
    value["openimages"] = kept


_PUT = {"box": _put_box, "segment": _put_segment, "label": _put_label, "image": _put_image}


def _thing(row: Row, names: dict[str, str], used: set[str]) -> Json:
    kind = row.get("LabelName", "")
    if not kind:
        raise BadInput("row", "has no LabelName")
    own = {k: _typed(v) for k, v in row.items() if k not in used and k != "ImageID" and v != ""}
    own["LabelName"] = kind
    return {"label": names.get(kind, kind), "openimages": own}


def _typed(text: str) -> Any:
    """The number that a text is, where it is spelt as we would; else the text."""
    value = number(text)
    return value if value is not None and str(value) == text else text


def _box(row: Row, columns: Sequence[str]) -> list[float]:
    sides = [number(row.get(column, "")) for column in columns]
    left, right, top, bottom = sides
    if left is None or right is None or top is None or bottom is None:
        raise BadInput("row", f"{', '.join(columns)} are not all numbers")
    return [left, top, tidy(right - left, READ), tidy(bottom - top, READ)]


def _add_score(thing: Json, row: Row) -> None:
    score = number(row.get("Confidence", ""))
    if score is not None:
        thing["score"] = score
