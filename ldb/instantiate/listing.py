"""A worker's part of the manifest: the lines for what it is about to write.

Several workers append to one file. Each piece goes there in one call, which the system
does not mix with another's, before the first of its files gets its name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ldb.instantiate.manifest import Listed, append, line_of, open_to_append
from ldb.instantiate.model import Entry, Item
from ldb.instantiate.target import MANIFEST, Target, target_errors


@dataclass(frozen=True, slots=True)
class Before:
    """What was in the folder when the run began."""

    listed: Listed
    has_files: bool
    """Whether there was anything besides LDB's own files."""
    of_some: bool = False
    """Whether earlier runs listed others than `listed`: a worker knows only of its own files."""

    @property
    def is_fresh(self) -> bool:
        """Whether the folder held nothing but LDB's own files, and no run is known."""
        return not self.has_files and not self.listed.entries and not self.of_some


class Listing:
    """Lists files that will be written."""

    def __init__(self, target: Target, before: Before) -> None:
        self._target = target
        self._before = before
        self._path = os.path.join(target.folder, MANIFEST)
        with target_errors(self._path):
            self._fd = self._open()
        self._lines: list[str] = []
        self.planned: list[str] = []
        """Paths listed by earlier runs that this one has planned."""

    def _open(self) -> int:
        return open_to_append(self._target.root)

    def close(self) -> None:
        """Only closes: all lines are written by then."""
        os.close(self._fd)

    def plan_items(self, items: list[Item], annotations_only: bool) -> list[Item]:
        """List all files of a batch; the items, with what was listed there before."""
        if self._before.is_fresh:
            self._plan_fresh(items, annotations_only)
            return items
        planned = []
        for item in items:
            data = note = None
            if not annotations_only:
                data = self.plan(item.name.data_path, Entry(item.id))
            if item.payload is not None:
                note = self.plan(item.name.annotation_path, Entry(item.id, item.annotation))
            planned.append(item._replace(had_data=data, had_annotation=note))
        self.flush()
        return planned

    def _plan_fresh(self, items: list[Item], annotations_only: bool) -> None:
        """The same where nothing was there: no entries to compare, only lines."""
        add = self._lines.append
        for object_id, _, _, _, (folder, data, note), payload, oid, *_ in items:
            above, digits = folder and f"{folder}/", object_id.hex()
            if not annotations_only:
                add(f"+ {digits} - {above}{data}\n")
            if payload is not None:
                add(f"+ {digits} {oid.hex()} {above}{note}\n")
        self.flush()

    def plan(self, path: str, entry: Entry) -> Entry | None:
        """List a file that will be written (after `flush`); what was listed there before.

        A file that is there and is not listed is not LDB's, and stays so.
        """
        had = self._before.listed.entries.get(path)
        if had is None:
            if self._before.has_files and self._is_taken(path):
                return None
        else:
            self.planned.append(path)
        if had != entry:
            self._lines.append(line_of(path, entry))
        return had

    def undo(self, path: str) -> None:
        """A planned file was not written (says the manifest after `flush`)."""
        had = self._before.listed.entries.get(path)
        self._lines.append(f"- {path}\n" if had is None else line_of(path, had))

    def add(self, lines: list[str]) -> None:
        """List what others tell."""
        self._lines += lines
        self.flush()

    def flush(self) -> None:
        """Hand the lines to the system, where they are safe from a kill."""
        if self._lines:
            data = "".join(self._lines).encode()
            self._lines.clear()
            with target_errors(self._path):
                append(self._fd, data)

    def was_unfinished(self, path: str) -> bool:
        """Whether a file was listed only by a run that did not end."""
        return path in self._before.listed.unfinished

    def _is_taken(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self._target.folder, path))
