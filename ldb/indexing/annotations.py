"""New annotations for data objects that the index knows: edits made by hand, labels from tools.

No data file is read and no path changes; it is an indexing run like any other otherwise, with
one commit on `ds:root`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ldb.catalog import Catalog, as_keys, objects_schema
from ldb.errors import NotFound
from ldb.history import Operation, SourceUsed, Version, head, now
from ldb.ids import ObjectId
from ldb.indexing.merge import Gathered
from ldb.indexing.publish import IndexRoots, Run, map_root, publish_run, roots_of
from ldb.indexing.read import BatchResult
from ldb.instance import Instance
from ldb.maps import edit
from ldb.objects.model import BlobType
from ldb.refs.name import INDEX


def index_annotations(
    instance: Instance,
    payloads: Mapping[bytes, bytes],
    *,
    command: Sequence[str],
    sources: Sequence[str] = (),
    author: str = "",
) -> Version | None:
    """Make each payload the newest annotation of its data object; None where all were known.

    One that equals an older annotation of its object makes no new version of it. Raises
    `NotFound`, before anything is published, where the index does not know an object.
    """
    base = head(instance, INDEX)
    catalog = Catalog(instance, base)
    ids = as_keys(sorted(payloads), instance.id_bytes)
    _check_known(catalog, ids)
    gathered = Gathered(catalog, now())
    with instance.objects.writer() as writer:
        old = roots_of(instance, base, writer)
        oids = writer.add_many(BlobType.ANNOTATION, [payloads[each] for each in sorted(payloads)])
        found = known_batch(ids, oids)
        for _ in gathered.path_changes([found], {}):
            raise AssertionError("annotations alone change no path")
        rows = gathered.object_changes(writer, [])
        objects = edit(writer, writer, objects_schema(instance), old.objects.root, rows)
    new = IndexRoots(map_root(objects), old.paths)
    if new == old:
        return None
    operation = Operation(
        command=tuple(command),
        sources=tuple(SourceUsed(text) for text in sources[:100]),
        counts={"new_annotations": gathered.counts.new_annotations},
        time=gathered.run_time,
    )
    return publish_run(instance, Run(base, old, new, operation), author)


def _check_known(catalog: Catalog, ids: np.typing.NDArray[np.bytes_]) -> None:
    known = catalog.find(ids).known
    if not known.all():
        at = int(np.flatnonzero(~known)[0])
        name = ObjectId(ids[at : at + 1].tobytes())
        raise NotFound("data object", f"id:{name}", "is it indexed? `ldb list ds:root`")


def known_batch(ids: np.typing.NDArray[np.bytes_], oids: Sequence[bytes]) -> BatchResult:
    """What a worker gives for data files that are known and have another annotation now."""
    count = len(ids)
    nothing = np.zeros(0, np.uint64)
    return BatchResult(
        keys=np.zeros(0, "S1"),
        contents=np.zeros((0, 32), np.uint8),
        sizes=nothing,
        mtimes=nothing,
        kinds=np.zeros(0, np.uint8),
        ids=ids,
        records=np.zeros((count, 32), np.uint8),
        annotations=np.frombuffer(b"".join(oids), np.uint8).reshape(-1, 32),
        rows=np.full(count, -1, np.int64),
        attributes=np.zeros((count, 4), np.int64),
        problems=[],
    )
