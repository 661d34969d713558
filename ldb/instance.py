"""An instance: object store, refs and settings in one place.

`create` and `open_instance` are the two ways to get one. Settings (storage locations) are
a blob under a ref of their own, so changing them is a compare-and-swap like any other.
Layout: docs/formats/instance.md.
"""

from __future__ import annotations

import hashlib
import json
import platform
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from ldb.backends.base import Backend, Outcome
from ldb.backends.opening import open_backend
from ldb.errors import SAME_DISKS, BadInput, Conflict, Corrupt, NotFound, Unsupported
from ldb.garbage.guard import Needs, advance
from ldb.ids import HASH_BYTES
from ldb.objects.codec import decode, encode, fitting
from ldb.objects.model import Blob, BlobType
from ldb.objects.store import ObjectStore
from ldb.refs.name import SETTINGS
from ldb.refs.store import Advanced, Lost, Ref, RefStore

FORMAT = 1
INSTANCE_KEY = "instance"
MAX_FILE = 64 * 1024
"""Bytes of the value `instance` that are read; it has a hundred and fifty."""
MAX_TRIES = 200
"""Races lost in a row before an update gives up: far beyond what live writers can cause."""

SHORTEST, LONGEST, DOUBLINGS = 0.005, 30.0, 5
"""A pause after a lost race is at most 2^5 times what the attempt took, and 30 s."""


@dataclass(frozen=True, slots=True)
class Location:
    """A registered storage location."""

    url: str
    """Folder or bucket prefix, without a trailing slash; local ones as `file:///…`. A bare
    `s3://` stands for all buckets."""
    read_add: bool = False
    """Whether ephemeral files may be copied into it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """How the bucket is reached; never a secret (`ldb/clouds/options.py`)."""
    trust_etag: bool = False
    """Whether an MD5 in the store's listing is believed without reading the object."""

    @property
    def is_scheme(self) -> bool:
        """Whether this is all of a kind of store, which may hold other locations."""
        return self.url.endswith("://")

    def holds(self, url: str) -> bool:
        """Whether `url` is this location or lies inside it."""
        return url == self.url or url.startswith(self.url.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an instance knows besides objects and refs."""

    locations: tuple[Location, ...] = ()


class _OldLocationRow(TypedDict):
    read_add: bool
    url: str


class _LocationRow(_OldLocationRow, total=False):
    options: dict[str, str]
    trust_etag: bool


class _SettingsRow(TypedDict):
    locations: list[_LocationRow]


@dataclass(frozen=True, slots=True)
class Instance:
    """One open instance."""

    backend: Backend
    objects: ObjectStore
    refs: RefStore
    object_hash: str
    """`md5` or `sha256`: what names data objects here."""
    id: str

    def __reduce__(self) -> tuple[object, ...]:
        # Another process opens its own.
        return _opened, (self.backend, self.object_hash, self.id)

    @property
    def id_bytes(self) -> int:
        """Width in bytes of a data object id."""
        return HASH_BYTES[self.object_hash]

    @property
    def url(self) -> str:
        return self.backend.url

    def settings(self) -> Settings:
        """The current settings."""
        head = self.refs.head(SETTINGS)
        if head is None or head.target is None:
            return Settings()
        return decode_settings(self.objects.get(head.target, BlobType.SETTINGS).payload, self.url)

    def update_settings(self, change: Callable[[Settings], Settings], author: str) -> Settings:
        """Apply `change` to the current settings and publish the result.

        `change` runs again on the newer settings when somebody else was first.
        """
        backoff = Backoff()
        for _ in range(MAX_TRIES):
            head = self.refs.head(SETTINGS)
            old = self.settings()
            new = change(old)
            if new == old:
                return old
            if isinstance(self._advance(head, new, author), Advanced):
                return new
            backoff.pause()
        raise Conflict("settings", "to be first", "others, again and again")

    def _advance(self, head: Ref | None, new: Settings, author: str) -> Advanced | Lost:
        oid = self.objects.put(Blob(BlobType.SETTINGS, encode(_value_of(new))))
        needs = Needs((oid,), restored=lambda _: head.target if head else None)
        return advance(self.objects, self.refs, SETTINGS, head, needs, author)


class Backoff:
    """Pauses between attempts, made right before the first one.

    A random while that grows with the number of lost races and is measured by how long an
    attempt takes here: those who come too early work in vain, and slow down who would win.
    """

    def __init__(self) -> None:
        self._tries = 0
        self._began = time.monotonic()

    def pause(self) -> None:
        """After a lost race."""
        took = time.monotonic() - self._began
        most = max(took, SHORTEST) * 2 ** min(self._tries, DOUBLINGS)
        time.sleep(random.uniform(0, min(most, LONGEST)))
        self._tries += 1
        self._began = time.monotonic()


def create(backend: Backend, object_hash: str = "md5") -> Instance:
    """Make an instance on an empty `backend`; raises `Conflict` where one is already."""
    if object_hash not in HASH_BYTES:
        raise BadInput("--object-hash", f"{object_hash!r} is not one of {', '.join(HASH_BYTES)}")
    data = _file_of({"format": FORMAT, "id": secrets.token_hex(16), "object_hash": object_hash})
    if backend.create(INSTANCE_KEY, data) is Outcome.EXISTS:
        raise Conflict(backend.url, "an empty place", "an LDB instance")
    return open_instance(backend)


def exists(backend: Backend) -> bool:
    """Whether an instance lives on `backend`."""
    try:
        backend.read(INSTANCE_KEY, 0, 1)
    except NotFound:
        return False
    return True


def open_instance(backend: Backend) -> Instance:
    """Open the instance on `backend`; raises `NotFound`, `Corrupt` or `Unsupported`."""
    try:
        data = bytes(backend.read(INSTANCE_KEY, 0, MAX_FILE + 1))
    except NotFound:
        hint = f"make one there: ldb init {backend.url}"
        raise NotFound("LDB instance", backend.url, hint) from None
    if len(data) > MAX_FILE:
        raise Corrupt(INSTANCE_KEY, f"{backend.url}: more than {MAX_FILE} bytes")
    body = _checked(data, backend.url)
    return _opened(backend, body["object_hash"], body["id"])


def open_elsewhere(url: str, instance_id: str) -> Instance:
    """The instance as another process, maybe on another machine, finds it; proven to be it."""
    here = f"worker at {platform.node()}"
    try:
        found = open_instance(open_backend(url))
    except NotFound:
        raise NotFound(f"on the {here}: LDB instance", url, SAME_DISKS) from None
    if found.id != instance_id:
        raise BadInput(url, f"is another instance on the {here}", SAME_DISKS)
    return found


def _opened(backend: Backend, object_hash: str, name: str) -> Instance:
    return Instance(backend, ObjectStore(backend), RefStore(backend), object_hash, name)


def _file_of(body: dict[str, Any]) -> bytes:
    """The value `instance`: the body and its checksum."""
    whole = {**body, "check": _check_of(body)}
    return json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"


def _check_of(body: dict[str, Any]) -> str:
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _checked(data: bytes, where: str) -> dict[str, Any]:
    """The body of the value `instance`; damage is told from a format that came later."""
    try:
        body: dict[str, Any] = json.loads(data)
        sound = body.pop("check") == _check_of(body)
        number, object_hash = body["format"], body["object_hash"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Corrupt(INSTANCE_KEY, where) from None
    if not sound:
        raise Corrupt(INSTANCE_KEY, f"{where}: its checksum is of something else")
    if number != FORMAT or str(object_hash) not in HASH_BYTES:
        what = f"instance format {number} with {object_hash} ids at {where}"
        raise Unsupported(what, "upgrade ldb")
    if data != _file_of(body) or not isinstance(body.get("id"), str):
        raise Corrupt(INSTANCE_KEY, f"{where}: not spelt as it was written")
    return body


def _value_of(settings: Settings) -> dict[str, Any]:
    return {"locations": [_row_of(each) for each in settings.locations]}


def _row_of(location: Location) -> dict[str, Any]:
    """A location as settings hold it; what came later is left out where it says nothing."""
    row: dict[str, Any] = {"read_add": location.read_add, "url": location.url}
    if location.options:
        row["options"] = dict(location.options)
    if location.trust_etag:
        row["trust_etag"] = True
    return row


def decode_settings(payload: bytes, where: str) -> Settings:
    """Parse the payload of a settings blob; raises `Corrupt`."""
    try:
        value = fitting(decode(payload), _SettingsRow)
    except BadInput as error:
        raise Corrupt("settings", f"{where}: {error.why}") from None
    return Settings(tuple(Location(**row) for row in value["locations"]))


def add_location(settings: Settings, location: Location) -> Settings:
    """`settings` with `location` added or, where its URL is known, replaced."""
    others = tuple(each for each in settings.locations if each.url != location.url)
    return replace(settings, locations=tuple(sorted((*others, location), key=lambda x: x.url)))
