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

_LATEST = 2**63 - 1

_MOST = 4096
"""Kinds of files of which the shared bytes are kept."""

_Shared = tuple[bytes, ...]
Kind = tuple[str, bool, int, int, int]
"""Ending of the name, whether there is no annotation, mode, owner, group."""


def file_type(uri: str) -> str:
    """The file name's extension without the dot, in lower case; empty where there is none."""
    slash, dot = uri.rfind("/"), uri.rfind(".")
    return uri[dot + 1 :].lower() if dot > slash + 1 else ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """File attributes of many files: lists of one length."""

    mtimes: list[int]
    """Nanoseconds since 1970, at most what 64 bits hold (file systems go on to 2446)."""
    modes: list[int]
    uids: list[int]
    gids: list[int]
    sizes: list[int]


def attributes_of(states: Sequence[os.stat_result]) -> Attributes:
    """The attributes in these states."""
    mtimes = [state.st_mtime_ns for state in states]
    if mtimes and max(mtimes) > _LATEST:
        mtimes = [min(mtime, _LATEST) for mtime in mtimes]
    return Attributes(
        mtimes,
        [state.st_mode for state in states],
        [state.st_uid for state in states],
        [state.st_gid for state in states],
        [state.st_size for state in states],
    )


@dataclass(frozen=True, slots=True)
class Records:
    """Makes the records of one run: of each file as if it were a new object's only one."""

    run_time: int
    tags: tuple[str, ...]
    _shared: dict[Kind, _Shared] = field(default_factory=dict)
    _odd: set[Kind] = field(default_factory=set)

    def payloads(
        self, notes: Sequence[bytes], files: Attributes, uris: Sequence[str]
    ) -> list[bytes]:
        """Canonical payloads; a note is the annotation's oid, empty where there is none."""
        # Columns: with a call for each file this takes half as long again.
        endings = [uri[dot:] if uri[(dot := uri.rfind(".")) - 1] != "/" else "" for uri in uris]
        alone = [not note for note in notes]
        kinds = list(zip(endings, alone, files.modes, files.uids, files.gids))
        for at, kind in enumerate(kinds):
            if kind not in self._shared:
                self._learn(kind, notes[at], uris[at])
        around = map(self._shared.__getitem__, kinds)
        columns = zip(
            around,
            notes,
            map(encode_sorted, files.mtimes),
            map(encode_sorted, uris),
            map(encode_sorted, files.sizes),
        )
        made = [
            b"%b%b%b%b%b%b%b%b%b" % (one, note, two, mtime, three, uri, four, size, five)
            for (one, two, three, four, five), note, mtime, uri, size in columns
        ]
        if len(self._shared) > _MOST:
            self._shared.clear()
        if self._odd:
            for at, kind in enumerate(kinds):
                if kind in self._odd:
                    values = files.mtimes[at], uris[at], files.sizes[at]
                    made[at] = self._whole(kind, notes[at], *values, file_type(uris[at]))
        return made

    def _learn(self, kind: Kind, note: bytes, uri: str) -> None:
        """The bytes around what differs; `_odd` is for kinds of which they cannot be told."""
        rest = self._whole(kind, note and _NOTE, _MTIME, _PATH, _SIZE, file_type(uri))
        parts = []
        for value in (note and _NOTE, *map(encode_sorted, (_MTIME, _PATH, _SIZE))):
            part, found, rest = rest.partition(value) if value else (b"", b"", rest)
            parts.append(part)
            if found != value or (value and value in rest):
                self._odd.add(kind)
        self._shared[kind] = (*parts, rest)

    def _whole(
        self, kind: Kind, note: bytes, mtime: int, path: str, size: int, ending: str
    ) -> bytes:
        _, _, mode, uid, gid = kind
        return record_payload(
            annotations=[bytes(note)] if note else [],
            first_indexed=self.run_time,
            last_indexed=self.run_time,
            paths=[{"gid": gid, "mode": mode, "mtime": mtime, "path": path, "uid": uid}],
            size=size,
            tags=list(self.tags),
            type=ending,
        )
