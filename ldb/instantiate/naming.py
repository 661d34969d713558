"""Names of instantiated files: pure functions from where an object was seen to where it goes.

A data file and its annotation share a stem, so that they are read back as a pair; by default
the stem ends with the object's id. Whatever a path holds, a name made here is one plain
component, or a few of them below the target folder, on every file system. Rules:
docs/formats/pairs.md.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

from ldb.storage.windowsnames import DEVICE, MARKS

MAX_NAME = 255
"""Bytes of UTF-8 in one name: the limit of almost every file system."""

MAX_EXTENSION = 64
"""Bytes; a longer last part of a name is no extension."""

ANNOTATION = ".json"

_DATA_NAMED_JSON = ".json.data"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_USUAL = re.compile(
    r"(?!con|prn|aux|nul|com|lpt)([A-Za-z0-9][A-Za-z0-9_-]{,99})\.(?!json$)([A-Za-z0-9_-]{1,16})",
    re.I,
)
"""Names that stay as they are: all but a few of most datasets."""
_ID_AT_END = re.compile(r"(?:^|.-)([0-9a-f]{64}|[0-9a-f]{32})$")


class Name(NamedTuple):
    """Where an object goes, relative to the target folder."""

    folder: str
    """Components joined by `/`; empty for the target folder itself."""
    data: str
    annotation: str

    @property
    def data_path(self) -> str:
        return f"{self.folder}/{self.data}" if self.folder else self.data

    @property
    def annotation_path(self) -> str:
        return f"{self.folder}/{self.annotation}" if self.folder else self.annotation


def name_with_id(path: str, object_id: str, extension: str = "", folder: str = "") -> Name:
    """`<base>-<id>.<ext>` for an object seen at `path` (relative or a URI).

    An object without a path (empty) is named by its id and `extension` alone.
    """
    if path:
        seen = path.rpartition("/")[2]
        usual = _USUAL.fullmatch(seen)
        if usual and object_id not in seen:
            stem, extension = f"{usual[1]}-{object_id}", usual[2]
            return Name(folder, f"{stem}.{extension}", stem + ANNOTATION)
        stem, extension = split_name(seen)
    else:
        stem, extension = "", clean(extension) if extension else ""
    stem = "" if stem == object_id else stem.removesuffix("-" + object_id)
    ending = f"-{object_id}" if stem else object_id
    return _name(folder, _cut(stem, extension, ending) + ending, extension)


def name_as_seen(relative: str, object_id: str) -> Name:
    """The same folders and base name as `relative`; with the id only where it is too long."""
    folder = clean_folder(relative)
    stem, extension = split_name(relative.rpartition("/")[2])
    if _cut(stem, extension, "") != stem:
        return name_with_id(relative, object_id, folder=folder)
    return _name(folder, stem, extension)


def _name(folder: str, stem: str, extension: str) -> Name:
    data = f"{stem}.{extension}" if extension else stem
    if extension.lower() == "json":  # it would be taken for an annotation, or be its own
        return Name(folder, data + ".data", data + ANNOTATION)
    return Name(folder, data, stem + ANNOTATION)


def _cut(stem: str, extension: str, ending: str) -> str:
    """`stem` shortened so that data file and annotation have room for `ending` and suffix."""
    suffix = max(len(extension.encode()) + 1, len(ANNOTATION))
    if extension.lower() == "json":
        suffix = len(".json.json")
    return cut(stem, MAX_NAME - suffix - len(ending))


def cut(text: str, limit: int) -> str:
    """The start of `text` that takes at most `limit` bytes, whole characters only."""
    if len(text) * 4 <= limit:
        return text
    return text.encode()[: max(limit, 0)].decode(errors="ignore")


def split_name(name: str) -> tuple[str, str]:
    """Stem and extension (without the dot) of a file name, both fit for any file system."""
    name = clean(name)
    stem, _, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > MAX_EXTENSION:
        return name.replace(".", "_"), ""  # or its annotation would not be found by its stem
    return stem, extension


def clean(part: str) -> str:
    """One path component that means nothing but itself: never `..`, hidden or a device."""
    if _PLAIN.fullmatch(part) and not DEVICE.match(part):
        return part
    part = "".join("_" if c in MARKS or not _can_be_written(c) else c for c in part)
    body = part.rstrip(". ")  # which Windows drops
    part = body + "_" * (len(part) - len(body))
    if part.startswith("."):  # hidden, and LDB's own names
        part = "_" + part[1:]
    return "_" + part if DEVICE.match(part) else part or "_"


def _can_be_written(char: str) -> bool:
    return char.isprintable() and not "\ud800" <= char <= "\udfff"


def clean_folder(relative: str) -> str:
    """The folder part of a relative path, each component clean and short enough."""
    parts = [part for part in relative.split("/")[:-1] if part]
    return "/".join(_shorten(clean(part)) for part in parts)


def _shorten(part: str) -> str:
    if len(part.encode()) <= MAX_NAME:
        return part
    mark = hashlib.sha256(part.encode()).hexdigest()[:16]
    return f"{cut(part, MAX_NAME - 17)}-{mark}"


def folded(path: str) -> str:
    """Equal for two names that some file system takes for the same."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def id_in_name(name: str) -> str | None:
    """The data object id (hex) at the end of an instantiated file's stem, if there is one."""
    stem = name.rpartition("/")[2]
    if stem.lower().endswith(".json"):
        stem = stem[: -len(ANNOTATION)]
        if stem.lower().endswith(".json"):  # the annotation of a data file `….json.data`
            stem = stem[: -len(ANNOTATION)]
    elif stem.lower().endswith(_DATA_NAMED_JSON):
        stem = stem[: -len(_DATA_NAMED_JSON)]
    else:
        stem = stem.rpartition(".")[0] or stem
    found = _ID_AT_END.search(stem)
    return found[1] if found else None
