"""Copying blobs out of packs that are condemned, into packs that nobody can have condemned.

Each pack that is written here starts with a random blob, so that its name is new: the same
blobs, packed by somebody who was stopped, may be on a list already.
"""

from __future__ import annotations

import secrets

from ldb.ids import Oid
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids
from ldb.objects.pack import PackWriter
from ldb.objects.packformat import columns_key
from ldb.objects.store import ObjectStore


def rescue(store: ObjectStore, oids: Oids) -> None:
    """Write blobs of a store once more, durable on return; raises `NotFound` or `Corrupt`."""
    writer = _new_pack()
    for group in store.groups(oids):
        named = [Oid(row.tobytes()) for row in oids[group.positions]]
        writer.add_many(group.type, group.payloads, named)
        if writer.full:
            _publish(store, writer)
            writer = _new_pack()
    if len(writer) > 1:
        _publish(store, writer)


def _new_pack() -> PackWriter:
    writer = PackWriter()
    writer.add(BlobType.ANNOTATION, encode(secrets.token_hex(16)))
    return writer


def _publish(store: ObjectStore, writer: PackWriter) -> None:
    pack = writer.finish()
    assert pack is not None
    store.backend.create(pack.key, pack.data, unconditional=True)
    for kind, data in writer.columns():
        store.backend.create(columns_key(pack.name, kind), data, unconditional=True)
    store.adopt(pack)
