"""Instances that LDB 0.7 and older made (PyPI: ldb-alpha): read, and turned into a new one.

A file an object in JSON: `data_object_info/<id>/`, `objects/<kind>/<md5>`, `datasets/<name>`;
ids are split after three digits. What is here was learnt from instances that 0.7.0 wrote; a
test reads one. The new instance is one of this version, which `imports.py` then takes in like
any export. Nothing is written to the old one.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ldb.catalog import PATHS, Record, SeenPath, encode_record, objects_schema, path_key
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, Corrupt, LdbError, NotFound
from ldb.history import DATASET_MAP, Commit, MapRoot, Operation, encode_commit
from ldb.ids import NO_OID, ObjectId, Oid
from ldb.instance import INSTANCE_KEY, Instance
from ldb.maps import build, sort
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import annotation_payload
from ldb.objects.indexrows import KIND_DATA
from ldb.objects.model import MAX_PAYLOAD, BlobType
from ldb.refs.name import INDEX, dataset_ref
from ldb.transforms import SELF, encode_set

_ID = re.compile(r"[0-9a-f]{32}")
_SCHEMES = {
    "file": "file", "local": "file", "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs",
    "az": "az", "abfs": "az", "abfss": "az", "adl": "az", "http": "http", "https": "https",
}  # fmt: skip
AUTHOR = "ldb-alpha"


@dataclass(frozen=True, slots=True)
class OldLocation:
    """A storage location of the old instance."""

    uri: str
    read_add: bool
    has_options: bool
    """Whether it had options, which may be secret and are not taken over."""


@dataclass(slots=True)
class Legacy:
    """What an old instance holds, as far as it could be read."""

    folder: str
    locations: list[OldLocation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What was left out, and why."""
    objects: int = 0
    datasets: int = 0


@dataclass(slots=True)
class _Object:
    record: Record
    current: bytes
    """Oid of the annotation, or zeros."""


class _Reader:
    """Reads the files, and puts what they hold into a new instance."""

    def __init__(self, folder: str, made: Instance, writer: BatchWriter, found: Legacy) -> None:
        self._folder = folder
        self._made = made
        self._writer = writer
        self._found = found
        self._notes: dict[str, bytes] = {}
        """Name of an old annotation → oid of the new one; zeros where it cannot be one."""
        self._sets: dict[tuple[str, ...], bytes] = {}
        self._names = self._transform_names()
        self._known: frozenset[bytes] = frozenset()

    def read(self) -> None:
        """All of it; the writer is flushed by its owner before refs are made."""
        objects = dict(self._objects())
        self._found.objects = len(objects)
        self._known = frozenset(objects)
        self._index(objects)
        for name in sorted(self._list("datasets")):
            try:
                self._dataset(name)
                self._found.datasets += 1
            except LdbError as error:
                self._found.problems.append(f"dataset {name}: {error}")

    # -- files -------------------------------------------------------------------------

    def _list(self, *parts: str) -> list[str]:
        try:
            return sorted(os.listdir(os.path.join(self._folder, *parts)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _bytes(self, *parts: str) -> bytes:
        path = os.path.join(self._folder, *parts)
        try:
            with open(path, "rb") as file:
                data = file.read(MAX_PAYLOAD + 1)
        except OSError as error:
            raise Corrupt(os.path.join(*parts), f"{self._folder}: {error.strerror}") from None
        if len(data) > MAX_PAYLOAD:
            raise Corrupt(os.path.join(*parts), f"more than {MAX_PAYLOAD} bytes")
        return data

    def _json(self, *parts: str) -> Any:
        data = self._bytes(*parts)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise Corrupt(os.path.join(*parts), f"{self._folder}: no JSON") from None

    def _value(self, kind: str, name: str, *more: str) -> Any:
        if not _ID.fullmatch(name):
            raise Corrupt(kind, f"{self._folder}: {name!r} is no hash")
        return self._json("objects", kind, name[:3], name[3:], *more)

    # -- objects -----------------------------------------------------------------------

    def _objects(self) -> Iterator[tuple[bytes, _Object]]:
        for start in self._list("data_object_info"):
            for rest in self._list("data_object_info", start):
                name = start + rest
                if not _ID.fullmatch(name):
                    continue
                try:
                    yield bytes.fromhex(name), self._object(start, rest)
                except (LdbError, KeyError, TypeError, ValueError, AttributeError) as error:
                    self._found.problems.append(f"data object {name}: {error}")

    def _object(self, start: str, rest: str) -> _Object:
        where = ("data_object_info", start, rest)
        meta = self._json(*where, "meta")
        versions = [
            (int(self._json(*where, "annotations", each)["version"]), each)
            for each in self._list(*where, "annotations")
        ]
        notes = [self._note(name) for _, name in sorted(versions)]
        paths = tuple(_paths(meta))
        if not paths:
            raise BadInput("path", "lies in a store that this version does not know")
        current = NO_OID
        if os.path.exists(os.path.join(self._folder, *where, "current")):
            current = self._note(self._bytes(*where, "current").decode().strip())
        kept = dict.fromkeys(Oid(note) for note in (*notes, current) if note != NO_OID)
        record = Record(
            size=int(meta["fs"]["size"]),
            type=str(meta["type"] or "").lower(),
            paths=paths,
            annotations=tuple(kept),
            tags=tuple(sorted({str(tag) for tag in meta["tags"]})),
            first_indexed=_milliseconds(meta["first_indexed"]),
            last_indexed=_milliseconds(meta["last_indexed"]),
        )
        return _Object(record, current)

    def _note(self, name: str) -> bytes:
        """The annotation of an old name, in the new instance."""
        if name and name not in self._notes:
            try:
                if not _ID.fullmatch(name):
                    raise Corrupt("annotation", f"{name!r} is no hash")
                raw = self._bytes("objects", "annotations", name[:3], name[3:], "user")
                payload = annotation_payload(raw, f"annotation {name}")
                self._notes[name] = self._writer.add(BlobType.ANNOTATION, payload)
            except LdbError as error:
                self._found.problems.append(str(error))
                self._notes[name] = NO_OID
        return self._notes.get(name, NO_OID)

    def _index(self, objects: Mapping[bytes, _Object]) -> None:
        rows, seen = {}, {}
        for name, each in objects.items():
            oid = self._writer.add(BlobType.RECORD, encode_record(each.record))
            rows[name] = (bytes(oid), each.current)
            for path in each.record.paths:
                seen[path_key(path.path.encode())] = (
                    name.ljust(32, b"\0"), each.record.size.to_bytes(8, "little"),
                    bytes(8), bytes(16), bytes([KIND_DATA]),
                )  # fmt: skip
        schema = objects_schema(self._made)
        made = build(self._writer, schema, [schema.rows(rows)] if rows else [])
        paths = build(self._writer, PATHS, sort(PATHS, [PATHS.rows(seen)] if seen else []))
        maps = {"objects": MapRoot(made.oid, made.count), "paths": MapRoot(paths.oid, paths.count)}
        newest = max((each.record.last_indexed for each in objects.values()), default=0)
        self._publish(Commit(INDEX.name, 1, maps, author=AUTHOR, time=newest), None)

    # -- datasets ----------------------------------------------------------------------

    def _dataset(self, name: str) -> None:
        dataset_ref(name)  # raises where none can be called so
        listed = self._json("datasets", name)["versions"]
        before: Oid | None = None
        for number, version in enumerate(listed, start=1):
            value = self._value("dataset_versions", version)
            said = value["commit_info"]
            commit = Commit(
                name=name,
                number=number,
                maps={DATASET_MAP: self._map(value, f"ds:{name}.v{number}")},
                parents=(before,) if before else (),
                operations=(Operation(("import-legacy", f"ds:{name}.v{number}")),),
                author=str(said.get("created_by") or AUTHOR),
                message=str(said.get("commit_message") or ""),
                time=_milliseconds(said["commit_time"]),
            )
            before = self._publish(commit, number - 1)

    def _map(self, value: Any, where: str) -> MapRoot:
        """The map of a version, of the objects that the index knows."""
        chosen = self._value("collections", value["collection"])
        mapping = value.get("transform_mapping_id") or ""
        sets = self._value("transform_mappings", mapping) if mapping else {}
        schema = dataset_schema(self._made)
        rows = {
            bytes(ObjectId.from_hex(name)): (
                bytes(self._note(note or "")),
                self._set(tuple(sorted(sets.get(name) or ()))),
            )
            for name, note in chosen.items()
            if bytes.fromhex(name) in self._known
        }
        if len(rows) < len(chosen):
            gone = len(chosen) - len(rows)
            self._found.problems.append(f"{where}: {gone} data object(s) that its index lacks")
        made = build(self._writer, schema, [schema.rows(rows)] if rows else [])
        return MapRoot(made.oid, made.count)

    def _set(self, names: tuple[str, ...]) -> bytes:
        """A set of transforms; they get the names that the configuration had for them."""
        if names not in self._sets:
            chosen: dict[str, tuple[str, ...] | None] = {}
            for name in names:
                value = self._value("transforms", name)
                if value["transform_type"] == "predefined":
                    chosen[SELF] = None
                else:
                    argv = tuple(map(str, value["value"]))
                    chosen[self._names.get(argv, f"transform-{name[:8]}")] = argv
            blob = encode_set(chosen) if chosen else None
            self._sets[names] = self._writer.add(blob.type, blob.payload) if blob else NO_OID
        return self._sets[names]

    def _transform_names(self) -> dict[tuple[str, ...], str]:
        """Program and arguments → name, out of the old configuration (TOML of one shape)."""
        if not os.path.exists(os.path.join(self._folder, "config")):
            return {}
        text = self._bytes("config").decode("utf-8", "replace")
        found = {}
        for name, run in re.findall(
            r"^\[transform\.([a-z0-9][a-z0-9_-]{0,63})\][^\[]*?^run\s*=\s*(\[.*?\])\s*$",
            text, re.MULTILINE | re.DOTALL,
        ):  # fmt: skip
            try:
                found[tuple(map(str, json.loads(run)))] = name
            except ValueError:
                continue
        return found

    def _publish(self, commit: Commit, before: int | None) -> Oid:
        """A version of a dataset, or of the index, whose blobs are written."""
        self._writer.flush()
        blob = encode_commit(commit)
        self._made.objects.put(blob)
        ref = INDEX if before is None else dataset_ref(commit.name)
        head = self._made.refs.get(ref, before) if before else None
        self._made.refs.advance(ref, head, blob.oid, commit.author)
        return blob.oid


def read_legacy(folder: str, made: Instance) -> Legacy:
    """Read the old instance at `folder` into `made`, which is new and empty.

    Raises `NotFound` where there is none, `BadInput` where `folder` is one of this version.
    """
    if os.path.isfile(os.path.join(folder, INSTANCE_KEY)):
        raise BadInput(folder, "is an instance of this version", "`ldb ds export` carries datasets")
    if not os.path.isdir(os.path.join(folder, "data_object_info")):
        raise NotFound("instance of LDB 0.7 or older", folder, "give the folder with `datasets`")
    found = Legacy(folder)
    with made.objects.writer() as writer:
        reader = _Reader(folder, made, writer, found)
        reader.read()
        if os.path.exists(os.path.join(folder, "storage")):
            found.locations = list(_locations(reader._json("storage")))
    return found


def _locations(value: Any) -> Iterator[OldLocation]:
    for each in value.get("locations", ()):
        uri = _uri(each.get("protocol"), each["path"])
        if uri:
            yield OldLocation(uri, bool(each.get("read_and_add")), bool(each.get("options")))


def _paths(meta: Any) -> Iterator[SeenPath]:
    """Where the object was seen, sorted, each place once; attributes are known of one of them."""
    own = _uri(meta["fs"]["protocol"], meta["fs"]["path"])
    seen = {own} | {_uri(each["protocol"], each["path"]) for each in meta["alternate_paths"]}
    for uri in sorted(seen - {""}):
        if uri != own:
            yield SeenPath(uri, 0)
            continue
        fs = meta["fs"]
        mode, uid, gid = (int(fs.get(name) or 0) for name in ("mode", "uid", "gid"))
        yield SeenPath(uri, _milliseconds(fs.get("mtime")) * 1_000_000, mode, uid, gid)


def _uri(protocol: Any, path: str) -> str:
    """The URI of an old path; empty where this version knows no such store."""
    names = [protocol] if isinstance(protocol, str) else list(protocol or ())
    scheme = next((_SCHEMES[name] for name in names if name in _SCHEMES), "")
    if not scheme or not path.isprintable():
        return ""
    if "://" in path:
        path = path.partition("://")[2]
    if scheme == "file":
        return "file://" + posixpath.normpath("/" + path.lstrip("/"))
    return f"{scheme}://{path.strip('/')}"


def _milliseconds(text: Any) -> int:
    """An ISO time as milliseconds since 1970; 0 where there is none."""
    if not text:
        return 0
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0, round(moment.timestamp() * 1000))
