"""Users' functions in queries, and `--sort` and `--pipe`: who is meant, may it run, run it.

A name is looked for in the user's own settings first, then among the encoders, then (`--pipe`)
among the programs in `PATH`, and last in the instance, whose code runs only where it is
trusted. Protocols: docs/guide/plugins.md, trust: docs/design/020-trust.md.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, key_bytes
from ldb.errors import BadInput, NotFound, Untrusted
from ldb.foreign.calling import Row, answered, most_bytes, request_of
from ldb.foreign.files import FOLDER, Code, kind_of
from ldb.foreign.functions import Found, load_functions
from ldb.foreign.programs import Programs, find_program, is_path
from ldb.foreign.trust import Judged, argv_of, judge
from ldb.instantiate.annotation import annotation_text
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.porcelain.localfiles import left_out, local_files
from ldb.porcelain.nearest import by_nearness
from ldb.porcelain.place import Place
from ldb.progress import Progress
from ldb.query.plugins import Order
from ldb.query.selected import Selected
from ldb.query.signature import Function, declare_foreign
from ldb.query.values import QueryFailed
from ldb.search.encoder import names

SCALARS = (str, int, bool, type(None))


def trusted_code(place: Place) -> Code:
    """The code of the instance; raises `Untrusted` where this user does not trust it."""
    judged = judge(place.instance, place.own.trust)
    if judged.trusted:
        return judged.code
    if place.own.trust_once is None:
        raise untrusted(place, judged)
    place.own.trust_once(
        [f"running this once ({judged.why}):"]
        + [
            f"  {kind_of(path)} {FOLDER}{path} sha256:{digest}"
            for path, digest in sorted(judged.code.hashes().items())
        ]
    )
    return judged.code


def untrusted(place: Place, judged: Judged) -> Untrusted:
    """The error that names what would have run."""
    new = [path for path in sorted(judged.code.files) if judged.state(path) != "trusted"]
    shown = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
    gone = "" if new else "files that were trusted are gone"
    what = f"code of {place.instance.url} ({judged.why}): {shown or gone}"
    return Untrusted(what, "look at it: `ldb trust`; or run it this once: --trust")


class PlacePlugins:
    """Those of one command; what could not be done is told in `messages`."""

    def __init__(
        self, place: Place, catalog: Catalog, messages: list[str], progress: Progress
    ) -> None:
        self._place = place
        self._catalog = catalog
        self._messages = messages
        self._progress = progress

    @cached_property
    def _functions(self) -> Mapping[str, Function]:
        code = trusted_code(self._place)
        found = load_functions(code, f"{self._place.instance.url}/{FOLDER}".rstrip("/"))
        return {name: _declared(each) for name, each in found.items()}

    def functions(self) -> Mapping[str, Function]:
        return self._functions

    def order(self, kind: str, words: Sequence[str]) -> Order:
        if kind == "near":
            encoder = self._place.own.settings.get("core.encoder", "clip")
            words = (f"{encoder}-file", *words)
        name, *arguments = words
        if argv := self._configured(name):
            program = find_program(argv[0], self._place.own.home, self._place.own.path)
            return self._by_program([program, *argv[1:], *arguments], name)
        if is_path(name):
            program = find_program(name, self._place.cwd, "")
            return self._by_program([program, *arguments], name)
        near = by_nearness(
            self._place, self._catalog, self._messages, self._progress, name, arguments
        )
        if near is not None:
            return near
        if kind == "pipe" and (program := self._in_path(name)):
            return self._by_program([program, *arguments], name)
        code = trusted_code(self._place)
        if path := code.filters().get(name.lower()):
            return self._by_filter(code, path, arguments)
        raise NotFound("program" if kind == "pipe" else "plug-in", name, self._known(kind, code))

    def _configured(self, name: str) -> list[str] | None:
        """What the user's own settings run under this name."""
        tables = self._place.own.settings.tables("filter")
        for known, table in tables.items():
            if known.lower() == name.lower():
                argv = argv_of(table.get("run", ""))
                if argv is None:
                    raise BadInput(f"filter.{known}.run", "is not a JSON array of words")
                return argv
        return None

    def _in_path(self, name: str) -> str:
        try:
            return find_program(name, self._place.cwd, self._place.own.path)
        except NotFound:
            return ""

    def _known(self, kind: str, code: Code) -> str:
        own = self._place.own.settings.tables("filter")
        return f"there is {', '.join(sorted({*own, *code.filters(), *names()}))}"

    def _by_filter(self, code: Code, path: str, arguments: Sequence[str]) -> Order:
        def order(rows: Selected) -> NDArray[np.intp]:
            with tempfile.TemporaryDirectory(prefix="ldb-code-") as folder:
                code.lay_out(folder)  # the very bytes that are trusted
                program = os.path.join(folder, *path.split("/"))
                start = [sys.executable, program] if path.endswith(".py") else [program]
                return self._ask([*start, *arguments], path.rpartition("/")[2], rows)

        return order

    def _by_program(self, argv: Sequence[str], name: str) -> Order:
        return lambda rows: self._ask(argv, name, rows)

    def _ask(self, argv: Sequence[str], name: str, rows: Selected) -> NDArray[np.intp]:
        with tempfile.TemporaryDirectory(prefix="ldb-notes-") as folder, Programs() as programs:
            places, request = self._rows(rows, folder)
            self._progress.start(name, None)
            most = most_bytes(request)
            done = programs.run(
                argv, request_of(request), cwd=self._place.cwd, most=most, name=name
            )
        if done.stderr.strip():
            self._messages.append(f"{name}: {done.stderr.strip()}")
        chosen = answered(done.stdout, [row[0] for row in request], name)
        return np.array([places[at] for at in chosen], np.intp)

    def _rows(self, rows: Selected, folder: str) -> tuple[list[int], list[Row]]:
        """What a program is given, and the position of each; annotations are put in `folder`."""
        paths: list[str] = [""] * len(rows)
        missing: list[str] = []
        names = key_bytes(rows.ids)
        self._progress.start("finding files", len(rows))
        for file in local_files(self._place, self._catalog, rows, self._progress):
            paths[file.at] = file.path
            self._progress.advance()
            if not file.path:
                missing.append(f"id:{names[file.at].hex()}: {file.why}")
        if missing:
            self._messages.append(left_out("the program", len(missing), missing[0]))
        notes = self._notes(rows, folder)
        places = [at for at, path in enumerate(paths) if path]
        return places, [(names[at].hex(), paths[at], notes.get(at)) for at in places]

    def _notes(self, rows: Selected, folder: str) -> dict[int, str]:
        notes: dict[int, str] = {}
        names = key_bytes(rows.ids)
        having = np.flatnonzero(rows.annotations.any(axis=1))
        store = self._catalog.instance.objects
        for positions, payloads in store.scan(rows.annotations[having], BlobType.ANNOTATION):
            for position, payload in zip(positions.tolist(), payloads):
                at = int(having[position])
                notes[at] = os.path.join(folder, names[at].hex() + ".json")
                with open(notes[at], "wb") as file:
                    file.write(annotation_text(payload))
        return notes


def _declared(found: Found) -> Function:
    def call(*given: object) -> object:
        return _as_json(found.call(*given), found.name)

    return declare_foreign(found.name, call, found.types, found.optional)


def _as_json(value: object, name: str) -> object:
    """A function's result, if it is a value that JSON has."""
    if type(value) in SCALARS:
        return value
    try:
        json.dumps(value, allow_nan=False)
        encode(value)  # which takes no tuples, nor keys that are not texts
    except (TypeError, ValueError, RecursionError, BadInput) as error:
        raise QueryFailed(f"{name}()", f"returned what is no JSON value: {error}") from None
    return value
