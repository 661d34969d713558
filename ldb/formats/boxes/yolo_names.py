"""What a YOLO folder says of classes, keypoints and subsets: `data.yaml`, or darknet's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ldb.errors import BadInput
from ldb.formats.base import Listing, joined
from ldb.formats.boxes.finding import Finder, is_subset
from ldb.formats.boxes.shape import Json, as_json
from ldb.formats.boxes.troubles import Troubles

NAME_FILES = ("obj.names", "classes.txt", "classes.names", "obj_names.txt")
LIST_KEYS = ("train", "val", "valid", "test")
MOST_TEXT = 1 << 26
"""Bytes of a list of image paths."""
MOST_YAML = 1 << 20
MOST_CLASSES = 100_000


@dataclass(slots=True)
class Names:
    """Classes by number, and the rest of what is said once for all images."""

    classes: dict[int, str] = field(default_factory=dict)
    keypoints: tuple[int, int] | None = None
    """How many, and numbers for each: 2 or 3."""
    keypoint_names: dict[int, list[str]] = field(default_factory=dict)
    subsets: dict[str, str] = field(default_factory=dict)
    """Subset by folder (with a slash at its end) or by image."""

    def label(self, number: int) -> str:
        return self.classes.get(number, str(number))

    def subset(self, image: str) -> str:
        """The subset of an image: by a list, by its folder, else by the name of a folder."""
        if image in self.subsets:
            return self.subsets[image]
        parts = image.split("/")[:-1]
        for at in range(len(parts), 0, -1):
            found = self.subsets.get("/".join(parts[:at]) + "/")
            if found:
                return found
        return next((part for part in reversed(parts) if is_subset(part)), "")


def is_names_file(name: str) -> bool:
    """Whether a file is one of those, by its name."""
    base = name.rpartition("/")[2].lower()
    return base in NAME_FILES or base.endswith((".yaml", ".yml", ".data", ".names"))


def names_of(
    listing: Listing, files: Iterable[str], finder: Finder, troubles: dict[str, Troubles]
) -> Names:
    """Read all of those files; what is wrong with one is in `troubles`."""
    names = Names()
    for name in sorted(files, key=lambda each: (each.count("/"), each)):
        try:
            data = _whole(listing, name, MOST_YAML)
            if name.lower().endswith((".yaml", ".yml")):
                _add_yaml(names, listing, name, data, finder)
            elif name.lower().endswith(".data"):
                _add_darknet(names, listing, name, data, finder)
            elif not names.classes:
                names.classes = dict(enumerate(_lines(data, name)))
        except BadInput as error:
            troubles.setdefault(name, Troubles(name)).add("", error.why)
    return names


def _whole(listing: Listing, name: str, limit: int) -> bytes:
    with listing.open(name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BadInput(name, f"more than {limit} bytes")
    return data


def _lines(data: bytes, where: str) -> list[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(where, "not UTF-8") from None
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _add_yaml(names: Names, listing: Listing, name: str, data: bytes, finder: Finder) -> None:
    value = load_yaml(data, name)
    if "names" not in value and "train" not in value:
        return  # some other tool's
    names.classes = _classes(value.get("names", []), name) or names.classes
    shape = value.get("kpt_shape")
    if shape is not None:
        if not (isinstance(shape, list) and [type(n) for n in shape] == [int, int]
                and 0 < shape[0] <= 10_000 and shape[1] in (2, 3)):  # fmt: skip
            raise BadInput(name, "kpt_shape is not [number of keypoints, 2 or 3]")
        names.keypoints = (shape[0], shape[1])
    points = value.get("kpt_names")
    if isinstance(points, dict):
        names.keypoint_names = {
            at: [str(each) for each in found]
            for at, found in points.items()
            if type(at) is int and isinstance(found, list)
        }
    folder = name.rpartition("/")[0]
    root = value.get("path")
    roots = [folder, f"{folder}/{root}" if isinstance(root, str) else folder]
    for key in LIST_KEYS:
        listed = value.get(key)
        for path in listed if isinstance(listed, list) else [listed]:
            if isinstance(path, str):
                _add_subset(names, listing, key, path, roots, finder)


def _classes(value: Any, where: str) -> dict[int, str]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or len(value) > MOST_CLASSES:
        raise BadInput(where, "names is neither a list of classes nor one by number")
    for number, label in value.items():
        if type(number) is not int or number < 0 or isinstance(label, (list, dict)):
            raise BadInput(where, f"names has no class name under {number!r}"[:200])
    return {number: str(label) for number, label in value.items()}


def _add_subset(
    names: Names, listing: Listing, subset: str, path: str, roots: list[str], finder: Finder
) -> None:
    """Note a folder, or the images of a list, as being of a subset."""
    if path.endswith(".txt"):
        for root in roots:
            name = joined([*root.split("/"), *path.split("/")])
            if name in listing:
                _add_list(names, listing, name, subset, finder)
                return
        return
    for root in roots:
        folder = joined([*root.split("/"), *path.split("/")])
        # Exports say ../train/images where train/images is meant.
        plain = folder or joined([part for part in path.split("/") if part != ".."])
        if plain:
            names.subsets.setdefault(plain + "/", subset)


def _add_list(names: Names, listing: Listing, name: str, subset: str, finder: Finder) -> None:
    folder = name.rpartition("/")[0]
    for path in _lines(_whole(listing, name, MOST_TEXT), name):
        image = finder.find(path, (folder, "")) if path else ""
        if image:
            names.subsets.setdefault(image, subset)


def _add_darknet(names: Names, listing: Listing, name: str, data: bytes, finder: Finder) -> None:
    pairs = (line.partition("=") for line in _lines(data, name))
    given = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    lists = Finder(each for each in listing.names if each.endswith((".txt", ".names")))
    near = (name.rpartition("/")[0], "")
    if given.get("names"):
        found = lists.find(given["names"], near)
        if found:
            names.classes = dict(enumerate(_lines(_whole(listing, found, MOST_YAML), found)))
    for key in LIST_KEYS:
        found = lists.find(given[key], near) if given.get(key) else ""
        if found:
            _add_list(names, listing, found, key, finder)


def load_yaml(data: bytes, where: str) -> Json:
    """A YAML file's mapping; raises `BadInput`.

    Aliases are refused: nothing here needs them, and a few lines of them fill any memory.
    """
    import yaml

    try:
        for event in yaml.parse(data, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise BadInput(where, "bad YAML: an alias (*name), which is not read")
        return as_json(yaml.load(data, yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        why = " ".join(str(error).split())
        raise BadInput(where, f"bad YAML: {why[:300]}") from None
