"""The whole check, in the order in which a reader goes: refs first, then what they need.

So a commit made while the check runs is either not seen at all or seen with all its blobs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.catalog import open_catalog
from ldb.errors import Corrupt, LdbError, NotFound
from ldb.instance import INSTANCE_KEY, MAX_FILE, Instance, open_instance
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck.derived import Store, check_derived
from ldb.porcelain.fsck.files import blob_files, ref_files
from ldb.porcelain.fsck.history import History, read_refs
from ldb.porcelain.fsck.records import check_paths, check_records
from ldb.porcelain.fsck.report import MAX_NOTES, Findings, Report
from ldb.porcelain.fsck.shelves import Part, Shelves
from ldb.porcelain.fsck.walk import References, walks
from ldb.progress import SILENT, Progress
from ldb.refs.store import RefStore
from ldb.workspace import FOLDER, LOCK, STATE, State, load_state, open_store

_STATE_LEFT = ".state-"


def fsck(backend: Backend, workspace: str | None = None, progress: Progress = SILENT) -> Report:
    """Check the instance on `backend`, and the workspace in the folder `workspace` if given.

    Raises `NotFound` where there is no instance, `Unsupported` for a format of the future.
    """
    findings = Findings()
    instance = _instance(backend, findings)
    refs = read_refs(backend, ref_files(backend, findings), findings)
    draft = _Draft.open(workspace, instance, findings)
    parts = list(blob_files(backend, "", (INSTANCE_KEY,), findings, progress))
    store = draft.store or instance.objects
    shelves = Shelves(parts, draft.parts(findings, progress))
    references = References(shelves, findings, instance.id_bytes)
    progress.start("checking maps")
    maps = walks(instance, store, references, findings, progress)
    history = History(store, references, maps, findings)
    history.versions(refs)
    draft.check(history, findings)
    check_records(store, references, findings, progress)
    if not findings.damaged:
        check_paths(open_catalog(instance), findings)
    check_derived([Store(backend), *draft.stores()], findings, progress)
    _count_unused(shelves, findings)
    return findings.report()


def _instance(backend: Backend, findings: Findings) -> Instance:
    """The instance; opened as far as possible where its first file is damaged."""
    try:
        instance = open_instance(backend)
    except Corrupt as error:
        findings.problem(INSTANCE_KEY, error.where)
        guess = "sha256" if b'"sha256"' in bytes(backend.read(INSTANCE_KEY, 0, MAX_FILE)) else "md5"
        instance = Instance(backend, ObjectStore(backend), RefStore(backend), guess, "")
    findings.checked.files += 1
    findings.checked.bytes += len(backend.read(INSTANCE_KEY, 0, MAX_FILE))
    return instance


def _count_unused(shelves: Shelves, findings: Findings) -> None:
    kinds, findings.checked.copies = shelves.unused()
    findings.checked.unused = sum(kinds.values())
    if kinds:
        shown = ", ".join(f"{count} {kind.value}" for kind, count in kinds.items())
        findings.note(f"nothing refers to {findings.checked.unused} blob(s): {shown}")
    if findings.checked.copies:
        findings.note(f"{findings.checked.copies} blob(s) are stored more than once")
    for oid in shelves.unused_of(BlobType.COMMIT, MAX_NOTES):
        findings.note(f"commit {oid} is named by no ref", "commits named by no ref")


@dataclass(frozen=True, slots=True)
class _Draft:
    """The workspace to be checked, if there is one and it can be read."""

    folder: str = ""
    state: State | None = None
    store: ObjectStore | None = None
    """Reads its own blobs and the instance's."""

    @staticmethod
    def open(folder: str | None, instance: Instance, findings: Findings) -> _Draft:
        if folder is None:
            return _Draft()
        path = os.path.join(folder, FOLDER, STATE)
        store = open_store(folder, instance)
        findings.checked.files += 1
        try:
            state = load_state(folder)
        except NotFound:
            raise
        except LdbError as error:
            findings.problem(path, str(error))
            return _Draft(folder, None, store)
        if state.instance_id != instance.id and instance.id:
            findings.note(f"{folder} is a workspace of another instance, {state.instance_url}")
            return _Draft()
        return _Draft(folder, state, store)

    def parts(self, findings: Findings, progress: Progress) -> list[Part]:
        if not self.folder:
            return []
        inside = os.path.join(self.folder, FOLDER)
        left = [name for name in sorted(os.listdir(inside)) if name.startswith(_STATE_LEFT)]
        for name in left:
            path = os.path.join(inside, name)
            findings.note(f"{path} was left by a command that was killed", "files left")
        others = (STATE, LOCK, *left)
        return list(blob_files(LocalBackend(inside), inside + "/", others, findings, progress))

    def stores(self) -> list[Store]:
        """Where the draft's own packs are."""
        if not self.folder:
            return []
        inside = os.path.join(self.folder, FOLDER)
        return [Store(LocalBackend(inside), inside + "/")]

    def check(self, history: History, findings: Findings) -> None:
        state = self.state
        if state is None:
            return
        results = [each.result for each in state.operations if each.result]
        roots = [state.base_root, state.root, *results]
        broken = history.maps(("dataset", root) for root in roots)
        if state.base is not None:
            broken |= history.commit(state.base.commit)[1]
        findings.needed(broken, f"the draft in {self.folder}")
