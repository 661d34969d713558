"""YOLO as it is read: a text file beside each image, or in `labels/` where it is in `images/`.

Ultralytics' layout (data.yaml; boxes, outlines, oriented boxes, keypoints) and darknet's
(obj.data, obj.names). Coordinates are fractions and stay so: no image is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ldb.errors import BadInput, LdbError
from ldb.formats.base import Files, Labelled, Listing, Read, Trouble, Values, why_of
from ldb.formats.boxes.finding import Finder
from ldb.formats.boxes.images import Images, is_image
from ldb.formats.boxes.shape import READ, RELATIVE, Json, around, number, tidy
from ldb.formats.boxes.troubles import Troubles
from ldb.formats.boxes.yolo_names import Names, is_names_file, names_of


class YoloReader:
    """Reads the label files of a location."""

    def __init__(self, params: Values) -> None:
        self._confidence: bool = params.get("confidence", False)

    def files(self, listing: Listing) -> Files:
        images = Images(listing.names)
        texts = [name for name in listing.names if name.lower().endswith(".txt")]
        labels = [name for name in texts if not is_names_file(name) and images.of(name)]
        once = [name for name in listing.names if is_names_file(name)]
        data = [name for name in listing.names if is_image(name)]
        return Files([*once, *labels, *sorted({*texts} - {*labels, *once})], data)

    def needed(
        self, listing: Listing, labels: Sequence[str], changed: Collection[str]
    ) -> list[str]:
        images = Images(listing.names)
        if any(not is_image(each) and not images.of(each) for each in changed):
            return list(labels)  # names of classes, or a list of images
        return [each for each in labels if each in changed or images.of(each) in changed]

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        images = Images(listing.names)
        once = [name for name in listing.names if is_names_file(name)]
        troubles: dict[str, Troubles] = {}
        names = names_of(listing, once, Finder(filter(is_image, listing.names)), troubles)
        for each in troubles.values():
            yield from each.found()
        wanted = [name for name in labels if not is_names_file(name) and images.of(name)]
        for name, data in listing.read_many(wanted):
            yield from self._read_one(name, data, images.of(name), names)

    def _read_one(
        self, name: str, data: bytes | LdbError, image: str, names: Names
    ) -> Iterator[Read]:
        if isinstance(data, LdbError):
            yield Trouble(name, why_of(data))
            return
        troubles = Troubles(name)
        value: Json = {"unit": RELATIVE, "objects": []}
        subset = names.subset(image)
        if subset:
            value["subset"] = subset
        for at, line in enumerate(data.decode(errors="replace").split("\n"), 1):
            fields = line.split()
            if not fields:
                continue
            try:
                value["objects"].append(thing_of(fields, names, self._confidence))
            except BadInput as error:
                troubles.add(f"line {at}", error.why)
        yield from troubles.found()
        yield Labelled(value, name, "", image)


def thing_of(fields: Sequence[str], names: Names, confidence: bool) -> Json:
    """One line's object; raises `BadInput`."""
    numbers = [number(each) for each in fields]
    if None in numbers:
        raise BadInput("line", f"{fields[numbers.index(None)][:40]!r} is not a number")
    kind, *rest = (each for each in numbers if each is not None)
    if kind != int(kind) or kind < 0:
        raise BadInput("line", f"{fields[0][:40]!r} is not the number of a class")
    thing: Json = {"label": names.label(int(kind)), "yolo": {"class": int(kind)}}
    if confidence and len(rest) % 2 == 1:
        thing["score"] = rest.pop()
    _add_place(thing, rest, int(kind), names)
    return thing


def _add_place(thing: Json, rest: list[int | float], kind: int, names: Names) -> None:
    if len(rest) == 4:
        thing["bbox"] = corner(rest)
    elif names.keypoints and len(rest) == 4 + names.keypoints[0] * names.keypoints[1]:
        thing["bbox"] = corner(rest[:4])
        thing["keypoints"] = _points(rest[4:], names.keypoints[1], names.keypoint_names.get(kind))
    elif len(rest) >= 6 and len(rest) % 2 == 0:
        thing["polygons"] = [rest]
        thing["bbox"] = list(around([rest]) or ())
    elif len(rest) == 5:
        raise BadInput("line", "a sixth number: a confidence is read with -p confidence=true")
    else:
        raise BadInput("line", f"{len(rest) + 1} numbers are neither a box nor an outline")


def corner(box: Sequence[float]) -> list[float]:
    """Left, top, width, height of a box that is given by its centre."""
    x, y, width, height = box
    return [tidy(x - width / 2, READ), tidy(y - height / 2, READ), width, height]


def _points(flat: list[int | float], each: int, names: list[str] | None) -> list[Json]:
    points = []
    for at in range(0, len(flat), each):
        point: Json = {"x": flat[at], "y": flat[at + 1]}
        if each == 3:
            point["v"] = flat[at + 2]
        if names and at // each < len(names):
            point["name"] = names[at // each]
        points.append(point)
    return points
