"""Annotations into a folder that was empty, without looking at what is there.

Like linking.py this is the short way that nearly all files of a first run take. Whatever it
does not manage goes the long way (write.py), which finds out why.
"""

from __future__ import annotations

from ldb.errors import BadInput
from ldb.instantiate.annotation import annotation_text
from ldb.instantiate.model import Item
from ldb.instantiate.target import Refused, Target


def write_new(target: Target, items: list[Item]) -> list[bool]:
    """Write the annotations of items that have one; which ones were written."""
    written = []
    for _, _, _, _, (folder, _, name), payload, *_ in items:
        try:
            target.make(annotation_text(payload or b""))
            written.append(target.publish(target.open_folder(folder), name, replace=False))
        except (OSError, BadInput, Refused):
            written.append(False)
    return written
