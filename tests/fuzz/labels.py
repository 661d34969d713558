"""Targets that are label files: one a reader, and the description of many.

A reader yields values and troubles and raises nothing but `LdbError`; what it yields can be stored
or is refused as it should be, and no path is opened that was not listed.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ldb.errors import BadInput, LdbError
from ldb.formats.base import Labelled, Trouble
from ldb.formats.registry import chosen
from ldb.formats.webdataset import Sample
from ldb.objects.codec import encode
from tests.fuzz.tape import Tape, spoilt_bytes, spoilt_value
from tests.fuzz.target import Target, byte_cases

pa.set_memory_pool(pa.system_memory_pool())  # others reserve more addresses than a run may have

DATA = ("a.jpg", "sub/b.jpg", "sub/c d.png")
ID = "0123456789abcdef" * 2


class Files:
    """A listing of files in memory, which opens what it lists and nothing else."""

    uri = "file:///data/"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {**dict.fromkeys(DATA, b""), **files}

    @property
    def names(self) -> Sequence[str]:
        return list(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def size(self, name: str) -> int:
        return len(self._files[name])

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        assert name not in DATA, "a data file was opened"
        if name not in self._files:
            raise BadInput(name, "is not there")
        yield io.BytesIO(self._files[name])

    def read_many(
        self, names: Iterable[str], limit: int = 1 << 24
    ) -> Iterator[tuple[str, bytes | LdbError]]:
        for name in names:
            yield name, self._files[name]


def read_as(format_: str, name: str, *params: str) -> Callable[[bytes], object]:
    """Reads an input as a label file of this name."""

    def check(data: bytes) -> None:
        listing = Files({name: data})
        reader = chosen(format_, params, True).reader()
        labels = reader.files(listing).labels
        assert labels == [name]
        troubles = 0
        for each in reader.read(listing, labels):
            if isinstance(each, Trouble):
                assert each.why
                troubles += 1
                continue
            assert isinstance(each, Labelled)
            assert isinstance(each.path, str)
            assert isinstance(each.id, str)
            try:
                encode(each.value)
            except LdbError:
                troubles += 1
        if troubles:
            raise BadInput(name, f"{troubles} troubles")

    return check


def unpack(data: bytes) -> None:
    """Reads an input as a shard, members and all."""
    shards = chosen("webdataset", (), True).shards()
    troubles = 0
    for sample in shards.samples("a.tar", io.BytesIO(data)):
        if isinstance(sample, Trouble):
            troubles += 1
            continue
        assert isinstance(sample, Sample)
        encode(sample.annotation)
        for name, content in sample.data:
            assert name == name.rpartition("/")[2]
            assert not name.startswith(".")
            try:
                while content().read(1 << 16):
                    break
            except (tarfile.TarError, OSError):
                troubles += 1
    if troubles:
        raise BadInput("a.tar", f"{troubles} troubles")


def json_cases(*values: object) -> Callable[[Tape], bytes]:
    """JSON of spoilt values, and spoilt JSON."""
    samples = [json.dumps(each).encode() for each in values]

    def make(tape: Tape) -> bytes:
        if tape.number(3) == 0:
            return spoilt_bytes(tape, samples)
        return json.dumps(spoilt_value(tape, list(values)), default=repr).encode()

    return make


ANNOTATION = {"annotation": {"n": [1, None]}, "ldb_meta": {"data_object_id": ID}}
TASK = {
    "id": 1, "annotations": [], "data": {
        "image": "/data/local-files/?d=a%20b.jpg",
        "data-object-info": {"md5": ID, "path_key": "data.image"},
    },
}  # fmt: skip
LINES = (
    b'{"file_name": "a.jpg", "n": 1}\n{"file_name": "sub/b.jpg", "objects": {"bbox": [[1, 2]]}}\n'
)
CROISSANT = {
    "distribution": [{"@id": "t", "contentUrl": "t.csv"}],
    "recordSet": [
        {"@id": "r", "data": [{"r/file": "a.jpg", "r/n": 1}]},
        {"@id": "s", "field": [{"@id": "s/f", "name": "f", "ldb:json": True, "source": {
            "fileObject": {"@id": "t"}, "extract": {"column": "c"}}}]},
    ],
}  # fmt: skip


def tables() -> list[bytes]:
    """Two Parquet files: one written plainly, one as LDB writes it."""
    marked = pa.schema([
        pa.field("path", pa.string()), pa.field("k", pa.string(), metadata={b"ldb.json": b"json"}),
    ])  # fmt: skip
    made = []
    for table in (
        pa.table({"path": ["a.jpg", None], "id": [ID, "7"], "deep": [[{"x": 1}], []]}),
        pa.table({"path": ["a.jpg"], "k": ["[1, null]"]}, schema=marked),
    ):
        sink = io.BytesIO()
        pq.write_table(table, sink)
        made.append(sink.getvalue())
    return made


def shards() -> list[bytes]:
    """A shard with samples, and one with names that lead out."""
    made = []
    for names in (
        ("a.jpg", "a.json", "b.cls", "b.png"),
        ("../a.jpg", "/b.jpg", "x" * 120 + ".jpg"),
    ):
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as tar:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = 2
                tar.addfile(info, io.BytesIO(b"{}"))
        made.append(sink.getvalue())
    return made


TABLES = tables()  # here: pyarrow takes its threads' addresses before a run limits them
for _ in pq.ParquetFile(io.BytesIO(TABLES[0])).iter_batches():
    pass

TARGETS = (
    Target(
        "label-annotations",
        json_cases(ANNOTATION, [ANNOTATION, ANNOTATION]),
        read_as("annotation-only", "x.json"),
    ),
    Target(
        "label-studio",
        json_cases(TASK, [TASK, {"data": {"image": "s3://b/k"}}]),
        read_as("label-studio", "x.json", "document-root=/data"),
    ),
    Target("label-lines", byte_cases(lambda: [LINES]), read_as("hf-imagefolder", "metadata.jsonl")),
    Target(
        "label-csv",
        byte_cases(lambda: [b'file_name,n,t\na.jpg,1,"x\n""y"\nsub/b.jpg,1.5,\n']),
        read_as("hf-imagefolder", "metadata.csv"),
    ),
    Target("label-parquet", byte_cases(lambda: TABLES), read_as("parquet", "t.parquet")),
    Target("label-croissant", json_cases(CROISSANT), read_as("croissant", "croissant.json")),
    Target("label-shard", byte_cases(shards), unpack),
)
