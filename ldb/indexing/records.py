"""Records of new data objects, put together from bytes that most of them share.

All but five values are the same for most files of a run. The bytes around these come from
the codec itself, so that its format is spelt in one place only.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ldb.catalog import record_payload
from ldb.objects.codec import encode_sorted

_NOTE = bytes(range(0xA0, 0xC0))
_MTIME, _SIZE = 0x7172737475767778, 0x6162636465666768
_PATH = "\x02path\x03"
"""Values that stand for those that differ; they occur in no record by themselves."""

_LATEST = 2**63 - 1

_MOST = 4096
"""Kinds of files of which the shared bytes are kept."""

_Shared = tuple[bytes, ...]
_UNKNOWN: _Shared = (b"",) * 5

_owned = operator.attrgetter("st_mode", "st_uid", "st_gid")


def file_type(uri: str) -> str:
    """The file name's extension without the dot, in lower case; empty where there is none."""
    slash, dot = uri.rfind("/"), uri.rfind(".")
    return uri[dot + 1 :].lower() if dot > slash + 1 else ""


def kept_mtimes(states: Sequence[os.stat_result]) -> list[int]:
    """Nanoseconds since 1970, at most what 64 bits hold (file systems go on to 2446)."""
    mtimes = [state.st_mtime_ns for state in states]
    if mtimes and max(mtimes) > _LATEST:
        mtimes = [min(mtime, _LATEST) for mtime in mtimes]
    return mtimes


@dataclass(frozen=True, slots=True)
class Records:
    """Makes the records of one run: of each file as if it were a new object's only one."""

    run_time: int
    tags: tuple[str, ...]
    _shared: dict[object, _Shared] = field(default_factory=dict)

    def payloads(
        self, notes: Sequence[bytes], states: Sequence[os.stat_result], uris: Sequence[str]
    ) -> list[bytes]:
        """Canonical payloads; a note is the annotation's oid, empty where there is none."""
        shared = self._shared
        # Columns: with a call for each file this takes half as long again.
        kinds = [
            (uri[(dot := uri.rfind(".")) :], uri[dot - 1] == "/", *_owned(state), not note)
            for note, state, uri in zip(notes, states, uris)
        ]
        around = [shared.get(kind, _UNKNOWN) for kind in kinds]
        mtimes = kept_mtimes(states)
        columns = zip(
            around,
            notes,
            map(encode_sorted, mtimes),
            map(encode_sorted, uris),
            map(encode_sorted, [state.st_size for state in states]),
        )
        made = [
            b"%b%b%b%b%b%b%b%b%b" % (one, note, two, mtime, three, uri, four, size, five)
            for (one, two, three, four, five), note, mtime, uri, size in columns
        ]
        if _UNKNOWN in around:
            for at, parts in enumerate(around):
                if parts is _UNKNOWN:
                    made[at] = self._new(kinds[at], notes[at], states[at], mtimes[at], uris[at])
        return made

    def _new(self, kind: object, note: bytes, state: os.stat_result, mtime: int, uri: str) -> bytes:
        """The payload of the first file of a kind, from which the shared bytes are learnt."""
        if len(self._shared) >= _MOST:
            self._shared.clear()
        if kind not in self._shared and (parts := self._learn(note, state, uri)):
            self._shared[kind] = parts
        return self._whole(note, state, mtime, uri, state.st_size, file_type(uri))

    def _learn(self, note: bytes, state: os.stat_result, uri: str) -> _Shared | None:
        """The bytes around what differs; None in the odd case that they cannot be told."""
        rest = self._whole(note and _NOTE, state, _MTIME, _PATH, _SIZE, file_type(uri))
        parts = []
        for value in (note and _NOTE, *map(encode_sorted, (_MTIME, _PATH, _SIZE))):
            part, found, rest = rest.partition(value) if value else (b"", b"", rest)
            parts.append(part)
            if found != value or (value and value in rest):
                return None
        return *parts, rest

    def _whole(
        self, note: bytes, state: os.stat_result, mtime: int, path: str, size: int, kind: str
    ) -> bytes:
        return record_payload(
            annotations=[bytes(note)] if note else [],
            first_indexed=self.run_time,
            last_indexed=self.run_time,
            paths=[
                {
                    "gid": state.st_gid,
                    "mode": state.st_mode,
                    "mtime": mtime,
                    "path": path,
                    "uid": state.st_uid,
                }
            ],
            size=size,
            tags=list(self.tags),
            type=kind,
        )
