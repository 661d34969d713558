"""Records of new data objects, put together from bytes that most of them share.

All but five values are the same for most files of a run. The bytes around these come from
the codec itself, so that its format is spelt in one place only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ldb.catalog import record_payload
from ldb.objects.codec import encode_sorted

_NOTE = bytes(range(0xA0, 0xC0))
_MTIME, _SIZE = 0x7172737475767778, 0x6162636465666768
_PATH = "\x02path\x03"
"""Values that stand for those that differ; they occur in no record by themselves."""

_MOST = 4096
"""Kinds of files of which the shared bytes are kept."""

_Shared = tuple[bytes, ...]


def file_type(uri: str) -> str:
    """The file name's extension without the dot, in lower case; empty where there is none."""
    slash, dot = uri.rfind("/"), uri.rfind(".")
    return uri[dot + 1 :].lower() if dot > slash + 1 else ""


def kept_mtime(state: os.stat_result) -> int:
    """Nanoseconds since 1970, at most what 64 bits hold (file systems go on to 2446)."""
    return min(state.st_mtime_ns, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Records:
    """Makes the records of one run: of each file as if it were a new object's only one."""

    run_time: int
    tags: tuple[str, ...]
    _shared: dict[object, _Shared | None] = field(default_factory=dict)

    def payloads(
        self, notes: Sequence[bytes], states: Sequence[os.stat_result], uris: Sequence[str]
    ) -> list[bytes]:
        """Canonical payloads; a note is the annotation's oid, empty where there is none."""
        columns = zip(
            map(self._around, notes, states, uris),
            notes,
            map(encode_sorted, [kept_mtime(state) for state in states]),
            map(encode_sorted, uris),
            map(encode_sorted, [state.st_size for state in states]),
        )
        made = [
            b"%b%b%b%b%b%b%b%b%b"
            % (part[0], note, part[1], mtime, part[2], uri, part[3], size, part[4])
            if part
            else b""
            for part, note, mtime, uri, size in columns
        ]
        for at, payload in enumerate(made):
            if not payload:
                state, uri = states[at], uris[at]
                whole = (kept_mtime(state), uri, state.st_size, file_type(uri))
                made[at] = self._whole(notes[at], state, *whole)
        return made

    def _around(self, note: bytes, state: os.stat_result, uri: str) -> _Shared | None:
        """The bytes that this file's record shares with others."""
        dot = uri.rfind(".")
        # What the type is derived from: all of it, so that a hit needs no derivation.
        kind = uri[dot:], uri[dot - 1] == "/", state.st_mode, state.st_uid, state.st_gid, not note
        try:
            return self._shared[kind]
        except KeyError:
            return self._learn(kind, note, state, uri)

    def _learn(self, kind: object, note: bytes, state: os.stat_result, uri: str) -> _Shared | None:
        """The bytes around what differs; None in the odd case that they cannot be told."""
        rest = self._whole(note and _NOTE, state, _MTIME, _PATH, _SIZE, file_type(uri))
        parts = []
        for value in (note and _NOTE, *map(encode_sorted, (_MTIME, _PATH, _SIZE))):
            part, found, rest = rest.partition(value) if value else (b"", b"", rest)
            parts.append(part)
            if found != value or (value and value in rest):
                parts = []
                break
        shared = (*parts, rest) if parts else None
        if len(self._shared) >= _MOST:
            self._shared.clear()
        self._shared[kind] = shared
        return shared

    def _whole(
        self, note: bytes, state: os.stat_result, mtime: int, path: str, size: int, kind: str
    ) -> bytes:
        return record_payload(
            annotations=[note] if note else [],
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
