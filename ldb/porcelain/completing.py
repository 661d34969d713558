"""What a shell offers while a command is typed: keys, tags and versions of an instance.

All of it quickly: keys come out of the directories of column files, and nothing that is
missing is made.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ldb.catalog import Record, SeenPath, open_catalog, record_view
from ldb.columns.model import Column
from ldb.instance import Instance
from ldb.objects.columnfiles import ColumnFiles
from ldb.objects.model import BlobType
from ldb.query.hints import KeyTree, tree_of
from ldb.query.recordview import is_usual
from ldb.query.scanning import scan_annotations, scan_records
from ldb.refs.name import INDEX, RefName, dataset_ref

PACKS = 16
"""Packs that are asked, the largest first."""
FEW = 50
"""Objects that are looked at where there are no columns."""
VERSIONS = 50
"""Versions of a dataset that are offered, the newest first."""


def annotation_keys(instance: Instance) -> KeyTree:
    """Keys that annotations have."""
    tree = KeyTree()
    for column in _columns(instance, BlobType.ANNOTATION):
        tree.note(column)
    if not tree.keys:
        for rows in itertools.islice(open_catalog(instance).rows(), 1):
            for _, values in scan_annotations(instance, rows.fields[1][:FEW]):
                for value in values:
                    tree.see(value)
    return tree


def version_keys(instance: Instance) -> KeyTree:
    """Keys as `--vquery` sees them; how many versions there are is not looked up."""
    tree = annotation_keys(instance)
    return KeyTree({"v1": tree, "v2": tree})


def file_keys() -> KeyTree:
    """Attributes that every data object has."""
    return tree_of(record_view(b"", Record(0, "", (SeenPath("", 0),))))


def tags_of(instance: Instance) -> list[str]:
    """Tags that data objects have, or had."""
    found: set[str] = set()
    for column in _columns(instance, BlobType.RECORD):
        if is_usual(column) and column.fields["tags"].items.size:
            found.update(column.fields["tags"].items.words.strings)
    if not found:
        catalog = open_catalog(instance)
        for rows in itertools.islice(catalog.rows(), 1):
            for _, records in scan_records(catalog, rows.keys[:FEW]):
                found.update(tag for record in records for tag in record.tags)
    return sorted(found)


def versions_of(instance: Instance, name: str) -> list[str]:
    """`ds:name.vN` of a dataset or of the index, the newest first."""
    ref: RefName = INDEX if name == INDEX.name else dataset_ref(name)
    kept = (each for each in instance.refs.history(ref) if each.target is not None)
    return [str(each) for each in itertools.islice(kept, VERSIONS)]


def _columns(instance: Instance, kind: BlobType) -> Iterator[Column]:
    files = ColumnFiles()
    packs = sorted(instance.objects.all_packs(), key=lambda pack: -pack.size)
    for pack in packs[:PACKS]:
        column = files.existing(pack, kind)
        if column is not None:
            yield column
