"""Single blobs: made from JSON or from a payload, and shown as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ldb.backends.base import Buffer
from ldb.errors import BadInput, Conflict, Corrupt, NotFound, StoreFailed
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.codec import annotation_payload, decode, parse_json
from ldb.objects.model import MAX_PAYLOAD, Blob, BlobType
from ldb.porcelain.plumbing.shapes import check_payload, payload_of, readable


def hash_object(kind: BlobType, data: bytes, where: object, raw: bool = False) -> Blob:
    """The blob of this type that `data` spells: JSON or, with `raw`, the payload itself.

    Raises `BadInput` naming `where` unless it is what blobs of this type hold.
    """
    if raw:
        check_payload(kind, data, where)
        return Blob(kind, data)
    if kind is BlobType.ANNOTATION:
        return Blob(kind, annotation_payload(data, where))
    if kind is BlobType.MAP:
        raise BadInput(where, "map nodes have no spelling as JSON", "rows: ldb mk-map")
    return Blob(kind, payload_of(kind, parse_json(data, where), where))


def write_blobs(instance: Instance, blobs: Iterable[Blob]) -> list[Oid]:
    """Store blobs, several of them in one pack; durable on return."""
    listed = list(blobs)
    if len(listed) == 1:
        return [instance.objects.put(listed[0])]
    with instance.objects.writer() as writer:
        return [writer.add(blob.type, blob.payload) for blob in listed]


def value_of(blob: Blob) -> Any:
    """What a blob holds, as JSON has it: byte strings as hex digits."""
    try:
        return readable(decode(blob.payload))
    except BadInput as error:
        raise Corrupt(blob.oid, error.why) from None


def read_file(path: str, limit: int = MAX_PAYLOAD) -> bytes:
    """The bytes of a file, up to one more than `limit`."""
    try:
        with open(path, "rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        raise NotFound("file", path) from None
    except IsADirectoryError:
        raise BadInput(path, "is a folder, not a file") from None
    except ValueError as error:  # a NUL in the name
        raise BadInput(repr(path), str(error)) from None
    except OSError as error:
        raise StoreFailed(path, error.strerror or str(error)) from None


def write_file(path: str, data: Buffer) -> None:
    """Make a new file, whole or not at all; raises `Conflict` where there is one already."""
    try:
        with open(path, "xb") as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                os.unlink(path)
                raise
    except FileExistsError:
        raise Conflict(path, "no such file", "a file", "choose another name") from None
    except ValueError as error:
        raise BadInput(repr(path), str(error)) from None
    except OSError as error:
        raise StoreFailed(path, error.strerror or str(error)) from None
