"""Another backend, with a cache of what it holds on this machine.

What was read is kept in pieces of `PIECE` bytes under the store's URL and the instance's id,
so that a warm command asks the store for one thing only: which ref file is the newest.
The value `instance` comes from the cache as well, and is asked for anew when a ref file shows
up that the cache has not seen, and before anything is written: an instance that was replaced is
noticed before anything of the old one is used for the new. Rules and reasons:
docs/design/012-instances-in-buckets.md.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from ldb.backends.base import Backend, Buffer, Entry, Outcome, Range, check_key
from ldb.backends.objectcache import CacheSettings, ObjectCache
from ldb.errors import Conflict, NotFound

PIECE = 256 * 1024
"""Bytes of a piece, but for the last of a value: about what arrives in the time of an answer."""

WHOLE = 1 << 20
"""Values of at most this many bytes are fetched whole."""

IN_MEMORY = 32 << 20
"""Bytes of pieces that this process has read and checked, most recently used first."""

TOGETHER = 128
"""Ranges fetched ahead at a time: bounds memory."""

VERSIONS = 32
"""Ref files that a listing for fewer asks for, too: the one request that it is then shows whether
some are known here, also where others have added so many."""

INSTANCE = "instance"
PACKS = "objects/pack/"
REFS = "refs/"

Piece = tuple[str, int]


class CachedBackend:
    """`inner` through a cache; keeps its promises."""

    def __init__(self, inner: Backend, settings: CacheSettings) -> None:
        self._inner = inner
        self._settings = settings
        self._places = ObjectCache(settings, "instances by address")
        self._space: ObjectCache | None = None
        self._marker: bytes | None = None
        """The value `instance`, where it has been read."""
        self._confirmed = False
        """Whether the store has shown that it is still this instance."""
        self._tokens: dict[str, str] = {}
        """Of ref files, as they were listed last."""
        self._entries: dict[str, Entry] | None = None
        """Packs and what lies beside them, as listed last."""
        self._pieces: OrderedDict[Piece, bytes] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return CachedBackend, (self._inner, self._settings)

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def far(self) -> bool:
        return self._inner.far

    # -- which instance ----------------------------------------------------------------

    def _instance(self) -> bytes:
        """The value `instance`, from the cache where that has it."""
        if self._marker is None:
            kept = self._places.get(self.url)
            if kept is None:
                return self._ask_instance()
            self._marker = kept
        return self._marker

    def _ask_instance(self) -> bytes:
        """The same from the store; raises `Conflict` where it is another than was used so far."""
        before = self._marker
        try:
            found = bytes(self._inner.read(INSTANCE))
        except NotFound:
            self._places.drop(self.url)
            raise
        if before is not None and before != found:
            self._places.drop(self.url)
            raise Conflict(
                f"instance at {self.url}",
                "the one used before",
                "another, which has replaced it",
                "run the command again; stage datasets anew",
            )
        self._places.put(self.url, found)
        self._marker, self._confirmed = found, True
        return found

    def _confirm(self) -> None:
        """See that the store still is the instance that is cached."""
        if not self._confirmed:
            self._instance()
        if not self._confirmed:
            try:
                self._ask_instance()
            except NotFound:
                hint = "it was there before; has somebody deleted it?"
                raise NotFound("LDB instance", self.url, hint) from None

    @property
    def _cache(self) -> ObjectCache | None:
        """Where this instance's values are kept; None: there is no instance yet."""
        if self._space is None:
            try:
                digest = hashlib.sha256(self._instance()).hexdigest()
            except NotFound:
                return None
            self._space = ObjectCache(self._settings, f"{self.url} {digest}")
        return self._space

    # -- reading -----------------------------------------------------------------------

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        return self.read_many([Range(key, start, stop)])[0]

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        for each in ranges:
            check_key(each.key)
            if each.start < 0 or (each.stop is not None and each.stop < 0):
                raise ValueError(f"negative range [{each.start}, {each.stop})")
        refs = self._refs([each.key for each in ranges if each.key.startswith(REFS)])
        values = [each for each in ranges if each.key != INSTANCE and each.key not in refs]
        found = iter(self._values(values))
        return [
            self._instance()[each.start : each.stop]
            if each.key == INSTANCE
            else refs[each.key][each.start : each.stop]
            if each.key in refs
            else next(found)
            for each in ranges
        ]

    def _refs(self, keys: list[str]) -> dict[str, bytes]:
        """Ref files: the same bytes for ever, but of a replaced instance others."""
        cache = self._cache if keys else None
        found = {}
        for key in keys:
            if key not in self._tokens:
                for _ in self.list(key, limit=1):
                    pass
            token = self._tokens.get(key)
            kept = cache.get(_named(key, token)) if cache and token else None
            if kept is not None:
                self._confirmed = True  # no other instance has a file of this content
                found[key] = kept
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing and self._cache and not self._shows_one_that_is_kept(missing):
            self._confirm()
        for key, data in zip(missing, self._inner.read_many([Range(key) for key in missing])):
            found[key] = bytes(data)
            self._keep_ref(key, found[key], self._tokens.get(key))
        return found

    def _shows_one_that_is_kept(self, keys: list[str]) -> bool:
        """Whether the listing of these ref files held another one that the cache has: as good a
        proof as one of themselves would be, and there is one wherever somebody else went on."""
        folders = {key.rpartition("/")[0] for key in keys}
        for key, token in self._tokens.items():
            if self._confirmed:
                break
            if token and key.rpartition("/")[0] in folders and self._cache:
                self._confirmed = self._cache.get(_named(key, token)) is not None
        return self._confirmed

    def _keep_ref(self, key: str, data: bytes, token: str | None) -> None:
        if token and self._cache:
            self._cache.put(_named(key, token), data)

    def _values(self, ranges: Sequence[Range]) -> list[Buffer]:
        if not ranges or self._cache is None:
            return self._inner.read_many(ranges)
        pieces = self._gathered(ranges)
        return [_cut(each, pieces) for each in ranges]

    def prefetch(self, ranges: Sequence[Range]) -> None:
        if self._cache is not None:
            for at in range(0, len(ranges), TOGETHER):
                self._gathered(ranges[at : at + TOGETHER])

    def _gathered(self, ranges: Sequence[Range]) -> dict[Piece, bytes]:
        """All pieces that the ranges touch; those that are not kept are fetched together."""
        pieces: dict[Piece, bytes] = {}
        wanted: dict[Range, None] = {}
        for each in ranges:
            wanted.update(dict.fromkeys(self._missing(each, pieces)))
        fetched = self._inner.read_many(list(wanted)) if wanted else []
        for run, data in zip(wanted, fetched):
            self._keep(run.key, run.start, data, pieces)
        return pieces

    def _missing(self, wanted: Range, pieces: dict[Piece, bytes]) -> list[Range]:
        """What has to be fetched, whole pieces, for a range; pieces that are kept are filled in."""
        key, size = wanted.key, self._size(wanted.key)
        stop = wanted.stop
        if size is not None:
            stop = size if stop is None else min(size, stop)
        number = wanted.start // PIECE
        absent: list[int] = []
        while stop is None or number * PIECE < max(stop, wanted.start + 1):
            piece = self._piece((key, number))
            if piece is None:
                if stop is None:
                    return [Range(key, number * PIECE)]
                absent.append(number)
            else:
                pieces[key, number] = piece
                if len(piece) < PIECE:
                    break
            number += 1
        if absent and size is not None and size <= WHOLE:
            absent = [at for at in range(-(-size // PIECE)) if (key, at) not in pieces]
        return [Range(key, low * PIECE, high * PIECE) for low, high in _runs(absent)]

    def _piece(self, name: Piece) -> bytes | None:
        """A piece as it is kept, in memory or in a file."""
        with self._lock:
            found = self._pieces.get(name)
            if found is not None:
                self._pieces.move_to_end(name)
                return found
        found = self._cache.get(*name) if self._cache else None
        if found is not None:
            self._hold(name, found)
        return found

    def _hold(self, name: Piece, data: bytes) -> None:
        with self._lock:
            old = self._pieces.pop(name, b"")
            self._pieces[name] = data
            self._held += len(data) - len(old)
            while self._held > IN_MEMORY:
                self._held -= len(self._pieces.popitem(last=False)[1])

    def _keep(self, key: str, start: int, data: Buffer, pieces: dict[Piece, bytes]) -> None:
        """Cut what was fetched into pieces, the last of them shorter where the value ends."""
        view = memoryview(data)
        for at in range(0, len(view) + 1, PIECE):
            if at == len(view) and at:  # the value ends elsewhere, or at a border of pieces
                break
            name = key, (start + at) // PIECE
            pieces[name] = bytes(view[at : at + PIECE])
            self._hold(name, pieces[name])
            if self._cache:
                self._cache.put(key, pieces[name], name[1])

    def forget(self, key: str) -> bool:
        with self._lock:
            held = [name for name in self._pieces if name[0] == key]
            for name in held:
                self._held -= len(self._pieces.pop(name))
        kept = self._cache.drop_all(key) if self._cache else False
        return kept or bool(held)

    # -- listing -----------------------------------------------------------------------

    def folders(self, prefix: str) -> list[str]:
        return self._inner.folders(prefix)

    def last_listed(self, prefix: str) -> list[Entry] | None:
        if not prefix.startswith(PACKS):
            return None
        if self._entries is None and self._cache:
            self._entries = _decode_listing(self._cache.get(_LISTING))
        if self._entries is None:
            return None
        if prefix in self._entries:
            return [self._entries[prefix]]
        return [each for key, each in self._entries.items() if key.startswith(prefix)]

    def _size(self, key: str) -> int | None:
        """Bytes of a value, where a listing has told."""
        if self._entries is None:
            self.last_listed(PACKS)
        entry = (self._entries or {}).get(key)
        return entry.size if entry else None

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        if prefix.startswith(REFS):
            return self._noting(prefix, after, limit)
        found = self._inner.list(prefix, after, limit)
        if (prefix, after, limit) == (PACKS, "", None):
            return self._remembering(found)
        return found

    def _noting(self, prefix: str, after: str, limit: int | None) -> Iterator[Entry]:
        asked = limit and max(limit, VERSIONS)
        entries = list(self._inner.list(prefix, after, asked))
        self._tokens.update((entry.key, entry.token) for entry in entries)
        if not entries and self._cache:
            self._confirm()  # another instance may be why there is nothing
        yield from entries[:limit]

    def _remembering(self, found: Iterator[Entry]) -> Iterator[Entry]:
        entries = {}
        for entry in found:
            entries[entry.key] = entry
            yield entry
        self._remember(entries)

    def _remember(self, entries: dict[str, Entry]) -> None:
        self._entries = entries
        if self._cache:
            self._cache.put(_LISTING, _encode_listing(entries))

    # -- writing -----------------------------------------------------------------------

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        if key != INSTANCE and self._cache:
            self._confirm()
        outcome = self._inner.create(key, data, unconditional=unconditional)
        if outcome is Outcome.CREATED:
            self._created(key, data)
        return outcome

    def _created(self, key: str, data: Buffer) -> None:
        if key == INSTANCE:
            self._places.drop(self.url)
            self._marker = self._space = None
        elif key.startswith(REFS):
            token = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self._tokens[key] = token
            self._keep_ref(key, bytes(data), token)
        elif self._cache:
            self.forget(key)
            self._keep(key, 0, data, {})
            if key.startswith(PACKS) and self._size(key) != len(data) and self._entries is not None:
                self._remember({**self._entries, key: Entry(key, len(data), time.time())})

    def delete(self, keys: Iterable[str]) -> None:
        gone = list(keys)
        for key in gone:
            check_key(key)
        try:
            self._inner.delete(gone)
        finally:  # where it failed, nobody knows how far it came
            for key in gone:
                self._deleted(key)

    def _deleted(self, key: str) -> None:
        if key == INSTANCE:
            self._places.drop(self.url)
            self._marker, self._space, self._entries = None, None, None
            self._tokens.clear()
        self.forget(key)
        self._tokens.pop(key, None)
        if self._entries:
            self._entries.pop(key, None)


_LISTING = "listing of " + PACKS


def _named(key: str, token: str) -> str:
    return f"{key} {token}"


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Numbers in ascending order as ranges of neighbours."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = runs[-1][0], number + 1
        else:
            runs.append((number, number + 1))
    return runs


def _cut(wanted: Range, pieces: dict[Piece, bytes]) -> Buffer:
    """The bytes of a range out of pieces, as far as the value goes."""
    first = number = wanted.start // PIECE
    parts = []
    while wanted.stop is None or number * PIECE < wanted.stop:
        piece = pieces.get((wanted.key, number))
        if piece is None:
            break
        parts.append(piece)
        if len(piece) < PIECE:
            break
        number += 1
    low = wanted.start - first * PIECE
    high = None if wanted.stop is None else max(low, wanted.stop - first * PIECE)
    if len(parts) == 1:
        return memoryview(parts[0])[low:high]
    return b"".join(parts)[low:high]


def _encode_listing(entries: dict[str, Entry]) -> bytes:
    rows = [[each.key, each.size, each.stored, each.token] for each in entries.values()]
    return json.dumps(rows).encode()


def _decode_listing(data: bytes | None) -> dict[str, Entry] | None:
    try:
        rows = json.loads(data) if data is not None else None
        return None if rows is None else {row[0]: Entry(*row) for row in rows}
    except (ValueError, TypeError, LookupError):
        return None
