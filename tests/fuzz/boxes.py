"""Targets that are label files of images, and annotations that are written as such.

What a reader makes of a file is stored or refused as `ldb index` does, and written in every format.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, BinaryIO

from ldb.errors import BadInput
from ldb.formats.base import Item, Labelled, Placing, Trouble
from ldb.formats.boxes.imagesize import image_size
from ldb.formats.boxes.rle import bitmap_of
from ldb.objects.codec import decode, encode
from tests.fuzz.labels import Files
from tests.fuzz.tape import Tape, spoilt_value
from tests.fuzz.target import Target, byte_cases, value_cases

FORMATS = ("coco", "cvat", "imagenet", "openimages", "voc", "yolo")


class Nowhere:
    """A target folder that keeps names alone, and finds fault with those that lead out."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        assert not {"", ".", ".."} & {*path.split("/")}, path
        assert all(char.isprintable() for char in path), path
        self.names.add(path)
        yield io.BytesIO()

    @contextmanager
    def data(self, item: Item) -> Iterator[BinaryIO | None]:
        yield None

    def open(self, path: str) -> BinaryIO | None:
        return None


def _write_all(values: list[Any]) -> None:
    for name in FORMATS:
        writer = import_module(f"ldb.formats.boxes.{name}").writer({})
        items = []
        for at, value in enumerate(values):
            writer.place(Placing(value, True, "png", f"{at}.png"))
            path = f"images/{at}.png"
            items.append(Item(f"{at:032x}", path, value, True, "png", 1, path))
        writer.write(items, Nowhere())


def _read(name: str, files: Callable[[bytes], dict[str, bytes]]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        reader = import_module(f"ldb.formats.boxes.{name}").reader({})
        images = dict.fromkeys(("images/train/a.png", "images/b.png", "frame_000012.png"), b"")
        listing = Files({**images, **files(data)})
        labels = reader.files(listing).labels
        assert reader.needed(listing, labels, {*listing.names}) is not None
        troubles, values = [], []
        for each in reader.read(listing, labels):
            assert isinstance(each, (Labelled, Trouble))
            if isinstance(each, Trouble):
                troubles.append(each)
                continue
            with suppress(BadInput):
                values.append(decode(encode(each.value, "annotation")))
        _write_all(values)
        if troubles and not values:
            raise BadInput(troubles[0].source, troubles[0].why)

    return check


# -- samples ---------------------------------------------------------------------------------

COCO: list[Any] = [
    {
        "info": {"year": 2026},
        "licenses": [{"id": 1, "name": "free", "url": ""}],
        "categories": [
            {"id": 1, "name": "cat", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]},
            {"id": 2, "name": "dog", "supercategory": "animal"},
        ],
        "images": [
            {"id": 1, "file_name": "a.png", "width": 20, "height": 10, "license": 1},
            {"id": 2, "file_name": "b.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4.5], "iscrowd": 0,
             "segmentation": [[1, 2, 3, 2, 3, 4]], "area": 3, "keypoints": [1, 2, 2, 3, 4, 1]},
            {"id": 2, "image_id": 1, "category_id": 2, "iscrowd": 1, "bbox": [],
             "segmentation": {"size": [10, 20], "counts": [150, 20, 30]}},
            {"id": 3, "image_id": 2, "category_id": 2, "score": 0.5, "bbox": [0, 0, 1, 1],
             "segmentation": {"size": [2, 2], "counts": "022"}, "voc": {"pose": "left"}},
            {"id": 4, "image_id": 2, "caption": "a cat"},
            {"id": 5, "image_id": 2, "category_id": 2},
        ],
    },
    {
        "categories": [{"id": 3, "name": "sky", "isthing": 0, "color": [1, 2, 3]}],
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
        "annotations": [
            {"image_id": 1, "file_name": "m.png", "segments_info": [
                {"id": 70000, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 4, 2], "area": 5},
                {"id": 7, "category_id": 4},
            ]},
        ],
    },
]  # fmt: skip

CVAT = [
    b'<?xml version="1.0"?>\n<annotations><version>1.1</version><meta><task/></meta>'
    b'<image id="0" name="a.png" width="20" height="10" subset="train"><box label="cat" '
    b'occluded="1" xtl="1" ytl="2" xbr="3.5" ybr="4" rotation="30" z_order="1"><attribute '
    b'name="x">y</attribute></box><polygon label="dog" points="1,2;3,4;5,1"/><polyline label=""'
    b' points="1,2;3,4"/><points label="p" points="1,2"/><tag label="t"/></image><image id="1" '
    b'name="b.png" width="4" height="4"><mask label="m" rle="1, 2, 1" left="1" top="1" width="2"'
    b' height="2"/><ellipse label="e" cx="2" cy="2" rx="1" ry="1"/><skeleton label="s"><points '
    b'label="nose" outside="0" occluded="1" points="1,2"/></skeleton></image></annotations>',
    b"<annotations><meta><task><original_size><width>4</width><height>4</height></original_size>"
    b'<source>a.mp4</source></task></meta><track id="0" label="cat" source="manual" subset="train">'
    b'<box frame="12" keyframe="1" outside="0" occluded="1" xtl="1" ytl="2" xbr="3" ybr="4"/><box '
    b'frame="13" outside="1" xtl="1" ytl="2" xbr="3" ybr="4"/><skeleton frame="12"><points label='
    b'"nose" outside="1" keyframe="1" points="1,2"/></skeleton><mask frame="12" rle="1, 2, 1" left'
    b'="1" top="1" width="2" height="2"/></track></annotations>',
]

VOC = [
    b"<annotation><folder>f</folder><filename>a.png</filename><size><width>20</width><height>10"
    b"</height><depth>3</depth></size><object><name>cat</name><pose>Left</pose><truncated>1"
    b"</truncated><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3.5</xmax>"
    b'<ymax>4</ymax></bndbox><part id="1"><name>head</name></part><part/></object></annotation>'
]

YOLO = [
    b"names: [cat, dog]\nkpt_shape: [2, 3]\ntrain: images/train\n\0"
    b"0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.1 0.2 0.2\n1 0.5 0.5 0.2 0.2 0.1 0.1 2 0.2 0.2 1\n",
    b"path: .\nnames:\n  0: cat\n  3: 'dog'\ntrain: [images/train]\nval: images/b.png\n\0"
    b"3 1e-3 .5 1 1\n",
]

OPEN_IMAGES = [
    b"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n"
    b'a,xclick,/m/0,1,0.1,0.2,0.3,0.4,1,0,-1\na,"x,y",/m/1,0.5,0,1,0,1,0,0,0\nb,,/m/0,1,0,0,0,0,,,\n'
    b'\0LabelName,DisplayName\n/m/0,cat\n/m/1,"dog, big"\n',
]


def _two(first: str, second: str) -> Callable[[bytes], dict[str, bytes]]:
    """Two files, with a zero byte between them in the input."""

    def files(data: bytes) -> dict[str, bytes]:
        one, _, other = data.partition(b"\0")
        return {first: one, second: other}

    return files


# -- annotations as they are written -----------------------------------------------------------

SHAPES: list[Any] = [
    {
        "unit": "pixel", "subset": "train", "image": {"width": 20, "height": 10}, "label": "cat",
        "objects": [
            {"label": "cat", "bbox": [1, 2, 3, 4.5], "polygons": [[1, 2, 3, 2, 3, 4]] * 2,
             "keypoints": [{"x": 1, "y": 2, "v": 2, "name": "nose"}], "crowd": True, "area": 3,
             "attributes": {"a": "b", "c": [1, True]}, "voc": {"part": [{"@id": "1"}]}},
            {"label": "dog", "mask": {"size": [10, 20], "counts": "f4d0n0"}, "score": 0.5},
            {"polyline": [1, 2, 3, 4], "cvat": {"shape": "ellipse"}, "occluded": None},
        ],
        "labels": [{"label": "dog", "score": 0}], "captions": [{"text": "x"}],
        "coco": {"image": {"id": 3}}, "openimages": {"Rotation": 1}, "yolo": {"class": 1},
    },
    {"unit": "relative", "objects": [{"label": "1", "bbox": [0, 0, 1, 1], "yolo": {"class": 9}}]},
]  # fmt: skip


def _annotations(tape: Tape) -> bytes:
    try:
        return encode([spoilt_value(tape, SHAPES) for _ in range(1 + tape.number(3))])
    except BadInput:
        return encode(SHAPES)


def _written(data: bytes) -> None:
    _write_all(decode(data))


# -- parts -----------------------------------------------------------------------------------

MASKS: list[Any] = [
    {"size": [10, 20], "counts": "f4d0n0"},
    {"size": [2, 2], "counts": [0, 2, 2]},
    {"size": [1 << 14, 1 << 14], "counts": [1 << 28]},
]


def _mask(data: bytes) -> None:
    value = decode(data)
    if not isinstance(value, dict):
        raise BadInput("mask", "no object")
    assert bitmap_of(value).ndim == 2


IMAGES = [
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x07\x08\0\0\0\0",
    b"\xff\xd8\xff\xe0\0\x04xx\xff\xff\xc0\0\x11\x08\0\x07\0\x05\x03",
    b"GIF89a\x05\0\x07\0", b"BM" + bytes(12) + b"\x28\0\0\0\x05\0\0\0\x07\0\0\0",
    b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x04\0\0\x06\0\0",
]  # fmt: skip


def _size(data: bytes) -> None:
    if image_size(io.BytesIO(data)) is None:
        raise BadInput("image", "no size")


def _json_cases(samples: list[Any]) -> Callable[[Tape], bytes]:
    """Mostly spoilt values that are JSON all the same, sometimes spoilt texts."""
    texts = byte_cases(lambda: [json.dumps(each).encode() for each in samples])

    def make(tape: Tape) -> bytes:
        if tape.number(5) == 0:
            return texts(tape)
        try:
            return json.dumps(spoilt_value(tape, samples)).encode()
        except (TypeError, ValueError):
            return texts(tape)

    return make


def _alone(name: str) -> Callable[[bytes], dict[str, bytes]]:
    return lambda data: {name: data}


TARGETS = [
    Target("coco", _json_cases(COCO), _read("coco", _alone("annotations/instances_train.json"))),
    Target("cvat", byte_cases(lambda: CVAT), _read("cvat", _alone("annotations.xml"))),
    Target("voc", byte_cases(lambda: VOC), _read("voc", _alone("images/a.xml"))),
    Target(
        "yolo", byte_cases(lambda: YOLO), _read("yolo", _two("data.yaml", "labels/train/a.txt"))
    ),
    Target(
        "openimages",
        byte_cases(lambda: OPEN_IMAGES),
        _read("openimages", _two("train-annotations-bbox.csv", "class-descriptions.csv")),
    ),
    Target("boxes-written", _annotations, _written),
    Target("mask", value_cases(lambda: MASKS), _mask),
    Target("image-size", byte_cases(lambda: IMAGES), _size),
]
