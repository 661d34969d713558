"""Maps by name: opening, listing, comparing and merging them, and whether they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from ldb.catalog import PATHS, objects_schema, path_key
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, Corrupt, NotFound
from ldb.history import MapRoot, decode_commit
from ldb.ids import Oid, is_hex
from ldb.instance import Instance
from ldb.maps import Difference, Merged, Rows, Schema, count, diff, merge, nodes, scan
from ldb.maps.decode import unpack
from ldb.maps.node import Reader
from ldb.objects.model import BlobType
from ldb.porcelain.plumbing.names import rev_parse, shown
from ldb.porcelain.plumbing.rowtext import key_texts, lines

MAPS = ("dataset", "objects", "paths")
"""Names of the schemas that there are, and of the maps of commits."""

_CHECKED = 65536
"""Nodes that are looked up together."""


def schema_named(instance: Instance, name: str) -> Schema:
    """The schema of this name; raises `BadInput`."""
    schemas = (dataset_schema(instance), objects_schema(instance), PATHS)
    for schema in schemas:
        if schema.name == name:
            return schema
    raise BadInput(shown(name), f"not one of {', '.join(MAPS)}")


def open_map(instance: Instance, text: str) -> tuple[Schema, Oid]:
    """Schema and top node of the map that `text` names.

    A commit stands for its map where it has just one.
    """
    oid = rev_parse(instance, text)
    blob = instance.objects.get(oid)
    if blob.type is BlobType.COMMIT:
        maps = decode_commit(blob.payload, oid).maps
        if len(maps) != 1:
            names = ", ".join(f"{text}:{name}" for name in sorted(maps))
            raise BadInput(shown(text), "a commit with several maps", f"name one: {names}")
        oid = next(iter(maps.values())).root
        blob = instance.objects.get(oid)
    if blob.type is not BlobType.MAP:
        raise BadInput(shown(text), f"is of type {blob.type.value}, not map")
    name = unpack(oid, blob)["schema"]
    try:
        return schema_named(instance, name), oid
    except BadInput:
        raise Corrupt(oid, f"map of unknown schema {shown(name)}") from None


def open_maps(instance: Instance, *texts: str) -> tuple[Schema, list[Oid]]:
    """Several maps, which must be of one schema."""
    found = [open_map(instance, text) for text in texts]
    schema = found[0][0]
    for text, (other, _) in zip(texts, found):
        if other != schema:
            raise BadInput(shown(text), f"is a map {other.name}, {texts[0]} a map {schema.name}")
    return schema, [oid for _, oid in found]


def ls_map(instance: Instance, schema: Schema, root: Oid, prefix: str = "") -> Iterator[Rows]:
    """Rows whose key begins with `prefix`: hex digits, or the beginning of a URI."""
    source = instance.objects
    if not prefix:
        yield from scan(source, schema, root)
    elif schema.key_width:
        start, stop = _hex_range(prefix)
        yield from scan(source, schema, root, start=start, stop=stop)
    else:
        uri = prefix.encode("utf-8", "surrogateescape")
        if not uri.endswith(b"/"):  # files of the last folder named; their keys come first
            yield from scan(source, schema, root, path_key(uri))
        yield from scan(source, schema, root, uri)


def _hex_range(prefix: str) -> tuple[bytes, bytes | None]:
    """The keys that begin with these hex digits, of which there may be an odd number."""
    if not is_hex(prefix):
        raise BadInput(shown(prefix), "not hex digits, as this map's keys are")
    padding = "0" * (len(prefix) % 2)
    after = int(prefix, 16) + 1
    if after == 16 ** len(prefix):
        return bytes.fromhex(prefix + padding), None
    return bytes.fromhex(prefix + padding), bytes.fromhex(f"{after:0{len(prefix)}x}" + padding)


def diff_map(instance: Instance, schema: Schema, old: Oid, new: Oid) -> Iterator[Difference]:
    """What changed from one map to another, in key order."""
    return diff(instance.objects, schema, old, new)


def merge_map(instance: Instance, schema: Schema, base: Oid, ours: Oid, theirs: Oid) -> Merged:
    """Three-way merge, its nodes stored; keys in conflict are as in `ours`."""
    with instance.objects.writer() as writer:
        return merge(writer, writer, schema, base, ours, theirs)


def map_root(instance: Instance, name: str, root: Oid) -> MapRoot:
    """The root with its number of rows; raises `BadInput` or `Corrupt` for another schema."""
    schema = schema_named(instance, name)
    blob = instance.objects.get(root, BlobType.MAP)
    found = unpack(root, blob)["schema"]
    if found != schema.name:
        raise BadInput(root, f"is a map {shown(found)}, not {name}")
    return MapRoot(root, count(instance.objects, schema, root))


def check_whole(instance: Instance, name: str, root: MapRoot) -> None:
    """Raise `NotFound` or `BadInput` unless every node is there and the row count is right.

    Leaves are looked up, not read.
    """
    found = map_root(instance, name, root.root)
    if found != root:
        raise BadInput(root.root, f"has {found.count} rows, the commit says {root.count}")
    every = nodes(instance.objects, root.root)
    while batch := list(islice(every, _CHECKED)):
        there = instance.objects.contains(np.frombuffer(b"".join(batch), np.uint8).reshape(-1, 32))
        if not there.all():
            missing = batch[int(np.flatnonzero(~there)[0])]
            raise NotFound("map node", missing, f"map {name} {root.root} is not all there")


def node_lines(instance: Instance, oid: Oid) -> list[bytes]:
    """One node as text: its rows or, above the leaves, last key, oid and row count of children."""
    schema, _ = open_map(instance, str(oid))
    reader = Reader(instance.objects, schema)
    node = reader.root(oid)
    if not node.level:
        return lines(schema, node.rows)
    children = (entry.oid for entry in node.entries(range(len(node.rows))))
    columns = zip(key_texts(schema, node.rows), children, node.counts().tolist())
    return [b"%s\t%s\t%d" % (key, str(oid).encode(), rows) for key, oid, rows in columns]
