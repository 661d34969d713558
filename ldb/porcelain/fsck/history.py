"""From refs to commits, and from each commit to its maps: what every version needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ldb.backends.base import Backend
from ldb.errors import LdbError
from ldb.history import Commit, MapRoot, decode_commit
from ldb.ids import Oid
from ldb.instance import decode_settings
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck.files import RefFile
from ldb.porcelain.fsck.report import SOUND, Findings, Labels
from ldb.porcelain.fsck.walk import MapWalk, References
from ldb.refs.name import INDEX, SETTINGS, RefKind, RefName
from ldb.refs.store import MAX_BODY, Ref, decode

MAPS = {RefKind.DATASET: {"dataset"}, RefKind.INDEX: {"objects", "paths"}}
"""Names of the maps that commits of a kind have."""


def read_refs(backend: Backend, files: Sequence[RefFile], findings: Findings) -> list[Ref]:
    """Every ref file that is sound; gaps between version numbers are noted."""
    refs = []
    last: dict[RefName, int] = {}
    for file in files:
        for number in range(last.get(file.name, 0) + 1, file.number):
            key = file.name.key(number)
            findings.note(f"{file.name}.v{number} is not there ({key})", "versions missing")
        last[file.name] = file.number
        if file.name.kind is not RefKind.DATASET and file.name not in (INDEX, SETTINGS):
            findings.note(f"{file.key} is a ref that nothing reads", "odd refs")
        try:
            data = bytes(backend.read(file.key, 0, MAX_BODY + 1))
            refs.append(decode(file.name, file.number, data, file.key))
        except LdbError as error:
            findings.problem(file.key, str(error))
            findings.needed([file.key], f"{file.name}.v{file.number}")
    return refs


class History:
    """Checks commits, each once, with all that they refer to."""

    def __init__(
        self,
        store: ObjectStore,
        references: References,
        walks: dict[str, MapWalk],
        findings: Findings,
    ) -> None:
        self._store = store
        self._references = references
        self._walks = walks
        self._findings = findings
        self._done: dict[Oid, tuple[Commit | None, Labels]] = {}

    def versions(self, refs: Iterable[Ref]) -> None:
        """Check every version, and the commits that they came from."""
        parents: dict[Oid, None] = {}
        for ref in refs:
            if ref.target is not None:
                self._findings.checked.versions += 1
                self._findings.needed(self._version(ref, ref.target, parents), str(ref))
        waiting = [oid for oid in parents if oid not in self._done]
        while waiting:
            oid = waiting.pop()
            commit, broken = self.commit(oid)
            name = f" ({commit.name}.v{commit.number})" if commit else ""
            self._findings.needed(broken, f"commit {oid}{name}")
            waiting += [
                each for each in (commit.parents if commit else ()) if each not in self._done
            ]

    def _version(self, ref: Ref, target: Oid, parents: dict[Oid, None]) -> Labels:
        if ref.name.kind is RefKind.SETTINGS:
            return self._settings(target)
        commit, broken = self.commit(target)
        if commit is None:
            return broken
        parents.update(dict.fromkeys(commit.parents))
        if (commit.name, commit.number) != (ref.name.name, ref.number):
            why = f"names commit {target} of ds:{commit.name}.v{commit.number}"
            broken |= {self._findings.problem(ref.name.key(ref.number), why)}
        if set(commit.maps) != MAPS[ref.name.kind]:
            why = f"commit with maps {', '.join(sorted(commit.maps))} is not one of {ref.name}"
            broken |= {self._findings.problem(target, why)}
        return broken

    def commit(self, oid: Oid) -> tuple[Commit | None, Labels]:
        """A commit and the damage that keeps it from being read whole."""
        if oid not in self._done:
            self._done[oid] = self._commit(oid)
            self._findings.checked.commits += 1
        return self._done[oid]

    def _commit(self, oid: Oid) -> tuple[Commit | None, Labels]:
        missing = self._references.one(oid, BlobType.COMMIT)
        if missing:
            return None, missing
        try:
            commit = decode_commit(self._store.get(oid, BlobType.COMMIT).payload, oid)
        except LdbError as error:
            return None, frozenset({self._findings.problem(oid, str(error))})
        roots = list(commit.maps.items())
        roots += [("dataset", each.result) for each in commit.operations if each.result]
        return commit, self.maps(roots)

    def maps(self, roots: Iterable[tuple[str, MapRoot]]) -> Labels:
        """Check maps given by name and root."""
        broken = SOUND
        for name, root in roots:
            if name in self._walks:
                broken |= self._walks[name].walk(root)
        return broken

    def _settings(self, oid: Oid) -> Labels:
        missing = self._references.one(oid, BlobType.SETTINGS)
        if missing:
            return missing
        try:
            decode_settings(self._store.get(oid, BlobType.SETTINGS).payload, str(oid))
        except LdbError as error:
            return frozenset({self._findings.problem(oid, str(error))})
        return SOUND
