"""`ldb query`: ask loose JSON files, without an instance."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ldb.errors import BadInput, NotFound
from ldb.objects.codec import annotation_payload, decode
from ldb.objects.model import MAX_PAYLOAD
from ldb.porcelain.look import Show
from ldb.query.filters import Filter, Projector
from ldb.query.parse import parse
from ldb.query.rowwise import compile_query
from ldb.query.selection import FilterSpec
from ldb.storage.listing import walk
from ldb.storage.location import local_path, to_uri
from ldb.storage.reading import read_bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What one file gave."""

    path: str
    value: Any


class FileQuery:
    """Files through filters to answers; afterwards `problems` tells of unreadable files."""

    def __init__(self, cwd: str, filters: Sequence[FilterSpec], show: Show | None) -> None:
        self._cwd = cwd
        self._filters = [(each, _filter(each)) for each in filters]
        self._projector = _shown(show)
        self.problems: list[BadInput] = []

    def warnings(self) -> Iterator[str]:
        """What failed on some file: the first of each filter, and how many."""
        for spec, each in self._filters:
            if each.first_failure is not None:
                more = f" (and {each.failures - 1} more)" if each.failures > 1 else ""
                first = each.first_failure
                yield f"--{spec.kind} failed on {first.name}: {first.why}{more}"

    def run(self, paths: Sequence[str]) -> Iterator[Answer]:
        """Answers in the order of the files; folders give their JSON files, sorted."""
        for path in paths:
            for file in self._files(path):
                yield from self._answer(file)

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
        if all(each.matches(value, path) for _, each in self._filters):
            if self._projector is not None:
                value = next(self._projector.values([value], [path]))
            yield Answer(path, value)


def _filter(spec: FilterSpec) -> Filter:
    if spec.kind not in ("query", "jquery"):
        raise BadInput(f"--{spec.kind}", "loose files can be asked with --query and --jquery only")
    missing: Literal["skip", "null"] = "skip" if spec.kind == "query" else "null"
    return Filter(compile_query(parse(spec.value, f"--{spec.kind}"), missing))


def _shown(show: Show | None) -> Projector | None:
    if show is None or not show.text:
        return None
    missing: Literal["skip", "null"] = "skip" if show.kind == "query" else "null"
    return Projector(compile_query(parse(show.text, "--show"), missing))
