"""Running transforms: every program of every object, before a file of the target is touched.

Each program gets a verified copy of the data object in a folder of its own, so that it can
harm no stored file, and writes into an empty folder. Where one fails all are stopped, and
nothing has happened. What they are given: docs/guide/plugins.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import fill, key_bytes
from ldb.errors import LdbError, Untrusted
from ldb.foreign.programs import NOTICE, ProgramFailed, Programs, find_program
from ldb.foreign.trust import is_trusted
from ldb.instantiate.annotation import annotation_text
from ldb.instantiate.items import load_rows
from ldb.instantiate.model import RecordRow
from ldb.instantiate.naming import clean, folded, name_with_id
from ldb.instantiate.options import InstantiateOptions, Problem
from ldb.instantiate.outputs import Output, Outputs
from ldb.objects.model import BlobType
from ldb.porcelain.localfiles import LocalFile, local_files
from ldb.porcelain.place import Place
from ldb.porcelain.transform import Sets, sets_of, stores_of
from ldb.processes import default_processes
from ldb.progress import Progress
from ldb.query.selected import Selected
from ldb.storage.reading import HASHES
from ldb.transforms import SELF, Argv, TransformSet

APPLY = "apply"
MOST_PRINTED = 1 << 20
MAX_OUTPUTS = 10_000
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """What transforms made, and which objects are to be written themselves."""

    rows: Selected
    outputs: Outputs
    problems: Sequence[Problem]


@contextlib.contextmanager
def transformed(
    place: Place,
    sources: Sequence[str],
    rows: Selected,
    options: InstantiateOptions,
    progress: Progress,
) -> Iterator[Made | None]:
    """Run the transforms of some rows; None where they have none. Outputs last for the block."""
    some = options.apply or rows.transforms.any()
    if not some or options.annotations_only or not len(rows):
        yield None
        return
    sets = sets_of(stores_of(place, sources), rows.transforms)
    job = _Job(place, sets, options, progress)
    with tempfile.TemporaryDirectory(prefix="ldb-transforms-") as folder:
        yield job.run(rows, folder)


class _Job:
    def __init__(
        self, place: Place, sets: Sets, options: InstantiateOptions, progress: Progress
    ) -> None:
        self._place = place
        self._sets = {oid: self._with_apply(each, options.apply) for oid, each in sets.items()}
        self._options = options
        self._progress = progress
        self._programs: dict[Argv, str] = {}

    def _with_apply(self, found: TransformSet, apply: Sequence[str]) -> TransformSet:
        if not apply:
            return found
        name = APPLY
        while name in found:
            name += "-"
        return {**found, name: tuple(apply)}

    def run(self, rows: Selected, folder: str) -> Made:
        if self._options.strict:
            rows = rows.take(np.flatnonzero(rows.annotations.any(axis=1)))
        self._look_at_programs(rows)
        self._progress.start("transforming", len(rows))
        outputs, problems = self._all(rows, folder)
        itself = [at for at, each in enumerate(rows.transforms)
                  if SELF in self._sets[each.tobytes()]]  # fmt: skip
        having = np.array(sorted(outputs), np.intp)
        names = key_bytes(rows.ids)
        made = Outputs(
            rows.ids[having], rows.annotations[having], {names[at]: outputs[at] for at in outputs}
        )
        told = [
            Problem(f"id:{names[at].hex()}", f"was not transformed: {why}")
            for at, why in sorted(problems.items())
        ]
        return Made(rows.take(np.array(itself, np.intp)), made, told)

    # -- may they, and can they ----------------------------------------------------------

    def _look_at_programs(self, rows: Selected) -> None:
        """Find all programs; raises `Untrusted` or `NotFound` before any runs."""
        own = self._place.own
        new: list[str] = []
        chosen = {each.tobytes() for each in np.unique(rows.transforms, axis=0)}
        found = {argv: name for oid in chosen for name, argv in self._sets[oid].items() if argv}
        typed = tuple(self._options.apply)
        for argv, name in found.items():
            if argv != typed and not is_trusted(own.trust, own.settings, argv):
                new.append(f"transform {name}, which runs {json.dumps(list(argv))}")
        if new and own.trust_once is None:
            more = f" and {len(new) - 1} more" if len(new) > 1 else ""
            raise Untrusted(new[0] + more, "look at it: `ldb trust`; or run it this once: --trust")
        if new and own.trust_once is not None:
            own.trust_once(["running this once:", *(f"  {each}" for each in new)])
        for argv in found:
            start = self._place.cwd if argv == typed else "/"
            self._programs[argv] = find_program(argv[0], start, own.path)

    # -- running -------------------------------------------------------------------------

    def _all(self, rows: Selected, folder: str) -> tuple[dict[int, list[Output]], dict[int, str]]:
        """Outputs of each row that has any, and rows whose data cannot be had."""
        store = self._place.instance.objects
        known = self._place.catalog.find(rows.ids)
        records = fill(load_rows(store, known.records[known.known]), int(known.known.sum()))
        at_record = dict(zip(np.flatnonzero(known.known).tolist(), records, strict=True))
        names = key_bytes(rows.ids)
        work = [at for at, each in enumerate(rows.transforms) if self._runs(each.tobytes())]
        some = rows.take(np.array(work, np.intp))
        outputs: dict[int, list[Output]] = {}
        problems: dict[int, str] = {}
        files = local_files(self._place, self._place.catalog, some, self._progress)
        threads = self._options.processes or default_processes()
        with Programs() as programs, ThreadPoolExecutor(threads) as pool:
            waiting: dict[Future[list[Output]], int] = {}
            try:
                for file in files:
                    at = work[file.at]
                    if not file.path:
                        problems[at] = file.why
                        continue
                    one = _One(
                        names[at],
                        os.path.join(folder, str(at)),
                        at_record[at],
                        self._sets[rows.transforms[at].tobytes()],
                        self._programs,
                        self._place.instance.object_hash,
                    )
                    note = rows.annotations[at]
                    waiting[pool.submit(one.run, programs, file, self._note(note))] = at
                    if len(waiting) >= 4 * threads:
                        self._collect(waiting, outputs, problems)
                while waiting:
                    self._collect(waiting, outputs, problems)
            except BaseException:
                programs.stop()
                pool.shutdown(cancel_futures=True)
                raise
        return outputs, problems

    def _runs(self, oid: bytes) -> bool:
        return any(argv is not None for argv in self._sets[oid].values())

    def _note(self, oid: NDArray[np.uint8]) -> bytes | None:
        if not oid.any():
            return None
        stores = self._place.workspace.store if self._place.workspace else None
        store = stores or self._place.instance.objects
        for _, payloads in store.scan(oid.reshape(1, -1), BlobType.ANNOTATION):
            return annotation_text(payloads[0])
        return None

    def _collect(
        self,
        waiting: dict[Future[list[Output]], int],
        outputs: dict[int, list[Output]],
        problems: dict[int, str],
    ) -> None:
        """Take what is done, of which there is something; raises what a program failed with."""
        done: set[Future[list[Output]]] = set()
        while not done:
            done, _ = wait(waiting, NOTICE, FIRST_COMPLETED)
        for future in done:
            at = waiting.pop(future)
            try:
                outputs[at] = future.result()
            except _Gone as gone:
                problems[at] = str(gone)
            self._progress.advance()


class _Gone(LdbError):
    """The data object is not at the place where it should be."""


@dataclass(frozen=True)
class _One:
    """One data object and its programs."""

    id: bytes
    folder: str
    record: RecordRow
    chosen: TransformSet
    programs: dict[Argv, str]
    algorithm: str

    def run(self, programs: Programs, file: LocalFile, note: bytes | None) -> list[Output]:
        """Run them one after the other; what they made."""
        os.mkdir(self.folder, 0o700)
        inside = os.path.join(self.folder, "data")
        os.mkdir(inside, 0o700)
        paths = self.record["paths"]
        first = paths[0]["path"] if paths else ""
        name = name_with_id(first, self.id.hex(), self.record["type"])
        data = os.path.join(inside, name.data)
        _copy(file.path, data, self.id, self.algorithm)
        annotation = ""
        if note is not None:
            annotation = os.path.join(inside, name.annotation)
            with open(annotation, "wb") as target:
                target.write(note)
        made: list[Output] = []
        for title, argv in self.chosen.items():
            if argv is not None:
                made += self._one(programs, title, argv, data, annotation)
        shutil.rmtree(inside)
        return made

    def _one(
        self, programs: Programs, title: str, argv: Argv, data: str, annotation: str
    ) -> list[Output]:
        output = os.path.join(self.folder, f"out-{title}")
        os.mkdir(output, 0o700)
        given = {"id": self.id.hex(), "data": data, "annotation": annotation, "output": output}
        words = [self.programs[argv], *(_filled(word, given) for word in argv[1:])]
        request = {**given, "annotation": annotation or None, "transform": title}
        what = f"{title} ({argv[0]}) on id:{self.id.hex()}"
        programs.run(words, json.dumps(request).encode(), cwd=output, most=MOST_PRINTED, name=what)
        return list(_found(output, title, what))


def _filled(word: str, given: dict[str, str]) -> str:
    for name, value in given.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _copy(source: str, target: str, object_id: bytes, algorithm: str) -> None:
    digest = HASHES[algorithm]()
    try:
        with open(source, "rb", buffering=0) as read, open(target, "wb", buffering=0) as write:
            while piece := read.read(PIECE):
                digest.update(piece)
                write.write(piece)
    except FileNotFoundError as error:
        raise _Gone(f"{source}: {error.strerror}") from None
    if digest.digest() != object_id:
        raise _Gone(f"{source} has changed since it was indexed")


def _found(folder: str, title: str, what: str) -> Iterator[Output]:
    """The files that a program left, each with a plain name."""
    names: set[str] = set()
    for path, folders, files in os.walk(folder):
        for each in (*folders, *files):
            full = os.path.join(path, each)
            if os.path.islink(full) or not (os.path.isfile(full) or os.path.isdir(full)):
                raise ProgramFailed(what, f"left {each!r}, which is no plain file")
        for each in files:
            full = os.path.join(path, each)
            name = "-".join(map(clean, os.path.relpath(full, folder).split(os.sep)))
            if folded(name) in names:
                raise ProgramFailed(what, f"left two files whose name becomes {name!r}")
            names.add(folded(name))
            if len(names) > MAX_OUTPUTS:
                raise ProgramFailed(what, f"left more than {MAX_OUTPUTS:,} files")
            yield Output(title, name, full)
