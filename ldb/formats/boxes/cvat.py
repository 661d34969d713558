"""CVAT: one XML file with an element for each image, or for each track of a video."""

from __future__ import annotations

import re

from ldb.formats.base import Peek, Values
from ldb.formats.boxes.cvat_read import CvatReader
from ldb.formats.boxes.cvat_write import CvatWriter

_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<annotations[\s>]")
MOST = 20


def reader(params: Values) -> CvatReader:
    return CvatReader(params)


def writer(params: Values) -> CvatWriter:
    return CvatWriter(params)


def recognise(peek: Peek) -> str:
    """An XML file whose root is `<annotations>`, with a version, tasks or images."""
    for name in [name for name in peek.names if name.lower().endswith(".xml")][:MOST]:
        head = peek.head(name)
        if _ROOT.match(head) and any(tag in head for tag in (b"<version>", b"<meta>", b"<image ")):
            return f"{name} begins with CVAT's <annotations>"
    return ""
