"""What the label files of one location say, settled: which data object gets which annotation.

Runs in the parent. Annotations are written to packs as they are read, and 32 bytes of each are
kept; what is wrong is reported by file and record. Design: docs/design/018-label-formats.md.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ldb.catalog import PATHS, Catalog, as_keys, key_bytes, path_key
from ldb.errors import LdbError
from ldb.formats.base import Labelled, Listing, Read, Reader, State, Trouble, joined, why_of
from ldb.formats.registry import Chosen
from ldb.ids import is_hex
from ldb.maps import lookup
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import decode, encode
from ldb.objects.indexrows import KIND_DATA
from ldb.objects.model import BlobType
from ldb.storage.listing import Report
from ldb.storage.location import has_scheme, is_local, shown, uri_of

_Name = TypeVar("_Name", str, bytes)

MOST_REPORTED = 50
"""Problems of one label file that are told one by one."""

TOGETHER = 2048
"""Annotations that are stored, and ids that are looked up, at a time."""

TOGETHER_BYTES = 32 << 20


def digest_of(chosen: Chosen) -> bytes:
    """What a label file's row holds: it was read as this format, with these parameters."""
    words = "\0".join([chosen.name, *(f"{key}={chosen.params[key]}" for key in chosen.params)])
    return hashlib.sha256(b"ldb-labels 1\0" + words.encode("utf-8", "surrogateescape")).digest()


@dataclass(slots=True)
class Labels:
    """Annotations of one location; `take` fills it."""

    catalog: Catalog
    listing: Listing
    report: Report
    with_data: bool = True
    """Whether data files lie in the listing."""
    notes: dict[str, bytes] = field(default_factory=dict)
    """Name in the listing → oid of its annotation."""
    elsewhere: dict[bytes, bytes] = field(default_factory=dict)
    """Id of a data object that the index knows → oid of its annotation; empty: the one it has."""
    states: dict[bytes, State] = field(default_factory=dict)
    """Id of a data object → the newest state that its annotation was given in; of one run."""
    troubled: set[str] = field(default_factory=set)
    """Label files about which something was reported; empty name: about all of them."""
    count: int = 0
    outdated: int = 0
    """Annotations left out because a newer state of the same record is there."""
    _told: Counter[str] = field(default_factory=Counter)

    def take(self, reader: Reader, labels: Sequence[str], writer: BatchWriter) -> None:
        """Read these label files."""
        waiting: list[tuple[Labelled, bytes]] = []
        size = 0
        for each in self._read(reader, labels):
            if isinstance(each, Trouble):
                self.tell(each.source, each.why, each.record)
                continue
            try:
                waiting.append((each, encode(each.value, "annotation")))
                size += len(waiting[-1][1])
            except LdbError as error:
                self.tell(each.source, why_of(error), each.record)
            if len(waiting) >= TOGETHER or size > TOGETHER_BYTES:
                self._settle(waiting, writer)
                waiting, size = [], 0
        self._settle(waiting, writer)
        self._tell_rest()

    def _read(self, reader: Reader, labels: Sequence[str]) -> Iterator[Read]:
        try:
            yield from reader.read(self.listing, labels)
        except LdbError as error:
            yield Trouble("", why_of(error))

    def tell(self, source: str, why: str, record: str = "") -> None:
        """Report something about a label file; it will be read again."""
        self.troubled.add(source)
        self._told[source] += 1
        if self._told[source] <= MOST_REPORTED:
            self.report(self._path(source), f"{record}: {why}" if record else why)

    def _tell_rest(self) -> None:
        for source, count in self._told.items():
            if count > MOST_REPORTED:
                self.report(self._path(source), f"{count - MOST_REPORTED:,} more problems")

    def _path(self, source: str) -> bytes:
        uri = self.listing.uri
        return os.fsencode(shown(uri) + source)

    def _settle(self, waiting: Sequence[tuple[Labelled, bytes]], writer: BatchWriter) -> None:
        """Find the data objects of some annotations, and store these."""
        found = [
            (each, _with_id(each, name) if each.id_at else payload, name)
            for (each, payload), name in zip(waiting, self._objects(waiting))
            if name is not None
        ]
        found = self._news(found)
        oids = writer.add_many(BlobType.ANNOTATION, [payload for _, payload, _ in found])
        for (each, _, name), oid in zip(found, oids, strict=True):
            if name:
                self._give(self.elsewhere, name, f"id:{name.hex()}", oid, each)
            else:
                self._give(self.notes, each.path, each.path, oid, each)

    def _news(
        self, found: list[tuple[Labelled, bytes, bytes]]
    ) -> list[tuple[Labelled, bytes, bytes]]:
        """Those that say something new of their data objects, as far as the format can tell."""
        current = self._current({
            name for each, _, name in found if name and (each.stays or each.state_of)
        })  # fmt: skip
        kept: dict[int, tuple[Labelled, bytes, bytes]] = {}
        newest: dict[bytes, int] = {}
        for at, one in enumerate(found):
            each, _, name = one
            state = each.state_of(each.value) if name and each.state_of else None
            if state and each.state_of:
                if not self._is_news(state, name, each.state_of(current.get(name))):
                    continue
                if self.states[name] is state:
                    self.outdated += kept.pop(newest.get(name, -1), None) is not None
                    newest[name] = at
            if name and each.stays and each.stays(current.get(name)):
                self.count += 1
            else:
                kept[at] = one
        return list(kept.values())

    def _is_news(self, state: State, name: bytes, stored: State | None) -> bool:
        """Whether a state is news beside what came before it in this run, and what is stored."""
        before = self.states.get(name, state)
        if before is not state and before.of == state.of:
            if self._is_known(state, before):
                return False
            if state.time == before.time:
                return True  # something else at the same time, which is told where it is given
            if self.elsewhere.get(name):
                self.outdated, self.count = self.outdated + 1, self.count - 1
            self.elsewhere[name] = b""
        if before.of == state.of:
            self.states[name] = state
        return stored is None or stored.of != state.of or not self._is_known(state, stored)

    def _is_known(self, state: State, other: State) -> bool:
        """Whether a state of the same record is older than another one, or says the same."""
        older = state.time < other.time
        same = state.time == other.time and state.says == other.says
        self.outdated += older
        self.count += same
        return older or same

    def _current(self, names: Collection[bytes]) -> dict[bytes, Any]:
        """The annotations that these data objects have in the index."""
        if not names:
            return {}
        asked = sorted(names)
        oids = self.catalog.find(as_keys(asked, self.catalog.instance.id_bytes)).annotations
        there = np.flatnonzero(oids.any(axis=1))
        current: dict[bytes, Any] = {}
        store = self.catalog.instance.objects
        for positions, payloads in store.scan(oids[there], BlobType.ANNOTATION):
            for at, payload in zip(there[positions].tolist(), payloads, strict=True):
                current[asked[at]] = decode(payload)
        return current

    def _objects(self, waiting: Sequence[tuple[Labelled, bytes]]) -> list[bytes | None]:
        """The data object that each is for: by id, then by name (empty), then by path."""
        known = self._known([each.id for each, _ in waiting])
        found: list[bytes | None] = []
        away = []
        for at, (each, _) in enumerate(waiting):
            name = _id_bytes(each.id)
            if name in known:
                found.append(name)
            elif self.with_data and each.path in self.listing:
                found.append(b"")
            else:
                found.append(None)
                away.append(at)
        there = self._at([self._key(waiting[at][0].path) for at in away])
        for at, name in zip(away, there, strict=True):
            each = waiting[at][0]
            if name:
                found[at] = name
            else:
                self.tell(each.source, _why_unknown(each), each.record)
        return found

    def _give(
        self, notes: dict[_Name, bytes], name: _Name, what: str, oid: bytes, each: Labelled
    ) -> None:
        """The first counts: one that says something else is a problem."""
        before = notes.get(name)
        notes[name] = before or bytes(oid)
        if notes[name] != oid:
            self.tell(each.source, f"{what} has another annotation already", each.record)
        else:
            self.count += 1

    def _known(self, ids: Sequence[str]) -> set[bytes]:
        """Those of the ids that the index knows."""
        width = self.catalog.instance.id_bytes
        wanted = sorted({name for each in ids if len(name := _id_bytes(each)) == width})
        found = self.catalog.find(as_keys(wanted, width))
        return {name for name, there in zip(wanted, found.known.tolist()) if there}

    def _key(self, path: str) -> bytes:
        """The key that the index would have for a path which is not in the listing."""
        if not path:
            return b""
        if has_scheme(path):
            uri = path
        elif path.startswith("/"):
            uri = uri_of(path) if is_local(self.listing.uri) else ""
        else:
            scheme, _, below = self.listing.uri.partition("://")
            rest = joined([*below.split("/"), *path.split("/")])
            uri = f"{scheme}://{'/' if below.startswith('/') else ''}{rest}" if rest else ""
        return path_key(uri.encode("utf-8", "surrogateescape")) if uri else b""

    def _at(self, keys: Sequence[bytes]) -> list[bytes]:
        """The data object id at each key of `paths`; empty where there is none."""
        if self.catalog.paths is None or not any(keys):
            return [b""] * len(keys)
        width = self.catalog.instance.id_bytes
        known, fields = lookup(
            self.catalog.instance.objects, PATHS, self.catalog.paths.root, PATHS.column(list(keys))
        )
        data = known & (fields[4].ravel() == KIND_DATA)
        ids = key_bytes(np.ascontiguousarray(fields[0][:, :width]).view(f"S{width}").ravel())
        return [name if there else b"" for name, there in zip(ids, data.tolist())]


def _id_bytes(digits: str) -> bytes:
    lower = digits.lower()
    return bytes.fromhex(lower) if is_hex(lower) and len(lower) % 2 == 0 else b""


def _with_id(each: Labelled, name: bytes) -> bytes:
    """The payload, with the id of the data object written into the value."""
    *keys, last = each.id_at
    place = each.value
    for key in keys:
        place = place[key]
    place[last] = name.hex()
    return encode(each.value, "annotation")


def _why_unknown(each: Labelled) -> str:
    if each.path and each.id:
        return f"neither id:{each.id} nor {each.path} is known; index the data first"
    if each.path:
        return f"{each.path} is neither here nor in the index"
    return f"id:{each.id} is not in the index" if each.id else "names no data object"
