"""YOLO: a text file of numbers for each image, in ultralytics' layout or darknet's."""

from __future__ import annotations

import re

from ldb.formats.base import Peek, Values
from ldb.formats.boxes.images import Images
from ldb.formats.boxes.yolo_names import NAME_FILES
from ldb.formats.boxes.yolo_read import YoloReader
from ldb.formats.boxes.yolo_write import YoloWriter

_LINE = re.compile(rb"\d+(?:[ \t]+-?\d*\.?\d+(?:e-?\d+)?){4,}[ \t]*\r?(?:\n|$)", re.I)
MOST = 20
"""Label files that are looked into."""


def reader(params: Values) -> YoloReader:
    return YoloReader(params)


def writer(params: Values) -> YoloWriter:
    return YoloWriter(params)


def recognise(peek: Peek) -> str:
    """A `data.yaml` with classes and images, or lines of numbers in a text beside each image."""
    for name in peek.names:
        if name.lower().endswith((".yaml", ".yml")):
            head = peek.head(name)
            if re.search(rb"^names\s*:", head, re.M) and re.search(
                rb"^(?:train|val)\s*:", head, re.M
            ):
                return f"{name} has `names` and `train`"
    images = Images(peek.names)
    texts = [name for name in peek.names if name.lower().endswith(".txt") and images.of(name)]
    heads = [(name, peek.head(name)) for name in texts[:MOST]]
    filled = [(name, head) for name, head in heads if head.strip()]
    if filled and all(_LINE.match(head) for _, head in filled):
        known = {name.rpartition("/")[2] for name in peek.names}
        classes = next((each for each in NAME_FILES if each in known), "")
        beside = f", and {classes}" if classes else ""
        return f"{filled[0][0]} has lines of a class and numbers{beside}"
    return ""
