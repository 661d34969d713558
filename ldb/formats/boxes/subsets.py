"""The subset (train, val …) that an annotation is for, as the name of folders and files."""

from __future__ import annotations

import re
from typing import Any

from ldb.formats.boxes.shape import as_json, text_of

MOST = 40
"""Subsets with files of their own: some writers hold all of these open at once."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?")


def subset_name(annotation: Any) -> str:
    """The subset; empty where there is none, or none that can be part of a file's name."""
    subset = text_of(as_json(annotation), "subset")
    return subset if _NAME.fullmatch(subset) else ""


def image_folders(annotation: Any) -> tuple[str, ...]:
    """Where the image goes in layouts that have a folder `images` with one a subset in it."""
    subset = subset_name(annotation)
    return ("images", subset) if subset else ("images",)


class Subsets:
    """The subsets of a dataset; those after the first `MOST` go without files of their own."""

    def __init__(self, default: str = "") -> None:
        self._default = default
        self._names: set[str] = set()

    def see(self, annotation: Any) -> None:
        if len(self._names) < MOST:
            self._names.add(subset_name(annotation) or self._default)

    def of(self, annotation: Any) -> str:
        """The subset whose files tell of this annotation."""
        name = subset_name(annotation) or self._default
        return name if name in self._names else self._default

    @property
    def names(self) -> list[str]:
        return sorted({*self._names, self._default} if len(self._names) == MOST else self._names)
