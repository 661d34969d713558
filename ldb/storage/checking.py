"""Whether data objects still are where they were seen: by reading them, or by a quick look.

Every place gets one `State`. What each means, by reading and by a look:
docs/design/014-fetching.md. Local places here; those in object stores in looking.py and, by
reading, through fetching.py.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ldb.errors import BadInput, LdbError, NotFound
from ldb.storage.cache import Wrong, check
from ldb.storage.fetching import Reader, Wanted, why_not
from ldb.storage.location import local_path
from ldb.storage.reading import HASHES, hash_file


class State(str, Enum):
    """How a place was found."""

    OK = "ok"
    CHANGED = "changed"
    """Something is there, and it is not the data object."""
    MISSING = "missing"
    SUPERSEDED = "superseded"
    """It is not there, and the index knows which other data object is."""
    GONE = "gone"
    """It is not there, and the index knows that no data object is."""
    UNREADABLE = "unreadable"
    """It cannot be told."""


@dataclass(frozen=True, slots=True)
class Place:
    """A data object and one place where it was seen, with what the index has of that."""

    object_id: bytes
    size: int
    uri: str
    mtime: int = 0
    token: str = ""
    version: str = ""
    paths: int = 1
    """Places of the same object, this one included."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at a place."""

    place: Place
    state: State
    why: str = ""
    """What is wrong; empty where it is `OK`."""


def check_local(place: Place, algorithm: str, quick: bool) -> Finding:
    """Look at a local place; unless `quick`, read it."""
    path = local_path(place.uri)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return Finding(place, State.UNREADABLE, "is not a regular file any more")
        if found.st_size != place.size:
            return Finding(place, State.CHANGED, f"{found.st_size} bytes, not {place.size}")
        if quick:
            if place.mtime and found.st_mtime_ns != place.mtime:
                return Finding(place, State.CHANGED, "was written to since it was indexed")
            return Finding(place, State.OK)
        digest, _ = hash_file(path.encode(), algorithm)
    except (FileNotFoundError, NotADirectoryError):
        return Finding(place, State.MISSING, "is not there any more")
    except OSError as error:
        return Finding(place, State.UNREADABLE, f"cannot be read: {error.strerror}")
    except (BadInput, ValueError) as error:
        return Finding(place, State.UNREADABLE, getattr(error, "why", "is not a path"))
    if digest != place.object_id:
        return Finding(place, State.CHANGED, f"its hash is {digest.hex()} now")
    return Finding(place, State.OK)


def read_remote(reader: Reader, places: Sequence[Place], algorithm: str) -> Iterator[Finding]:
    """Read places in object stores, in the order in which they come.

    A version that is gone may still be what the key holds today.
    """

    def take(at: int, pieces: Iterable[bytes]) -> None:
        digest, count = HASHES[algorithm](), 0
        for piece in pieces:
            count += len(piece)
            digest.update(piece)
        check(asked[at].object_id, asked[at].size, count, digest.digest())

    asked, again = list(places), list[Place]()
    while asked:
        wanted = [Wanted(each.uri, each.size, each.version) for each in asked]
        for at, error in reader.read(wanted, take):
            place = asked[at]
            if isinstance(error, NotFound) and place.version:
                again.append(replace(place, version=""))
            else:
                yield remote_finding(place, error)
        asked, again = again, []


def remote_finding(place: Place, error: LdbError | None) -> Finding:
    """The finding that an error (or none) amounts to."""
    if error is None:
        return Finding(place, State.OK)
    if isinstance(error, NotFound):
        return Finding(place, State.MISSING, why_not(error))
    state = State.CHANGED if isinstance(error, Wrong) else State.UNREADABLE
    return Finding(place, state, why_not(error))
