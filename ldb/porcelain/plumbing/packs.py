"""Packs as files: made of chosen blobs, taken in from elsewhere, found by name, checked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from ldb.backends.memory import MemoryBackend
from ldb.errors import Ambiguous, BadInput, Corrupt, NotFound
from ldb.ids import MIN_PREFIX, Oid, is_hex
from ldb.instance import Instance
from ldb.objects.model import Blob
from ldb.objects.pack import Pack, PackWriter
from ldb.objects.packcheck import PackEntry, entries, verify
from ldb.objects.packformat import pack_key, pack_name
from ldb.objects.packread import PackReader
from ldb.porcelain.plumbing.blobs import read_file
from ldb.porcelain.plumbing.names import shown
from ldb.porcelain.plumbing.shapes import check_payload

MAX_PACK = 1 << 30
"""Most bytes of a pack that is made or taken in at once: it is held in memory."""

_READ = 4096
"""Blobs read together."""

_NAME = re.compile(r"[0-9a-f]{64}")


def pack_objects(instance: Instance, oids: Iterable[Oid]) -> Pack:
    """One pack of these blobs, in this order, each once; it is not stored."""
    writer = PackWriter(2 * MAX_PACK)
    given = iter(oids)
    while batch := list(islice(given, _READ)):
        for oid, blob in zip(batch, instance.objects.get_many(batch)):
            writer.add(blob.type, blob.payload, oid)
        if writer.size > MAX_PACK:
            raise BadInput("pack", f"more than {MAX_PACK} bytes", "give fewer oids at a time")
    pack = writer.finish()
    if pack is None:
        raise BadInput("pack", "no oids were given, and a pack holds one blob at least")
    return pack


def store_pack(instance: Instance, pack: Pack) -> None:
    """Make a pack part of the instance; durable on return."""
    instance.objects.backend.create(pack.key, pack.data, unconditional=True)
    instance.objects.adopt(pack)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was taken in from a pack."""

    name: str
    blobs: int
    loose: bool


def unpack_objects(
    instance: Instance, data: bytes, where: str, loose: bool = False, dry_run: bool = False
) -> Unpacked:
    """Take in the blobs of a pack: as that pack, or each by itself where `loose`.

    Everything in it is checked first; nothing is stored where anything is wrong
    (`Corrupt` for damage, `BadInput` for blobs that no LDB writes).
    """
    if len(data) > MAX_PACK:
        raise BadInput(where, f"more than {MAX_PACK} bytes")
    reader = pack_of(data)
    problems = verify(reader)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        error = Corrupt(where, f"{problems[0].where}{more}")
        error.hint = "copy the pack once more; nothing of it was stored"
        raise error
    for entry in entries(reader):
        check_payload(entry.type, entry.payload, f"{where}: blob {entry.oid}")
    name = pack_name(reader.key)
    assert name is not None
    if not dry_run and loose:
        for entry in entries(reader):
            instance.objects.put(Blob(entry.type, entry.payload))
    elif not dry_run:
        store_pack(instance, Pack(name, data, len(reader)))
    return Unpacked(name, len(reader), loose)


def pack_of(data: bytes, name: str = "") -> PackReader:
    """A reader of a pack that is held in memory; `name` is the one it should have."""
    backend = MemoryBackend("pack")
    key = pack_key(name or hashlib.sha256(data).hexdigest())
    backend.create(key, data)
    return PackReader(backend, key, len(data))


def pack_named(instance: Instance, text: str) -> PackReader:
    """A pack of the instance by the first digits of its name, or any pack file by its path."""
    if os.sep in text or text.endswith(".pack"):
        return _pack_file(text)
    digits = text.lower()
    if not is_hex(digits) or not MIN_PREFIX <= len(digits) <= 64:
        raise BadInput(
            shown(text), f"not {MIN_PREFIX} to 64 hex digits", "a file's name ends in .pack"
        )
    packs = {pack_name(pack.key) or "": pack for pack in instance.objects.packs()}
    found = sorted(name for name in packs if name.startswith(digits))
    if not found:
        raise NotFound("pack", text)
    if len(found) > 1:
        raise Ambiguous("pack", text, found[:8])
    return packs[found[0]]


def _pack_file(path: str) -> PackReader:
    data = read_file(path, MAX_PACK)
    if len(data) > MAX_PACK:
        raise BadInput(path, f"more than {MAX_PACK} bytes")
    stem = os.path.basename(path).removesuffix(".pack")
    return pack_of(data, stem if _NAME.fullmatch(stem) else "")


__all__ = [
    "PackEntry",
    "Unpacked",
    "entries",
    "pack_named",
    "pack_objects",
    "store_pack",
    "unpack_objects",
    "verify",
]
