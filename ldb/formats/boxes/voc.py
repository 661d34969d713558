"""Pascal VOC: an XML file of boxes for each image."""

from __future__ import annotations

import re

from ldb.formats.base import Peek, Values
from ldb.formats.boxes.voc_read import VocReader
from ldb.formats.boxes.voc_write import VocWriter

_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<annotation[\s>]", re.S
)
MOST = 20


def reader(params: Values) -> VocReader:
    return VocReader(params)


def writer(params: Values) -> VocWriter:
    return VocWriter(params)


def recognise(peek: Peek) -> str:
    """An XML file whose root is `<annotation>` and that has a size or objects with boxes."""
    for name in [name for name in peek.names if name.lower().endswith(".xml")][:MOST]:
        head = peek.head(name)
        if _ROOT.match(head) and any(
            tag in head for tag in (b"<bndbox>", b"<size>", b"<filename>")
        ):
            return f"{name} is an <annotation> with a file name, a size or boxes"
    return ""
