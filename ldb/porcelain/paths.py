"""From a path, folder or glob to the data objects that the index has there.

A path need not exist any more: what counts is where data objects were last seen. A name is
taken as it stands first (files may hold wildcards in their names), then as a folder, then as
a glob.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np

from ldb.catalog import FOLDER_END, PATHS, Catalog, key_path, path_key
from ldb.maps import Rows, lookup
from ldb.objects.indexrows import KIND_ANNOTATION, KIND_DATA
from ldb.storage.globs import fits, fixed_folder, parts_of
from ldb.storage.location import is_glob


def path_ids(catalog: Catalog, uri: str) -> set[bytes]:
    """Ids of the data objects at a URI, below it, or fitting a glob; maybe none."""
    raw = os.fsencode(uri)
    found = _at(catalog, raw)
    if found is None:
        found = {
            content
            for _, content, kind in _entries(catalog, raw.rstrip(b"/") + b"/")
            if kind == KIND_DATA
        }
    return found if found or not is_glob(uri) else _fitting(catalog, uri)


def _at(catalog: Catalog, raw: bytes) -> set[bytes] | None:
    """The objects of one data or annotation file; None where the index has no such file."""
    if catalog.paths is None:
        return set()
    key = PATHS.column([path_key(raw)])
    known, fields = lookup(catalog.instance.objects, PATHS, catalog.paths.root, key)
    if not known[0]:
        return None
    if fields[4][0, 0] == KIND_DATA:
        return {fields[0][0, : catalog.instance.id_bytes].tobytes()}
    folder, _, name = raw.rpartition(b"/")
    stem = _stem(name)
    return set(_of_stems(_entries(catalog, folder + FOLDER_END + stem), {folder + b"/" + stem}))


def _fitting(catalog: Catalog, glob: str) -> set[bytes]:
    """The objects whose data file, annotation file or a folder above them fits a glob."""
    fixed = fixed_folder(glob)
    parts = parts_of(glob[len(fixed) :])
    near, skip = os.fsencode(fixed), len(os.fsencode(fixed))
    ids, stems, paired = set(), set(), set()
    for path, content, kind in _entries(catalog, near):
        names = os.fsdecode(path[skip:]).split("/")
        if kind == KIND_DATA and fits(parts, names, below=True):
            ids.add(content)
            paired.add(_stem(path))
        elif kind == KIND_ANNOTATION and fits(parts, names, below=False):
            stems.add(_stem(path))
    if stems - paired:
        ids.update(_of_stems(_entries(catalog, near), stems))
    return ids


def _of_stems(entries: Iterable[tuple[bytes, bytes, int]], stems: set[bytes]) -> Iterator[bytes]:
    """The data objects that share the stem of one of some annotation files."""
    for path, content, kind in entries:
        if kind == KIND_DATA and _stem(path) in stems:
            yield content


def _stem(path: bytes) -> bytes:
    """A path without the extension of its name: what a data file and its annotation share."""
    folder, slash, name = path.rpartition(b"/")
    return folder + slash + (name.rpartition(b".")[0] or name)


def _entries(catalog: Catalog, prefix: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """URI, content (cut to the width of an id) and kind of rows whose key starts so."""
    width = catalog.instance.id_bytes
    rows: Rows
    for rows in catalog.paths_under(prefix):
        contents = np.ascontiguousarray(rows.fields[0][:, :width]).tobytes()
        kinds = rows.fields[4].ravel().tolist()
        for at, (key, kind) in enumerate(zip(rows.keys.tolist(), kinds)):
            yield key_path(key), contents[at * width : (at + 1) * width], kind
