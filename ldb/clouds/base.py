"""The protocol between LDB and one bucket of an object store.

A client is made by `ldb.clouds.opening.open_client` and is safe to use from many threads,
not across a fork. Every call has a time-out, retries what may pass (429, 5xx, resets,
time-outs) a bounded number of times with growing, jittered pauses, and then raises
`StoreFailed` with what was tried, where, and no secret in it. Nothing is cached: a listing
shows what the store has now. Rules and reasons: docs/design/010-clouds.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ldb.errors import LdbError

PUT_AT_ONCE = 32 << 20
"""Larger values go in parts, where the store has them: a part that fails is sent again, not all."""


class Put(Enum):
    """What became of a conditional `create`, as the store told it."""

    CREATED = "created"
    EXISTS = "exists"
    """The store said that the key is taken."""
    DOUBT = "doubt"
    """No clear answer, or one that a retry inside a library can have made false: the value
    may or may not be there, and may or may not be ours. Read back."""


@dataclass(frozen=True, slots=True)
class Stat:
    """One stored object, as a listing or a `head` shows it."""

    key: str
    """Whole key in the bucket; any unicode text, as users name their files."""
    size: int
    """Bytes."""
    modified: int
    """When it was stored: nanoseconds since 1970 by the store's own clock."""
    token: str = ""
    """Changes whenever the content at the key is replaced: the ETag (S3, Azure; without
    quotes) or the generation (Google). Empty where the store has none (some HTTP servers)."""
    md5: bytes | None = None
    """MD5 of the content where the store vouches for it: a single-part S3 ETag of an object
    that is not encrypted by KMS, Google's md5Hash, Azure's Content-MD5. 16 bytes."""
    version: str | None = None
    """S3 version id or Google generation, by which exactly these bytes can be read later
    where the bucket keeps versions; None where it does not."""


@dataclass(frozen=True, slots=True)
class Get:
    """Bytes `start` up to but not including `stop` of the object at `key`.

    With `token`, only of the object that has it: of any other, `Changed`.
    With `version`, of that version, whatever the key holds today.
    """

    key: str
    start: int = 0
    stop: int | None = None
    token: str = ""
    version: str | None = None


class Changed(LdbError):
    """The object at `where` is not the one that was asked for any more."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where}: was overwritten since it was listed", "index it again")
        self.where = where


@dataclass(frozen=True, slots=True)
class Stretch:
    """Keys after `after`, up to and including `last`; to the end of the prefix if that is empty.

    Both are any text: there need not be such a key.
    """

    after: str
    last: str = ""

    def holds(self, key: str) -> bool:
        """Whether a key after `after` is not beyond the end."""
        return not self.last or key <= self.last


class Client(Protocol):
    """One bucket (S3, Google), container (Azure) or HTTP host."""

    @property
    def url(self) -> str:
        """`scheme://bucket`, for messages; never holds a secret."""
        ...

    def get(self, wanted: Get) -> bytes:
        """The bytes asked for; a range that runs past the end gives what there is.

        Raises `NotFound`, `Changed`, `StoreFailed`. Truncated answers are never returned.
        """
        ...

    def get_many(
        self, wanted: Sequence[Get], *, concurrency: int = 64
    ) -> Iterator[tuple[int, bytes | LdbError]]:
        """The same for many, concurrently: (position in `wanted`, bytes or the error).

        In the order they arrive. At most `concurrency` answers are under way or waiting to
        be taken, so memory is bounded by that many of the largest; abandon the iterator and
        the rest is not fetched.
        """
        ...

    def stream(self, wanted: Get, piece: int = 8 << 20) -> Iterator[bytes]:
        """The bytes asked for, in pieces of at most `piece` bytes, memory bounded by a few.

        All pieces are of one object: where it is replaced in between, `Changed`.
        """
        ...

    def head(self, key: str) -> Stat:
        """What is at `key` now; raises `NotFound`, `StoreFailed`."""
        ...

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Stat]:
        """Objects whose key starts with `prefix` and sorts after `after`, by UTF-8 bytes.

        `limit` bounds what is asked of the store as well. `md5` and `token` are filled from
        the listing alone. A bucket that does not exist raises `NotFound`, never an empty
        listing.
        """
        ...

    def list_parallel(self, prefix: str = "", concurrency: int = 8) -> Iterator[Stat]:
        """All objects under `prefix` in the order of `list`, fetched by several requests at once.

        Splits by common prefixes; falls back to `list` where there are none.
        """
        ...

    def cut(self, prefix: str, stretch: Stretch, pieces: int) -> Sequence[Stretch]:
        """A stretch of the keys under `prefix`, in at least so many that follow one another.

        Where to cut is looked up in the store, by a request or so for each piece. Fewer where
        there are not so many places; only one where a listing cannot begin anywhere
        (`walking.py`).
        """
        ...

    def list_stretches(
        self, prefix: str, stretches: Sequence[Stretch], most: int
    ) -> Sequence[tuple[Sequence[Stat], str]]:
        """Stretches listed side by side, each as far as `most` keys and the rest of a page.

        For each what there is, and the key after which it goes on; empty where that was all.
        """
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Sorted names of the "folders" right under `prefix` (empty, or ends in `/`)."""
        ...

    def create(self, key: str, data: bytes) -> Put:
        """Store `data` at `key` if nothing is there: one conditional request per try.

        For small values (< 1 MiB). Never overwrites. Raises `StoreFailed` where the store
        refused (no rights, no such bucket) or stayed out of reach after all tries with
        nothing sent.
        """
        ...

    def put(self, key: str, data: bytes | memoryview) -> Stat:
        """Store `data` at `key`, replacing what is there; any size, durable on return.

        `Stat.modified` may be 0 where the store does not answer with it.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, in no order; a missing one is no error.

        Where one fails for good no more are asked for; those under way may go all the same.
        """
        ...

    def close(self) -> None:
        """Give back connections and threads."""
        ...
