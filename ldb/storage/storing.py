"""Copies of ephemeral local files in a read-add location of an object store.

A data file goes to `imported/<id[:2]>/<id>/<its name>`, with its annotation beside it, as in
a local read-add location: named by content, so storing it again changes nothing, and other
content at such a name is never replaced.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from contextlib import closing

from ldb.clouds.base import Client, Get, Put, Stat
from ldb.errors import Conflict, NotFound
from ldb.storage.importing import FOLDER, Imported
from ldb.storage.reading import HASHES, Changing, read_bytes
from ldb.storage.remote import Pinned, hash_pinned, key_of

AT_ONCE = 512 * 1024
"""Bytes up to which the store itself is asked not to replace anything."""

LARGEST = 16 << 20
"""Bytes of an annotation that can be indexed."""


def store_file(
    client: Client, source: bytes, annotation: bytes, root: bytes, algorithm: str
) -> Imported:
    """Store a data file, and its annotation if there is one, below the URI `root`.

    Raises `OSError` and `Changing` for the source, `StoreFailed` for the store, `Conflict`
    where something else has the name.
    """
    with open(source, "rb") as file:
        before = os.fstat(file.fileno())
        with _mapped(file.fileno(), before.st_size) as content:
            name = HASHES[algorithm](content).digest()
            uri = _uri(root, name, os.path.basename(source))
            stored = _store(client, uri, content, algorithm, name)
            after = os.fstat(file.fileno())
            held = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
            if stored and not (held and HASHES[algorithm](content).digest() == name):
                client.delete([key_of(uri)])
                why = "changed while it was copied; index it again later"
                raise Changing(os.fsdecode(source), why)
    if annotation:
        _store_annotation(client, annotation, os.path.splitext(uri)[0] + ".json")
    return Imported(name, uri.encode())


def _mapped(handle: int, size: int) -> closing[mmap.mmap] | memoryview:
    if not size:  # which cannot be mapped
        return memoryview(b"")
    return closing(mmap.mmap(handle, size, access=mmap.ACCESS_READ))


def _uri(root: bytes, name: bytes, base: bytes) -> str:
    hexed = name.hex()
    return "/".join([root.decode(), FOLDER.decode(), hexed[:2], hexed, base.decode()])


def _store(
    client: Client, uri: str, content: mmap.mmap | memoryview, algorithm: str, digest: bytes
) -> bool:
    """Put content at its name unless it is there; whether this put it."""
    key = key_of(uri)
    size = len(content)
    try:
        found = client.head(key)
    except NotFound:
        if size > AT_ONCE:
            with memoryview(content) as view:
                client.put(key, view)
            return True
        if client.create(key, bytes(content)) is Put.CREATED:
            return True
        found = client.head(key)  # somebody else was first, or this was and did not hear so
    if found.size != size or _digest(client, uri, found, algorithm) != digest:
        raise Conflict(uri, f"the content {digest.hex()}", "other content", "move that away")
    return False


def _digest(client: Client, uri: str, found: Stat, algorithm: str) -> bytes:
    if algorithm == "md5" and found.md5 is not None:
        return found.md5
    pinned = Pinned(uri, found.size, found.token, found.version or "")
    return hash_pinned(client, pinned, algorithm)


def _store_annotation(client: Client, annotation: bytes, uri: str) -> None:
    """The newest one takes the place of an older, as in a local read-add location."""
    raw, _ = read_bytes(annotation, LARGEST)
    key = key_of(uri)
    try:
        found = client.head(key)
        md5 = hashlib.md5(raw, usedforsecurity=False).digest()
        if found.size == len(raw) and (found.md5 == md5 or client.get(Get(key)) == raw):
            return
    except NotFound:
        pass
    client.put(key, raw)
