"""Datasets as dictionaries of small numbers, for property tests: object → annotation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from ldb.catalog import as_keys, key_bytes
from ldb.dataset import dataset_schema
from ldb.history import DATASET_MAP, Commit, MapRoot, Version, dataset_root, publish
from ldb.instance import Instance
from ldb.maps import Rows, build, scan
from ldb.refs.name import dataset_ref

Content = dict[int, int]
MANY = 400


def key(number: int) -> bytes:
    """The id of an object."""
    return hashlib.md5(str(number).encode()).digest()


NUMBERS = {key(number): number for number in range(MANY)}


def rows_of(content: Mapping[int, int]) -> Rows:
    """Rows of a dataset map."""
    order = sorted(content, key=key)
    notes = b"".join(content[number].to_bytes(32, "big") for number in order)
    column = np.frombuffer(notes, np.uint8).reshape(-1, 32)
    return Rows(as_keys([key(number) for number in order], 16), (column, np.zeros_like(column)))


def saved(instance: Instance, name: str, content: Content, *parents: Version) -> Version:
    """`content` as the next version of a dataset."""
    with instance.objects.writer() as writer:
        rows = rows_of(content)
        made = build(writer, dataset_schema(instance), [rows] if content else [])

    def make(current: Version | None) -> Commit:
        before = [current] if current else []
        oids = tuple(each.oid for each in (*before, *parents))
        return Commit(name, 0, {DATASET_MAP: MapRoot(made.oid, made.count)}, oids)

    version = publish(instance, dataset_ref(name), make)
    assert version is not None
    return version


def content_of(instance: Instance, version: Version) -> Content:
    """The other way round."""
    found: Content = {}
    for rows in scan(instance.objects, dataset_schema(instance), dataset_root(version).root):
        for raw, note in zip(key_bytes(rows.keys), rows.fields[0], strict=True):
            found[NUMBERS[raw]] = int.from_bytes(note.tobytes(), "big")
    return found
