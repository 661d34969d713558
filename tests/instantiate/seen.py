"""An index made by hand: data objects, and the places where each is said to have been seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from ldb.catalog import PATHS, Record, SeenPath, encode_record, objects_schema, path_key
from ldb.history import Operation
from ldb.ids import NO_OID
from ldb.indexing.publish import IndexRoots, Run, map_root, publish_run
from ldb.instance import Instance
from ldb.maps import build, empty
from ldb.objects.codec import annotation_payload
from ldb.objects.model import BlobType


def index_seen(
    instance: Instance,
    objects: Mapping[bytes, Sequence[SeenPath | str]],
    annotations: Mapping[bytes, bytes] | None = None,
) -> dict[bytes, str]:
    """Publish an index of these: content → where it was seen; gives content → id."""
    schema, notes = objects_schema(instance), annotations or {}
    ids, rows, paths = {}, {}, {}
    with instance.objects.writer() as writer:
        for data, places in objects.items():
            seen = tuple(SeenPath(each, 1) if isinstance(each, str) else each for each in places)
            name = hashlib.new(instance.object_hash, data).digest()
            note = NO_OID
            if data in notes:
                note = writer.add(BlobType.ANNOTATION, annotation_payload(notes[data], "note"))
            seen = tuple(sorted(seen, key=lambda each: each.path))
            payload = encode_record(Record(len(data), "bin", seen))
            rows[name] = (writer.add(BlobType.RECORD, payload), note)
            ids[data] = name.hex()
            for each in seen:
                row = (name.ljust(32, b"\0"), bytes(8), bytes(8), bytes(16), b"\1")
                paths[path_key(each.path.encode())] = row
        made = build(writer, schema, [schema.rows(dict(sorted(rows.items())))])
        places_map = build(writer, PATHS, [PATHS.rows(dict(sorted(paths.items())))])
        none = IndexRoots(map_root(empty(writer, schema)), map_root(empty(writer, PATHS)))
    roots = IndexRoots(map_root(made), map_root(places_map))
    publish_run(instance, Run(None, none, roots, Operation(("index",))), "ann")
    return ids
