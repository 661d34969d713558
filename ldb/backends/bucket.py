"""A store in a bucket: one object a value, below a prefix. Layout: docs/formats/instance.md.

Only small values are created conditionally, one request each; an answer that was lost is
settled by reading back, since such a value is like no other. All others are named by their
content and put whole, any number of times. Nothing is kept here: `cached.py` does that.
Why it is done so: docs/design/012-instances-in-buckets.md.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ldb.backends.base import MAX_CONDITIONAL, Buffer, Entry, Outcome, Range, check_key
from ldb.clouds.base import Client, Get, Put, Stat
from ldb.errors import BadInput, BadName, LdbError, NotFound, StoreFailed

TRIES = 6
"""Conditional requests for one value, where no answer can be had."""

GAP = 128 * 1024
"""Ranges of one value with fewer bytes between them are one request: so many bytes arrive
sooner than another answer."""

MERGED = 8 << 20
"""Ranges are not put together beyond this many bytes: several at once are faster."""

_LOOK = "it may have been saved all the same: look before you repeat the command"

_PREFIX = re.compile(r"[A-Za-z0-9._\-+=@~]+(/[A-Za-z0-9._\-+=@~]+)*")
_MAX_PREFIX = 400

Opener = Callable[[str, Mapping[str, Any] | None], Client]


class BucketBackend:
    """The store at `url`, `scheme://bucket/prefix`; nothing is asked before it is used."""

    def __init__(
        self, url: str, open_client: Opener, options: Mapping[str, Any] | None = None
    ) -> None:
        scheme, mark, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        prefix = prefix.rstrip("/")
        _check_prefix(url, bucket if mark else "", prefix)
        self._url = f"{scheme}://{bucket}/{prefix}"
        self._base = prefix + "/"
        self._open = open_client
        self._options = options
        self._client: Client | None = None

    def __reduce__(self) -> tuple[object, ...]:
        # Another process makes its own connections.
        return BucketBackend, (self._url, self._open, self._options)

    @property
    def url(self) -> str:
        return self._url

    @property
    def base(self) -> str:
        """What all keys in the bucket start with."""
        return self._base

    @property
    def far(self) -> bool:
        return True

    @property
    def client(self) -> Client:
        """The bucket, reached for when first used."""
        if self._client is None:
            self._client = self._open(self._url, self._options)
        return self._client

    # -- reading -----------------------------------------------------------------------

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        return self.read_many([Range(key, start, stop)])[0]

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        for wanted in ranges:
            check_key(wanted.key)
            if wanted.start < 0 or (wanted.stop is not None and wanted.stop < 0):
                raise ValueError(f"negative range [{wanted.start}, {wanted.stop})")
        requests = _merged(ranges)
        answers = self._fetch([get for get, _ in requests])
        found: list[Buffer | LdbError] = [b""] * len(ranges)
        for (get, members), answer in zip(requests, answers):
            for at in members:
                found[at] = (
                    answer if isinstance(answer, LdbError) else _part(answer, get, ranges[at])
                )
        return [self._given(ranges[at].key, each) for at, each in enumerate(found)]

    def _fetch(self, gets: Sequence[Range]) -> list[bytes | LdbError]:
        wanted = [Get(self._base + each.key, each.start, each.stop) for each in gets]
        answers: list[bytes | LdbError] = [b""] * len(wanted)
        if len(wanted) == 1:  # without the threads of many
            try:
                answers[0] = self.client.get(wanted[0])
            except LdbError as error:
                answers[0] = error
        elif wanted:
            for at, answer in self.client.get_many(wanted):
                answers[at] = answer
        return answers

    def _given(self, key: str, answer: Buffer | LdbError) -> Buffer:
        if isinstance(answer, NotFound):
            raise NotFound("key", key) from answer
        if isinstance(answer, LdbError):
            raise answer
        return answer

    def folders(self, prefix: str) -> list[str]:
        _check_folder(prefix)
        found = self.client.folders(self._base + prefix)
        return [name for name in found if _is_key(prefix + name)]

    def last_listed(self, prefix: str) -> list[Entry] | None:
        return None

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        _check_folder(prefix)
        return self._listed(prefix, after, limit)

    def _listed(self, prefix: str, after: str, limit: int | None) -> Iterator[Entry]:
        while limit is None or limit > 0:
            stats, asked = 0, limit
            for stat in self.client.list(
                self._base + prefix, self._base + after if after else "", asked
            ):
                stats += 1
                after = stat.key[len(self._base) :]
                if _is_key(after):
                    limit = None if limit is None else limit - 1
                    yield _entry(after, stat)
            if asked is None or stats < asked:
                return

    # -- writing -----------------------------------------------------------------------

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        check_key(key)
        if unconditional:
            self._put(self._base + key, data)
            return Outcome.CREATED
        if len(data) > MAX_CONDITIONAL:
            raise BadInput(key, f"{len(data)} bytes: too many for a conditional create")
        return self._create(self._base + key, bytes(data))

    def _create(self, key: str, data: bytes) -> Outcome:
        for tries in range(TRIES):
            put = self.client.create(key, data)
            if put is Put.CREATED:
                return Outcome.CREATED
            # An earlier try of ours may have been what took the key.
            if put is Put.EXISTS and not tries:
                return Outcome.EXISTS
            try:
                return Outcome.CREATED if self._read_back(key) == data else Outcome.EXISTS
            except NotFound:
                time.sleep(random.uniform(0, 0.05 * 2**tries))
        raise StoreFailed(self._where(key), f"no clear answer to {TRIES} attempts", _LOOK)

    def _read_back(self, key: str) -> bytes:
        try:
            return self.client.get(Get(key))
        except StoreFailed as error:
            error.hint = f"{error.hint}; {_LOOK}" if error.hint else _LOOK
            raise

    def _where(self, key: str) -> str:
        return f"{self.client.url}/{key}"

    def _put(self, key: str, data: Buffer) -> None:
        try:
            self.client.put(key, data)
        except StoreFailed as error:
            # The answer may have been lost, not the value.
            if not self._is_there(key, data):
                raise error

    def _is_there(self, key: str, data: Buffer) -> bool:
        try:
            stat = self.client.head(key)
        except LdbError:
            return False
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        # Without the store's MD5, name and size say it: no store shows a part of a value.
        return stat.size == len(data) and stat.md5 in (None, md5)

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def forget(self, key: str) -> bool:
        return False

    def delete(self, keys: Iterable[str]) -> None:
        def checked() -> Iterator[str]:
            for key in keys:
                check_key(key)
                yield self._base + key

        self.client.delete(checked())


def _check_prefix(url: str, bucket: str, prefix: str) -> None:
    hint = "write scheme://bucket/prefix"
    if not bucket:
        raise BadInput(url, "names no bucket", hint)
    if not prefix:
        raise BadInput(url, "is a whole bucket; an instance needs a prefix in it", hint)
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise BadInput(url, "a prefix has letters, digits and . _ - + = @ ~ between its slashes")
    if len(prefix) > _MAX_PREFIX:
        raise BadInput(url, f"a prefix has at most {_MAX_PREFIX} bytes")


def _check_folder(prefix: str) -> None:
    folder = prefix.rpartition("/")[0]
    if folder:
        check_key(folder)


def _is_key(key: str) -> bool:
    try:
        check_key(key)
    except BadName:
        return False
    return True


def _entry(key: str, stat: Stat) -> Entry:
    token = stat.md5.hex() if stat.md5 else stat.token
    return Entry(key, stat.size, stat.modified / 1e9, token)


def _merged(ranges: Sequence[Range]) -> list[tuple[Range, list[int]]]:
    """Requests that bring all ranges, each with the positions of those it brings."""
    order = sorted(range(len(ranges)), key=lambda at: (ranges[at].key, ranges[at].start))
    merged: list[tuple[Range, list[int]]] = []
    for at in order:
        each = ranges[at]
        if each.stop is not None and each.stop <= each.start:  # proves that the value is there
            each = replace(each, stop=each.start + 1)
        if merged and (both := _together(merged[-1][0], each)):
            merged[-1] = (both, [*merged[-1][1], at])
        else:
            merged.append((each, [at]))
    return merged


def _together(one: Range, other: Range) -> Range | None:
    """One request for two ranges, the first of which starts first; None: two are better."""
    if one.key != other.key:
        return None
    if one.stop is None:
        return one
    if other.start > one.stop + GAP:
        return None
    if other.stop is None:
        return Range(one.key, one.start)
    stop = max(one.stop, other.stop)
    return Range(one.key, one.start, stop) if stop - one.start <= MERGED else None


def _part(answer: bytes, got: Range, wanted: Range) -> Buffer:
    start = wanted.start - got.start
    stop = None if wanted.stop is None else max(start, wanted.stop - got.start)
    if start == 0 and (stop is None or stop >= len(answer)):
        return answer
    return memoryview(answer)[start:stop]
