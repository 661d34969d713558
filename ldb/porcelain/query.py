"""`ldb query`: ask loose JSON files, without an instance."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ldb.errors import BadInput, NotFound
from ldb.objects.codec import annotation_payload, decode
from ldb.objects.model import MAX_PAYLOAD
from ldb.porcelain.look import Show, query_of
from ldb.query.filters import Filter, Projector
from ldb.query.hints import KnownKeys
from ldb.query.parse import parse
from ldb.query.projecting import LACKING
from ldb.query.rowwise import compile_query
from ldb.query.scanning import failure_line
from ldb.query.selection import FilterSpec, misread
from ldb.storage.listing import walk
from ldb.storage.location import local_path, to_uri
from ldb.storage.reading import read_bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What one file gave."""

    path: str
    value: Any


class FileQuery:
    """Files through filters to answers; afterwards `problems` tells of unreadable files.

    A file that lacks a key which a `query` names is left out.
    """

    def __init__(self, cwd: str, filters: Sequence[FilterSpec], show: Show | None) -> None:
        self._cwd = cwd
        self._filters = [(each, _filter(each)) for each in filters]
        self._show = show
        query = query_of(show) if show else None
        self._projector = Projector(query) if query else None
        self._keys = KnownKeys()
        self._answered = False
        self.problems: list[BadInput] = []

    def warnings(self) -> Iterator[str]:
        """What failed, once for each query; where nothing was found, keys that no file has."""
        lines = [line for spec, _ in self._filters for line in misread(spec)]
        lines += [failure_line(f"--{spec.kind}", each) for spec, each in self._filters]
        if self._show and self._projector:
            lines.append(failure_line(repr(self._show.text), self._projector))
        if not self._answered:
            named = [(spec.kind, spec.value) for spec, _ in self._filters]
            named += [(self._show.kind, self._show.text)] if self._show else []
            for kind, text in named:
                lines += self._keys.unknown(parse(text)) if kind == "query" else []
        yield from (line for line in lines if line)

    def run(self, paths: Sequence[str]) -> Iterator[Answer]:
        """Answers in the order of the files; folders give their JSON files, sorted."""
        for path in paths:
            for file in self._files(path):
                for answer in self._answer(file):
                    self._answered = True
                    yield answer

    def _files(self, text: str) -> Iterator[str]:
        path = local_path(to_uri(text, self._cwd))
        if os.path.isdir(path):
            for folder in walk(os.fsencode(path), self._report):
                for name in folder.names:
                    if name[-5:].lower() == b".json":
                        yield os.fsdecode(folder.path + name)
        elif os.path.exists(path):
            yield path
        else:
            raise NotFound("file", text)

    def _report(self, path: bytes, why: str) -> None:
        self.problems.append(BadInput(os.fsdecode(path), why))

    def _answer(self, path: str) -> Iterator[Answer]:
        try:
            raw, _ = read_bytes(os.fsencode(path), MAX_PAYLOAD)
            value = decode(annotation_payload(raw, path))
        except BadInput as error:
            self.problems.append(error)
            return
        except OSError as error:
            self.problems.append(BadInput(path, f"cannot be read: {error.strerror}"))
            return
        self._keys.see([value])
        if all(each.matches(value, path) for _, each in self._filters):
            if self._projector is not None:
                value = next(self._projector.values([value], [path], lacking=LACKING))
            if value is not LACKING:
                yield Answer(path, value)


def _filter(spec: FilterSpec) -> Filter:
    if spec.kind not in ("query", "jquery"):
        raise BadInput(f"--{spec.kind}", "loose files can be asked with --query and --jquery only")
    missing: Literal["skip", "null"] = "skip" if spec.kind == "query" else "null"
    return Filter(compile_query(parse(spec.value, f"--{spec.kind}"), missing))
