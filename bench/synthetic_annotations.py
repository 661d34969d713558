"""Instances of millions of annotations without millions of files, for what reads no file.

Annotations have the schema and the distribution of generate.py, each with a position, a serial
and a draw of its own, so all differ. Every one goes the way of an indexed file from its JSON text
on: parsed, made canonical, hashed, packed by the library's own writer, with an object record, rows
in both maps of the index, and one commit. What is made up is the ids of the data objects, and their
sizes and times. The same texts, as lines, become a Parquet file by DuckDB for those who ask that.

    python -m bench.synthetic_annotations 1M FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ldb
from bench.drawing import Drawn, draw
from bench.generate import PER_FOLDER, DataSet, parse_size, show_size
from bench.queries import QUERIES, Query
from ldb.backends.opening import open_backend
from ldb.catalog import PATHS, objects_schema, path_key, record_payload
from ldb.history import Commit, MapRoot, Operation, now, publish
from ldb.instance import Instance, create, open_instance
from ldb.maps import Root, Rows, build
from ldb.objects.codec import annotation_payload
from ldb.objects.indexrows import KIND_ANNOTATION, KIND_DATA
from ldb.objects.model import BlobType
from ldb.refs.name import INDEX

STORING = ("objects", "columns", "maps", "places")
"""Packages of the library that decide what is stored."""

VERSION = 1
"""Part of the stamp: what another version made is made again."""

BATCH = 4096
"""Annotations handed to the writer together, as an indexing worker does."""

MAP_CHUNK = 65536
"""Rows handed to the builder of a map at a time."""

MADE_AT = 1_790_000_000_000
"""Milliseconds since 1970: when these files that never were are said to have been made."""

_COLUMNS = (("ids", 16), ("records", 32), ("annotations", 32), ("sizes", 16))
"""Width in bytes of what each position leaves for the maps; sizes are image, annotation."""


def object_id(position: int) -> bytes:
    """The id of a data object that has no bytes: as random as a real one."""
    return md5(b"no file %d" % position).digest()


@dataclass(frozen=True, slots=True)
class Annotations(DataSet):
    """`root` holds `instance/`, `tables/annotations.parquet` where DuckDB is, and the stamp."""

    @property
    def instance(self) -> Path:
        """The instance as it was made; to be copied, or linked, before it is used."""
        return self.root / "instance"

    @property
    def table(self) -> Path:
        """The annotations as one Parquet file."""
        return self.root / "tables" / "annotations.parquet"

    def stamp(self) -> dict[str, Any]:
        """What is there; empty where nothing is."""
        try:
            found: dict[str, Any] = json.loads((self.root / "stamp.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def object_id(self, position: int) -> str:
        return object_id(position).hex()

    def matching(self, query: Query) -> int:
        return int(self.stamp()["answers"][query.name])

    def json_bytes(self) -> int:
        return int(self.stamp()["json_bytes"])

    def revision(self) -> int:
        return 0

    def change(self, revision: int) -> list[Path]:
        """Nothing: there are no files."""
        return []

    def warm(self) -> None:
        """Read the instance and the table once."""
        for folder in (self.instance, self.table.parent):
            for path in folder.rglob("*"):
                if path.is_file():
                    with path.open("rb", buffering=0) as file:
                        while file.read(1 << 24):
                            pass


def make_annotations(home: Path, count: int, python: Path | None, workers: int = 2) -> Annotations:
    """The instance of `count` annotations under `home`, made where it is not there yet.

    `python` is an interpreter that has DuckDB; without one there is no table.
    """
    data = Annotations(home / show_size(count), count)
    wanted = {"version": VERSION, "count": count, "stored by": _stored_by()}
    found = data.stamp()
    fresh = {**found, **wanted} == found
    if fresh and (data.table.exists() or python is None):
        return data
    print(f"making an instance of {show_size(count)} annotations …", file=sys.stderr, flush=True)
    shutil.rmtree(data.root, ignore_errors=True)
    (data.root / "lines").mkdir(parents=True)
    answers, json_bytes = _make_instance(data, workers, lines=python is not None)
    if python is not None:
        _make_table(data, python)
    shutil.rmtree(data.root / "lines")
    stamp = {**wanted, "answers": answers, "json_bytes": json_bytes}
    (data.root / "stamp.json").write_text(json.dumps(stamp))  # last: half-made has none
    return data


def _stored_by() -> str:
    """Changes whenever code that decides what is stored does."""
    home = Path(ldb.__file__).parent
    names = ("catalog.py", "history.py", *(f"{each}/*.py" for each in STORING))
    paths = sorted(path for name in names for path in home.glob(name))
    return sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def _make_instance(data: Annotations, workers: int, lines: bool) -> tuple[dict[str, int], int]:
    instance = create(open_backend(str(data.instance)))
    for name, width in _COLUMNS:
        _column(data, name, width, "w+")
    # Whole folders of files that never were, so that no two workers write to one.
    folders = -(-data.count // PER_FOLDER)
    edges = [min(folders * at // workers * PER_FOLDER, data.count) for at in range(workers + 1)]
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(_store_range, [data] * workers, edges, edges[1:], [lines] * workers))
        paths: Future[Root] = pool.submit(_build_paths, data)
        # By this store itself, which gives the packs it wrote their place files on publishing.
        roots = {"objects": _build_objects(data, instance), "paths": paths.result()}
    _publish(instance, {name: MapRoot(root.oid, root.count) for name, root in roots.items()})
    for name, _ in _COLUMNS:
        (data.root / f"{name}.column").unlink()
    answers = {query.name: sum(part[0][query.name] for part in parts) for query in QUERIES}
    return answers, sum(part[1] for part in parts)


def _column(data: Annotations, name: str, width: int, mode: str) -> NDArray[np.uint8]:
    path = data.root / f"{name}.column"
    shape = (data.count, width)
    return np.memmap(path, np.uint8, mode=mode, shape=shape)  # type: ignore[call-overload, no-any-return]


def _store_range(
    data: Annotations, start: int, stop: int, lines: bool
) -> tuple[dict[str, int], int]:
    """One worker's share: blobs into packs, columns for the maps; answers and bytes of JSON."""
    instance = open_instance(open_backend(str(data.instance)))
    ids, records, annotations, sizes = (_column(data, *each, "r+") for each in _COLUMNS)
    answers = dict.fromkeys((query.name for query in QUERIES), 0)
    json_bytes = 0
    with ExitStack() as stack:
        writer = stack.enter_context(instance.objects.writer())
        path = data.root / "lines" / f"{start:09d}.ndjson" if lines else Path(os.devnull)
        out = stack.enter_context(path.open("wb", buffering=1 << 20))
        for at in range(start, stop, BATCH):
            drawn = draw(at, min(at + BATCH, stop))
            part = slice(at, at + len(drawn.texts))
            payloads = [annotation_payload(text, "annotation") for text in drawn.texts]
            notes = writer.add_many(BlobType.ANNOTATION, payloads)
            made = writer.add_many(BlobType.RECORD, _records(at, drawn, notes))
            named = b"".join(map(object_id, range(part.start, part.stop)))
            ids[part] = np.frombuffer(named, np.uint8).reshape(-1, 16)
            records[part] = np.frombuffer(b"".join(made), np.uint8).reshape(-1, 32)
            annotations[part] = np.frombuffer(b"".join(notes), np.uint8).reshape(-1, 32)
            both = np.array((drawn.image_sizes, list(map(len, drawn.texts))), "<u8").T
            sizes[part] = np.ascontiguousarray(both).view(np.uint8)
            json_bytes += sum(map(len, drawn.texts))
            for name, found in drawn.answers.items():
                answers[name] += found
            if lines:
                out.write(b"\n".join(drawn.texts) + b"\n")
    return answers, json_bytes


def _records(start: int, drawn: Drawn, notes: list[Any]) -> list[bytes]:
    return [
        record_payload(
            annotations=[bytes(note)],
            first_indexed=MADE_AT,
            last_indexed=MADE_AT,
            paths=[
                {
                    "gid": 1000,
                    "mode": 0o100644,
                    "mtime": _mtime(position),
                    "path": _uri(position, b".png").decode(),
                    "uid": 1000,
                }
            ],
            size=size,
            tags=[],
            type="png",
        )
        for position, (note, size) in enumerate(zip(notes, drawn.image_sizes), start)
    ]


def _mtime(position: int) -> int:
    return MADE_AT * 1_000_000 + position * 137_000


def _uri(position: int, suffix: bytes) -> bytes:
    return b"file:///no/files/%05d/%08d%b" % (position // PER_FOLDER, position, suffix)


def _build_objects(data: Annotations, instance: Instance) -> Root:
    """The map from ids to records and annotations; ids are sorted here."""
    ids, records, annotations, _ = (_column(data, *each, "r") for each in _COLUMNS)
    keys = np.frombuffer(ids.tobytes(), "S16")
    order = np.argsort(keys, kind="stable")

    def chunks() -> Iterator[Rows]:
        for at in range(0, data.count, MAP_CHUNK):
            part = order[at : at + MAP_CHUNK]
            yield Rows(keys[part], (records[part], annotations[part]))

    with instance.objects.writer() as writer:
        return build(writer, objects_schema(instance), chunks())


def _build_paths(data: Annotations) -> Root:
    """The map of what was last seen where: two files for each position, in order of their names."""
    instance = open_instance(open_backend(str(data.instance)))
    ids, _, annotations, sizes = (_column(data, *each, "r") for each in _COLUMNS)

    def chunks() -> Iterator[Rows]:
        for at in range(0, data.count, MAP_CHUNK // 2):
            part = slice(at, min(at + MAP_CHUNK // 2, data.count))
            yield _path_rows(part, ids[part], annotations[part], sizes[part])

    with instance.objects.writer() as writer:
        return build(writer, PATHS, chunks())


def _path_rows(
    part: slice, ids: NDArray[np.uint8], annotations: NDArray[np.uint8], sizes: NDArray[np.uint8]
) -> Rows:
    positions = range(part.start, part.stop)
    count = 2 * len(positions)
    suffixes = (b".json", b".png")
    keys = [path_key(_uri(position, suffix)) for position in positions for suffix in suffixes]
    content = np.zeros((count, 32), np.uint8)
    content[0::2] = annotations
    content[1::2, :16] = ids
    size = np.empty((count, 8), np.uint8)
    size[0::2], size[1::2] = sizes[:, 8:], sizes[:, :8]
    mtime = np.array([_mtime(position) for position in positions], "<u8").repeat(2)
    kind = np.empty((count, 1), np.uint8)
    kind[0::2], kind[1::2] = KIND_ANNOTATION, KIND_DATA
    fields = {
        "content": content,
        "size": size,
        "mtime": mtime.view(np.uint8).reshape(-1, 8),
        "stamp": np.zeros((count, 16), np.uint8),
        "kind": kind,
    }
    return Rows(PATHS.column(keys), tuple(fields[name] for name, _ in PATHS.fields))


def _publish(instance: Instance, maps: dict[str, MapRoot]) -> None:
    operation = Operation(command=("bench",), counts={"new_objects": maps["objects"].count})

    def make(_: object) -> Commit:
        return Commit(
            name=INDEX.name,
            number=0,
            maps=maps,
            operations=(operation,),
            author="bench",
            time=now(),
        )

    publish(instance, INDEX, make)


def _make_table(data: Annotations, python: Path) -> None:
    from bench.measure import Step, measure

    data.table.parent.mkdir()
    script = Path(__file__).parent / "scripts" / "duckdb_ops.py"
    words = [str(python), str(script), "parse", str(data.root / "lines"), str(data.table)]
    measure(Step(words, data.root, {"HOME": str(data.root)}))


def main() -> None:
    """Make the sizes named on the command line under the folder named last; no table."""
    *sizes, home = sys.argv[1:]
    for text in sizes:
        print(make_annotations(Path(home).resolve(), parse_size(text), None).root)


if __name__ == "__main__":
    main()
