"""The index: what LDB knows of every data object, as of one version of `ds:root`.

Two maps: `objects` (data object id → record, current annotation) and `paths` (URI → what
was last seen there). Object records are blobs of their own. Formats:
docs/formats/catalog.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Ambiguous, BadInput, Corrupt, NotFound
from ldb.history import MapRoot, Version, head
from ldb.ids import MIN_PREFIX, NO_OID, OID_BYTES, ObjectId, Oid, is_hex
from ldb.instance import Instance
from ldb.maps import Rows, Schema, lookup, scan
from ldb.objects.codec import decode_as, encode_sorted
from ldb.objects.indexrows import RecordRow
from ldb.objects.model import BlobType
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX
from ldb.system import local_part

PATHS = Schema("paths", 0, (("content", 32), ("size", 8), ("mtime", 8), ("stamp", 16), ("kind", 1)))


def objects_schema(instance: Instance) -> Schema:
    """Schema of the `objects` map: id → record oid, current annotation oid."""
    return Schema("objects", instance.id_bytes, (("record", 32), ("annotation", 32)))


@dataclass(frozen=True, slots=True)
class SeenPath:
    """A place where a data object was seen, and its file attributes there."""

    path: str
    """URI; local files as `file:///…`, not percent-encoded."""
    mtime: int
    """Nanoseconds since 1970."""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    token: str = ""
    """In an object store: the ETag or generation of the content that was seen here."""
    version: str = ""
    """Version id by which these bytes can be had later; empty where the store keeps none."""


@dataclass(frozen=True, slots=True)
class Record:
    """What LDB knows of one data object, besides its current annotation."""

    size: int
    """Bytes."""
    type: str
    """File name extension without the dot, in lower case."""
    paths: tuple[SeenPath, ...]
    """Sorted by path."""
    annotations: tuple[Oid, ...] = ()
    """Every annotation the object ever had, v1 first."""
    tags: tuple[str, ...] = ()
    first_indexed: int = 0
    """Milliseconds since 1970, UTC."""
    last_indexed: int = 0
    """When an index run last found something new about it."""


def encode_record(record: Record) -> bytes:
    """Canonical payload of a record."""
    return record_payload(
        annotations=[bytes(oid) for oid in record.annotations],
        first_indexed=record.first_indexed,
        last_indexed=record.last_indexed,
        paths=[seen_value(seen) for seen in record.paths],
        size=record.size,
        tags=list(record.tags),
        type=record.type,
    )


def seen_value(seen: SeenPath) -> dict[str, Any]:
    """A path as records hold it, keys sorted; only object stores give a token or version."""
    value: dict[str, Any] = {
        "gid": seen.gid,
        "mode": seen.mode,
        "mtime": seen.mtime,
        "path": seen.path,
    }
    if seen.token:
        value["token"] = seen.token
    value["uid"] = seen.uid
    if seen.version:
        value["version"] = seen.version
    return value


def record_payload(
    *,
    annotations: list[bytes],
    first_indexed: int,
    last_indexed: int,
    paths: list[dict[str, Any]],
    size: int,
    tags: list[str],
    type: str,  # noqa: A002  (the field's name)
) -> bytes:
    """Canonical payload from plain values; the parameters stand in the sorted order of keys.

    Indexing makes one per data object, so there is no sorting and no dataclass on the way.
    """
    return encode_sorted(
        {
            "annotations": annotations,
            "first_indexed": first_indexed,
            "last_indexed": last_indexed,
            "paths": paths,
            "size": size,
            "tags": tags,
            "type": type,
        }
    )


FOLDER_END = b"/\x01"
"""Stands between folder and file name in a key, so that the files of a folder sort together,
before its sub-folders."""


def path_key(uri: bytes) -> bytes:
    """The key of a URI in `paths`."""
    folder, _, name = uri.rpartition(b"/")
    return folder + FOLDER_END + name


def key_path(key: bytes) -> bytes:
    """The URI that `path_key` spelt as `key`."""
    folder, _, name = key.rpartition(b"/")  # the last: a folder's own name may begin with \x01
    return folder + b"/" + name[1:]


def decode_record(payload: bytes) -> Record:
    """Parse a record's payload; raises `Corrupt` where the fields are wrong."""
    value = decode_row(payload)
    try:
        return Record(
            size=value["size"],
            type=value["type"],
            paths=tuple(
                SeenPath(
                    each["path"],
                    each["mtime"],
                    each["mode"],
                    each["uid"],
                    each["gid"],
                    each.get("token", ""),
                    each.get("version", ""),
                )
                for each in value["paths"]
            ),
            annotations=tuple(Oid(raw) for raw in value["annotations"]),
            tags=tuple(value["tags"]),
            first_indexed=value["first_indexed"],
            last_indexed=value["last_indexed"],
        )
    except BadInput as error:
        raise Corrupt("record", f"not the fields of an object record: {error.why}") from None


def decode_row(payload: bytes) -> RecordRow:
    """The same without the making of objects: half the time."""
    try:
        return decode_as(payload, RecordRow)
    except BadInput as error:
        raise Corrupt("record", f"not the fields of an object record: {error.why}") from None


def record_view(object_id: bytes, record: Record) -> dict[str, Any]:
    """A record as `--file` expressions see it; times are ISO 8601, UTC."""
    seen = [split_path(each.path) for each in record.paths]
    first = record.paths[0] if record.paths else SeenPath("", 0)
    return {
        "id": object_id.hex(),
        "type": record.type,
        "size": record.size,
        "first_indexed": iso_time(record.first_indexed * 1_000_000),
        "last_indexed": iso_time(record.last_indexed * 1_000_000),
        "tags": list(record.tags),
        "annotation_versions": len(record.annotations),
        "alternate_paths": [{"protocol": scheme, "path": path} for scheme, path in seen],
        "fs": {
            "protocol": seen[0][0] if seen else "",
            "path": seen[0][1] if seen else "",
            "size": record.size,
            "mode": first.mode,
            "uid": first.uid,
            "gid": first.gid,
            "mtime": iso_time(first.mtime),
        },
    }


def split_path(uri: str) -> tuple[str, str]:
    """Protocol and path; a local path is shown without `file://`."""
    scheme, _, rest = uri.partition("://")
    return (scheme, local_part(rest) if scheme == "file" else uri)


def iso_time(nanoseconds: int) -> str:
    """ISO 8601 in UTC, to the millisecond; empty for a time that no calendar holds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{rest // 1_000_000:03d}Z"


@dataclass(frozen=True, slots=True)
class Found:
    """What the index says of some ids: arrays of one length, in the order asked."""

    known: NDArray[np.bool_]
    records: NDArray[np.uint8]
    """Record oids, shape (n, 32); zeros where unknown."""
    annotations: NDArray[np.uint8]
    """Current annotation oids, shape (n, 32); zeros where there is none."""


class Catalog:
    """One version of the index, open for reading; `version` is None before the first run."""

    def __init__(self, instance: Instance, version: Version | None) -> None:
        self.instance = instance
        self.version = version
        self.schema = objects_schema(instance)

    @property
    def objects(self) -> MapRoot | None:
        return self.version.commit.maps["objects"] if self.version else None

    @property
    def paths(self) -> MapRoot | None:
        return self.version.commit.maps["paths"] if self.version else None

    def find(self, ids: NDArray[np.bytes_], progress: Progress = SILENT) -> Found:
        """Look up data object ids, shape (n,) of `S<width>`, in any order."""
        if self.objects is None or not len(ids):
            empty = np.zeros((len(ids), 32), np.uint8)
            return Found(np.zeros(len(ids), np.bool_), empty, empty)
        known, fields = lookup(self.instance.objects, self.schema, self.objects.root, ids, progress)
        return Found(known, fields[0], fields[1])

    def rows(self) -> Iterator[Rows]:
        """Every data object in id order: fields are record oid and annotation oid."""
        if self.objects is not None:
            yield from scan(self.instance.objects, self.schema, self.objects.root)

    def paths_under(
        self, prefix: bytes = b"", start: bytes = b"", stop: bytes | None = None
    ) -> Iterator[Rows]:
        """Rows of `paths` whose URI starts with `prefix` and lies in [start, stop)."""
        if self.paths is not None:
            yield from scan(
                self.instance.objects, PATHS, self.paths.root, prefix, start=start, stop=stop
            )

    def record(self, object_id: ObjectId) -> tuple[Record, Oid | None]:
        """The record and current annotation of one data object; raises `NotFound`."""
        found = self.find(as_keys([object_id], self.instance.id_bytes))
        if not found.known[0]:
            raise NotFound("data object", f"id:{object_id}", "is it indexed? `ldb list ds:root`")
        blob = self.instance.objects.get(Oid(found.records[0].tobytes()), BlobType.RECORD)
        raw = found.annotations[0].tobytes()
        return decode_record(blob.payload), None if raw == NO_OID else Oid(raw)

    def expand(self, digits: str) -> ObjectId:
        """The one data object whose id starts with these hex digits (at least six)."""
        text = digits.lower()
        full = 2 * self.instance.id_bytes
        if not is_hex(text) or len(text) > full:
            raise NotFound(
                "data object", f"id:{digits}", "ids are hex digits; `ldb list PATH` tells them"
            )
        if len(text) < MIN_PREFIX:
            raise NotFound(
                "data object", f"id:{digits}", f"give at least {MIN_PREFIX} digits of the id"
            )
        if len(text) == full:
            return ObjectId.from_hex(text)
        matches = self._starting_with(text)
        if not matches:
            raise NotFound("data object", f"id:{digits}")
        if len(matches) > 1:
            raise Ambiguous("data object", f"id:{digits}", [str(each) for each in matches[:5]])
        return matches[0]

    def _starting_with(self, text: str) -> list[ObjectId]:
        if self.objects is None:
            return []
        whole = bytes.fromhex(text[: len(text) // 2 * 2])
        chunks = scan(self.instance.objects, self.schema, self.objects.root, whole)
        ids = [ObjectId(raw) for chunk in chunks for raw in key_bytes(chunk.keys)]
        return [each for each in ids if each.hex().startswith(text)]


def open_catalog(instance: Instance, version: Version | None = None) -> Catalog:
    """The index as of `version`, by default its head."""
    return Catalog(instance, version or head(instance, INDEX))


def as_keys(ids: Sequence[bytes], width: int) -> NDArray[np.bytes_]:
    """Ids as a key column, shape (n,) of `S<width>`."""
    return np.frombuffer(b"".join(ids), dtype=f"S{width}")


def key_bytes(keys: NDArray[np.bytes_]) -> list[bytes]:
    """The full-width bytes of fixed-width keys (`tolist` would drop trailing zeros)."""
    width = keys.dtype.itemsize
    raw = np.ascontiguousarray(keys).tobytes()
    return [raw[at : at + width] for at in range(0, len(raw), width)]


def among_keys(keys: NDArray[np.bytes_], known: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which keys are in a sorted column. `np.isin` would sort it again each time."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(known.searchsorted(keys), len(known) - 1)
    same: NDArray[np.bool_] = known[at] == keys
    return same


def load_records(
    instance: Instance, oids: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.int64], list[Record]]]:
    """Records for a column of oids, in the store's order: positions and records."""
    for positions, payloads in instance.objects.scan(oids, BlobType.RECORD):
        yield positions, [decode_record(payload) for payload in payloads]


def record_rows(instance: Instance, oids: NDArray[np.uint8]) -> Iterator[list[RecordRow]]:
    """The same without positions and without the making of objects."""
    for _, payloads in instance.objects.scan(oids, BlobType.RECORD):
        yield [decode_row(payload) for payload in payloads]


def annotations_of(rows: Iterable[RecordRow]) -> NDArray[np.bytes_]:
    """Oids of every annotation that the objects of these records ever had, dtype S32."""
    oids = [oid for row in rows for oid in row["annotations"]]
    if any(len(oid) != OID_BYTES for oid in oids):
        raise Corrupt("record", "an annotation's oid of a wrong length")
    return np.frombuffer(b"".join(oids), "S32")


def fill(parts: Iterable[tuple[NDArray[np.int64], list[Any]]], count: int) -> list[Any]:
    """Put scattered (positions, values) back in order; None where nothing came."""
    values: list[Any] = [None] * count
    for positions, found in parts:
        for position, value in zip(positions.tolist(), found, strict=True):
            values[position] = value
    return values
