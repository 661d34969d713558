"""`hf-imagefolder`: images with a table `metadata.jsonl`, `.csv` or `.parquet` above them.

Each row names its image in `file_name`, relative to the table's folder; the rest of the row is the
annotation, nested `objects` and all. What Hugging Face's `datasets` loads as an imagefolder
(audiofolder, videofolder).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from ldb.errors import BadInput
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
    Placing,
    Read,
    Trouble,
    Values,
    named_in,
    read_each,
)
from ldb.formats.jsonfiles import json_lines
from ldb.formats.jsontext import json_text
from ldb.formats.tables import csv_rows, parquet_rows

FILE_NAME = "file_name"
TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")


def reader(_: Values) -> ImageFolder:
    """Reads every `metadata` table of the location."""
    return ImageFolder()


def writer(params: Values) -> ImageFolderFiles:
    """Writes `metadata.jsonl`."""
    return ImageFolderFiles(params["split"])


def recognise(peek: Peek) -> str:
    """A table of this name that speaks of `file_name`, or one in Parquet."""
    for name in peek.names:
        if _is_table(name) and (name.endswith(".parquet") or b"file_name" in peek.head(name)):
            return f"{name} is there"
    return ""


def _is_table(name: str) -> bool:
    return name.rpartition("/")[2] in TABLES


class ImageFolder(BaseReader):
    """Reads `metadata` tables."""

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if _is_table(name)])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        if not labels:
            why = f"there is no {', '.join(TABLES)}; -m infer takes folders for labels"
            yield Trouble("", why)

        def parse(name: str, file: BinaryIO) -> Iterator[Read]:
            rows = _ROWS[name.rpartition(".")[2]](name, file)
            return (each if isinstance(each, Trouble) else labelled(name, *each) for each in rows)

        def labelled(name: str, record: str, row: Any) -> Read:
            if not isinstance(row, dict):
                return Trouble(name, "is no JSON object", record)
            path = row.pop(FILE_NAME, None)
            if not isinstance(path, str) or not path:
                return Trouble(name, f"names no file in `{FILE_NAME}`", record)
            return Labelled(row, name, record, named_in(listing, path, name))

        yield from read_each(listing, labels, parse)


_ROWS = {"jsonl": json_lines, "csv": csv_rows, "parquet": parquet_rows}


class ImageFolderFiles(BaseWriter):
    """Writes data files with a `metadata.jsonl`."""

    def __init__(self, split: str) -> None:
        if split in (".", "..") or "/" in split or "\\" in split:
            raise BadInput("-p split", f"{split!r} is no name of a folder", "train")
        self._split = split

    def place(self, placing: Placing) -> Sequence[str]:
        return (self._split,) if self._split else ()

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        above = ""
        for item in items:
            if self._split:
                above = item.path.partition("/")[0] + "/"
            break
        with folder.create(f"{above}metadata.jsonl") as file:
            for item in items:
                if item.annotated:
                    row = row_of(item, FILE_NAME, item.path[len(above) :], losses)
                    file.write(json_text(row))
        return losses


def row_of(item: Item, key: str, path: str, losses: Losses) -> dict[str, Any]:
    """An annotation as a row that names its file at `key`; what is in the way of that is lost."""
    if not isinstance(item.annotation, dict):
        losses.add("an annotation that is no object: put under `annotation`", item.path)
        return {key: path, "annotation": item.annotation}
    if key in item.annotation:
        losses.add(f"the key `{key}`: the name of the file stands there", item.path)
    return {key: path, **{name: each for name, each in item.annotation.items() if name != key}}
