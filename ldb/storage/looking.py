"""What object stores say of many objects without reading them: size, token, time, MD5.

Where many neighbours are asked for the store is listed, a thousand objects a request; what
that does not show is asked for one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os.path import commonprefix

from ldb.clouds.base import Client, Get, Stat
from ldb.clouds.opening import split_url
from ldb.errors import LdbError
from ldb.storage.checking import Finding, Place, State, remote_finding
from ldb.storage.fetching import Health, Reader, bucket_of
from ldb.threads import pool

WORTH_LISTING = 16
"""Objects from which listing is tried."""
SPARSE = 4
"""Listed objects for each one asked for, above which listing is given up."""
AT_ONCE = 16


def look_remote(reader: Reader, places: Sequence[Place], algorithm: str) -> Iterator[Finding]:
    """Look at places in object stores, in any order."""
    buckets: dict[str, list[Place]] = {}
    for place in places:
        buckets.setdefault(bucket_of(place.uri), []).append(place)
    for bucket, some in buckets.items():
        try:
            client = reader.clients.of(some[0].uri)
        except LdbError as error:
            yield from (remote_finding(place, error) for place in some)
            continue
        health = reader.health(bucket)
        health.start()
        yield from _look(client, some, algorithm, health)
        health.stop()


def _look(
    client: Client, places: Sequence[Place], algorithm: str, health: Health
) -> Iterator[Finding]:
    keys = {split_url(place.uri)[2] for place in places}
    listed = _listed(client, keys) if len(keys) >= WORTH_LISTING else {}

    def look(place: Place) -> Finding:
        key = split_url(place.uri)[2]
        refusal = health.refusal()
        if refusal:
            return remote_finding(place, refusal)
        try:
            stat = listed.get(key) or client.head(key)
            health.note(stat)
        except LdbError as error:
            health.note(error)
            found = remote_finding(place, error)
        else:
            found = judge(place, stat, algorithm)
        if found.state in (State.CHANGED, State.MISSING) and _has_version(client, place):
            return Finding(place, State.OK)
        return found

    with pool(AT_ONCE) as threads:
        yield from threads.map(look, places)


def _listed(client: Client, keys: set[str]) -> dict[str, Stat]:
    """Those of the keys that a listing of what lies around them shows."""
    prefix = commonprefix(list(keys))  # noqa: RUF071  (by characters, as stores do)
    ordered = sorted(keys, key=str.encode)
    after, last = ordered[0][:-1], ordered[-1].encode()
    found: dict[str, Stat] = {}
    try:
        for count, stat in enumerate(client.list(prefix, after)):
            if stat.key in keys:
                found[stat.key] = stat
            elif count > SPARSE * len(keys) + 1000:
                break
            if len(found) == len(keys) or stat.key.encode() >= last:
                break
    except LdbError:
        return found  # no right to list, or no such thing (HTTP): one by one says what is wrong
    return found


def judge(place: Place, stat: Stat, algorithm: str) -> Finding:
    """Whether an object's listing is that of the content that was indexed."""
    if stat.size != place.size:
        return Finding(place, State.CHANGED, f"{stat.size} bytes, not {place.size}")
    if stat.md5 is not None and algorithm == "md5":
        if stat.md5 == place.object_id:
            return Finding(place, State.OK)
        return Finding(place, State.CHANGED, f"its MD5 is {stat.md5.hex()} now")
    if place.token and stat.token:
        same = place.token == stat.token
    else:
        same = not place.mtime or not stat.modified or place.mtime == stat.modified
    if same:
        return Finding(place, State.OK)
    return Finding(place, State.CHANGED, "was overwritten since it was indexed")


def _has_version(client: Client, place: Place) -> bool:
    """Whether the version that was indexed can still be had: its first byte will do."""
    if not place.version:
        return False
    try:
        client.get(Get(split_url(place.uri)[2], 0, 1, version=place.version))
    except LdbError:
        return False
    return True
