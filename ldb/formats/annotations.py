"""`annotation-only`: annotations without data files, for objects that the index knows by id.

    {"annotation": {"label": 1}, "ldb_meta": {"data_object_id": "2c4a9d28…"}}

A file holds one of these or a list of them; `data-object-info.md5` may stand for `ldb_meta`.
What goes to people who label, and comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from ldb.formats.base import (
    BaseReader,
    BaseWriter,
    Files,
    Folder,
    Item,
    Labelled,
    Listing,
    Losses,
    Peek,
    Read,
    Trouble,
    Values,
    beside,
    read_each,
)
from ldb.formats.jsonfiles import json_values
from ldb.formats.jsontext import json_text
from ldb.formats.keys import taken_at

SINGLE = "annotations.json"
ID_KEYS = (("ldb_meta", "data_object_id"), ("data-object-info", "md5"))


def reader(_: Values) -> Annotations:
    """Reads every `.json` file of the location."""
    return Annotations()


def writer(params: Values) -> AnnotationFiles:
    """Writes a file for each annotation, or one for all."""
    return AnnotationFiles(single=params["single-file"])


def recognise(peek: Peek) -> str:
    """Nothing but `.json` files, and the first is an annotation with the id it is for."""
    if not peek.names or not all(name[-5:].lower() == ".json" for name in peek.names):
        return ""
    head = peek.head(peek.names[0])
    named = b'"ldb_meta"' in head or b'"data-object-info"' in head
    if named and b'"annotation"' in head and b'"data":' not in head:
        return f"{peek.names[0]} holds an annotation with an id, and there are no data files"
    return ""


class Annotations(BaseReader):
    """Reads annotations with ids."""

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if name[-5:].lower() == ".json"], ())

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        return read_each(listing, labels, _of_file)


def _of_file(name: str, file: BinaryIO) -> Iterator[Read]:
    for each in json_values(name, file):
        yield each if isinstance(each, Trouble) else _labelled(name, *each)


def _labelled(name: str, record: str, value: Any) -> Read:
    ids = [found for keys in ID_KEYS if (found := taken_at(keys, value)) is not None]
    if not isinstance(value, dict) or "annotation" not in value:
        return Trouble(name, "has no key `annotation`", record)
    if not ids or not isinstance(ids[0], str) or not ids[0]:
        why = "has no `ldb_meta.data_object_id` or `data-object-info.md5` that says what it is for"
        return Trouble(name, why, record)
    return Labelled(value["annotation"], name, record, id=ids[0])


class AnnotationFiles(BaseWriter):
    """Writes annotations with ids, and no data files."""

    with_data = False

    def __init__(self, single: bool) -> None:
        self._single = single

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        annotated = (item for item in items if item.annotated)
        if self._single:
            with folder.create(SINGLE) as file:
                write_list(file, map(_value, annotated))
            return Losses()
        for item in annotated:
            with folder.create(beside(item.path, ".json")) as file:
                file.write(json_text(_value(item), indented=True))
        return Losses()


def write_list(file: BinaryIO, values: Iterable[Any]) -> int:
    """Write a JSON list with a value a line; how many there were."""
    count = 0
    for count, value in enumerate(values, 1):
        file.write((b"[\n" if count == 1 else b",\n") + json_text(value).rstrip(b"\n"))
    file.write(b"\n]\n" if count else b"[]\n")
    return count


def _value(item: Item) -> dict[str, Any]:
    return {"annotation": item.annotation, "ldb_meta": {"data_object_id": item.id}}
