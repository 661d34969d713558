"""ImageNet: the folder is the label, and `train/` or `val/` may stand above it.

The label is the first folder below the subset, however deep the image lies: so it is read by the
loaders of image folders that are in use. Names of synsets come from `LOC_synset_mapping.txt`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from ldb.errors import LdbError
from ldb.formats.base import (
    BaseReader,
    Files,
    Folder,
    Item,
    Labelled,
    Listing,
    Losses,
    Peek,
    Placing,
    Read,
    Trouble,
    Values,
    why_of,
)
from ldb.formats.boxes.finding import is_subset
from ldb.formats.boxes.images import is_image
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.shape import Json, as_json, labels_of, part, text_of
from ldb.formats.boxes.subsets import subset_name

MAPPING = "LOC_synset_mapping.txt"
_PLAIN = re.compile(
    r"[^\x00-\x1f<>:\"/\\|?*. ](?:[^\x00-\x1f<>:\"/\\|?*]{0,58}[^\x00-\x1f<>:\"/\\|?*. ])?"
)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com.|lpt.|conin\$|conout\$) *(?:\.|$)", re.I)
_OTHER = re.compile(r"[^A-Za-z0-9_]+")
_SYNSET = re.compile(r"n\d{8}")
_HELD = ("label", "labels", "imagenet")


def reader(params: Values) -> ImagenetReader:
    return ImagenetReader()


def writer(params: Values) -> ImagenetWriter:
    return ImagenetWriter()


def recognise(peek: Peek) -> str:
    """Folders that are called like the synsets of WordNet."""
    for name in peek.names:
        folders = name.split("/")[:-1]
        synset = next((each for each in folders[:3] if _SYNSET.fullmatch(each)), "")
        if synset and is_image(name):
            return f"images in folders that are synsets: {synset}"
    return ""


class ImagenetReader(BaseReader):
    """Reads labels from names alone."""

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if name.rpartition("/")[2] == MAPPING])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        names: dict[str, str] = {}
        known = [name for name in listing.names if name.rpartition("/")[2] == MAPPING]
        for name, data in listing.read_many(known):
            if isinstance(data, LdbError):
                yield Trouble(name, why_of(data))
                continue
            for line in data.decode(errors="replace").splitlines():
                synset, _, words = line.strip().partition(" ")
                names[synset] = words
        subsets = has_subsets(listing.names)
        for name in listing.names:
            value = label_in(name, names, subsets)
            if value and name not in known:
                yield Labelled(value, "", "", name)


def has_subsets(names: Sequence[str]) -> bool:
    """Whether all outermost folders are subsets; one class may well be called `train`."""
    outermost = {name.partition("/")[0] for name in names if "/" in name}
    return bool(outermost) and all(map(is_subset, outermost))


def label_in(name: str, names: dict[str, str], subsets: bool) -> Json:
    """The annotation that a path makes; empty where it lies in no folder of a class."""
    folders = name.split("/")[:-1]
    value: Json = {}
    if folders and subsets:
        value["subset"] = folders.pop(0)
    if not folders:
        return {}
    value["label"] = folders[0]
    if folders[0] in names:
        value["imagenet"] = {"name": names[folders[0]]}
    return value


class ImagenetWriter:
    """Puts each image into the folder of its label; there are no label files."""

    with_data = True

    def place(self, placing: Placing) -> Sequence[str]:
        annotation = as_json(placing.annotation)
        label = _label(annotation)
        subset = _subset(annotation)
        folders = (subset,) if subset else ()
        return (*folders, _folder(label)) if label else ()

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        told = Told(losses)
        subsets = {bool(_subset(as_json(item.annotation))) for item in items}
        for item in items:
            annotation = as_json(item.annotation)
            told.top(item.annotation, _HELD, item.path)
            _tell_labels(annotation, item, told)
            if len(subsets) > 1 and _subset(annotation):
                told.add("which folders are subsets, as some images are in none", item.path)
        return losses


def _tell_labels(annotation: Json, item: Item, told: Told) -> None:
    label, subset = _label(annotation), text_of(annotation, "subset")
    if item.annotated and not label:
        told.add("annotations without one label", item.path)
    if label and _folder(label) != label:
        told.add("labels that are no names of folders, which got others", item.path)
    if subset and not is_subset(subset):
        told.add("subsets other than train, val and the like", item.path)
    for each in labels_of(annotation):
        if each["label"] != label:
            told.add("labels after the first", item.path)
        told.thing(each, ("label", "imagenet"), "labels[].", item.path)
    own = part(annotation, "imagenet")
    told.keys(own, (), "imagenet.", item.path)


def _subset(annotation: Json) -> str:
    subset = subset_name(annotation)
    return subset if is_subset(subset) else ""


def _label(annotation: Json) -> str:
    """The class of the image: its `label`, or the only one of `labels`."""
    found = labels_of(annotation)
    return text_of(annotation, "label") or (found[0]["label"] if len(found) == 1 else "")


def _folder(label: str) -> str:
    """A folder for each label: one whose name would be changed gets a mark of its own."""
    if _PLAIN.fullmatch(label) and label.isprintable() and not _DEVICE.match(label):
        return label
    mark = hashlib.sha256(label.encode(errors="replace")).hexdigest()[:8]
    return f"{_OTHER.sub('_', label)[:60]}-{mark}"
