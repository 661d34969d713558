"""The protocol between LDB and the place an instance lives in.

Keys are `/`-separated relative names of printable ASCII (see `check_key`). A value is
written once, whole, and never changes afterwards; so whatever has been read may be
kept for ever, and no verb takes a lock. Rules: docs/formats/instance.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Union

from ldb.errors import BadName

Buffer = Union[bytes, memoryview]
"""Bytes that the caller must not modify; may be a window into a mapped file."""

_KEY = re.compile(r"[A-Za-z0-9%.\-][A-Za-z0-9%._\-]*(/[A-Za-z0-9%.\-][A-Za-z0-9%._\-]*)*")
MAX_KEY = 512

MAX_CONDITIONAL = 1 << 20
"""Most bytes of a value created conditionally: stores drop the condition of larger ones."""


class Outcome(Enum):
    """What became of a `create`: losing a race is a value, not an exception."""

    CREATED = "created"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored value, as a listing shows it."""

    key: str
    size: int
    """Bytes."""
    stored: float
    """When it became visible: seconds since 1970 by the store's own clock."""
    token: str = ""
    """Tells this content from any other that is or was at the key, where the store knows: the
    content's MD5 in hex, or something of the store's own. Empty: it does not know."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `start` up to but not including `stop` of the value at `key`."""

    key: str
    start: int = 0
    stop: int | None = None


class Backend(Protocol):
    """A store of immutable values. Safe to use from many processes and threads."""

    @property
    def url(self) -> str:
        """Where this is, for messages and for opening it again in another process."""
        ...

    @property
    def far(self) -> bool:
        """Whether every verb is a request over a network: few and large ones are better."""
        ...

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        """Bytes `[start, stop)` of the value at `key`.

        Strongly consistent: a value whose `create` has returned, here or elsewhere, is
        seen. A range that runs past the end gives what there is. Raises `NotFound`
        where there is no value, `StoreFailed` where the store refuses.
        """
        ...

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        """The same for many ranges, concurrently where that helps; results in order.

        Raises as `read` does for the first range that fails.
        """
        ...

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        """Publish `data` at `key`: atomically visible, and durable on return.

        Of many concurrent creates of one key exactly one gets `CREATED`, and no reader
        ever sees a part of a value. Where a value is there already, it stays and the
        outcome is `EXISTS`. `unconditional` is for keys that name their content (packs,
        loose blobs): the store may skip the race, any winner's bytes being the same.
        Without it `data` has at most `MAX_CONDITIONAL` bytes, and differs from whatever
        else anybody writes there, so that a writer whose answer was lost knows its own.
        Raises `StoreFailed` (full disk, read-only, no rights) with nothing visible.
        """
        ...

    def folders(self, prefix: str) -> list[str]:
        """Sorted names of the sub-folders right under the folder `prefix` (ends in `/`)."""
        ...

    def last_listed(self, prefix: str) -> list[Entry] | None:
        """What some earlier listing of `prefix`, in this process or before, showed.

        Values that came since are missing, some may be gone. None where nobody remembers, or
        where listing costs next to nothing.
        """
        ...

    def prefetch(self, ranges: Sequence[Range]) -> None:
        """Bring ranges here together, where reading them one by one later would take longer."""
        ...

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        """Every value whose key starts with `prefix` and sorts after `after`, by key.

        With `limit` the first so many of them: the store is asked for no more.
        """
        ...

    def forget(self, key: str) -> bool:
        """Drop what this machine keeps of a value that was found to be damaged.

        True where that was something: reading again may help. The value itself stays.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove values; a missing one is no error. For `gc` and `rm`-like commands only.

        In no order: what must be gone before something else goes takes a call of its own.
        Raises `StoreFailed` where it stopped with some of them gone.
        """
        ...


def check_key(key: str) -> None:
    """Raise `BadName` unless `key` is one that every store and file system can hold."""
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):
        raise BadName(repr(key), "not a storable key")
    if any(part in (".", "..") for part in key.split("/")):
        raise BadName(repr(key), "'.' and '..' cannot be parts of a key")
