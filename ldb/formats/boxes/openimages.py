"""Open Images: CSV files of boxes and of labels of whole images."""

from __future__ import annotations

from ldb.formats.base import Peek, Values
from ldb.formats.boxes.openimages_read import BOXES, LABELS, SEGMENTS, OpenImagesReader
from ldb.formats.boxes.openimages_write import OpenImagesWriter


def reader(params: Values) -> OpenImagesReader:
    return OpenImagesReader(params)


def writer(params: Values) -> OpenImagesWriter:
    return OpenImagesWriter(params)


def recognise(peek: Peek) -> str:
    """A CSV file with the name and the columns of annotations."""
    for name in peek.names:
        if any(pattern.fullmatch(name) for pattern in (BOXES, LABELS, SEGMENTS)):
            header = peek.head(name).partition(b"\n")[0]
            if b"ImageID" in header and b"LabelName" in header:
                return f"{name} has the name and the columns of Open Images"
    return ""
