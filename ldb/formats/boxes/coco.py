"""COCO: JSON files of images and of what is in them; detection, outlines, keypoints, captions."""

from __future__ import annotations

import re

from ldb.formats.base import Peek, Values
from ldb.formats.boxes.coco_read import KINDS, CocoReader
from ldb.formats.boxes.coco_write import CocoWriter
from ldb.formats.boxes.finding import stem_of

_NAME = re.compile(rf"(?:.*/)?(?:(?:{KINDS})_[^/]*|_annotations\.coco|instances)\.json", re.I)
_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_ANY_KEY = re.compile(
    rb'\s*(?:\xef\xbb\xbf)?\{\s*"(?:info|licenses|images|annotations|categories|type)"'
)
MOST = 20
"""Files that are looked into."""


def reader(params: Values) -> CocoReader:
    return CocoReader(params)


def writer(params: Values) -> CocoWriter:
    return CocoWriter(params)


def recognise(peek: Peek) -> str:
    """A JSON file with a COCO name and a COCO start, or with two of COCO's lists at its start."""
    texts = [name for name in peek.names if name.lower().endswith(".json")]
    for name in [name for name in texts if _NAME.fullmatch(name)][:MOST]:
        if _ANY_KEY.match(peek.head(name)):
            return f"{name} is named and begins like a COCO file"
    stems = {stem_of(name) for name in peek.names if not name.lower().endswith(".json")}
    for name in [name for name in texts if stem_of(name) not in stems][:MOST]:
        head = peek.head(name)
        if _ANY_KEY.match(head) and sum(key in head for key in _KEYS) >= 2:
            return f"{name} has COCO's lists"
    return ""
