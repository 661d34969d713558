"""What transforms made, put beside the data: `<base>-<id>.<transform>.<name>`.

Listed like label files, by their content, so that no command takes one for a data object or for
an edited annotation. What they may replace is as for all other files (write.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.instantiate.items import Items
from ldb.instantiate.labels import LabelWriter
from ldb.instantiate.listing import Before
from ldb.instantiate.model import Item
from ldb.instantiate.naming import ANNOTATION, MAX_NAME, cut, name_with_id, split_name
from ldb.instantiate.write import BatchResult, WriteOptions


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a transform made of one data object."""

    transform: str
    name: str
    """Plain."""
    path: str
    """Where it lies now."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Data objects of which something was made: ids shape (n,), annotation oids (n, 32)."""

    ids: NDArray[np.bytes_]
    annotations: NDArray[np.uint8]
    files: Mapping[bytes, Sequence[Output]]
    """By data object id."""


def write_outputs(
    items: Items, outputs: Outputs, options: WriteOptions, before: Before
) -> BatchResult:
    """Write what was made of these items; `label_files` of the result counts them."""
    result = BatchResult()
    folder = LabelWriter(items, options, before, result)
    with folder:
        for batch in items.batches(0, len(items.chosen.ids)):
            for item in batch:
                for each in outputs.files[item.id]:
                    with folder.create(name_of(item, each)) as file, open(each.path, "rb") as made:
                        shutil.copyfileobj(made, file, 1 << 20)
                    with suppress(OSError):
                        os.unlink(each.path)  # half the room, for those to come
        folder.finish()
    items.refused.clear()  # told by who wrote the data
    return result


def name_of(item: Item, output: Output) -> str:
    """Path of an output below the target folder: in the folder of the data, with its id."""
    source = item.paths[0]["path"] if item.paths else ""
    stem = name_with_id(source, item.id.hex()).annotation.removesuffix(ANNOTATION)
    ending = f".{output.transform}.{output.name}"
    room = MAX_NAME - len(ending.encode())
    if room < len(stem.encode()):
        stem = item.id.hex()
        base, extension = split_name(output.name)
        kept = MAX_NAME - len(f"{stem}.{output.transform}..{extension}".encode())
        ending = f".{output.transform}.{cut(base, kept)}" + (f".{extension}" if extension else "")
    name = stem + ending
    return f"{item.name.folder}/{name}" if item.name.folder else name
