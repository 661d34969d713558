"""An instance with garbage that a writer is about to need again, and a clock to move.

`Scene` holds a store in memory: dataset `cats` in one version, and what a commit of its next
version left behind that was stopped right before its ref: annotations and map nodes in
packs, a commit of its own. `commit` is that commit once more, which finds all that there.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from ldb import dataset
from ldb.backends.base import Backend
from ldb.backends.memory import MemoryBackend
from ldb.dataset import Draft, commit_dataset, dataset_schema
from ldb.garbage import watch
from ldb.history import DATASET_MAP, MapRoot, Operation, head, resolve
from ldb.instance import create, open_instance
from ldb.maps import Changes, edit, empty, scan
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck import fsck
from ldb.porcelain.gc import GRACE, GcReport, gc
from ldb.progress import SILENT
from ldb.refs.name import RefKind, VersionSpec, dataset_ref
from tests.garbage.stepping import Hook, Killed, Stepped, never

CATS, DOGS = dataset_ref("cats"), dataset_ref("dogs")
DAY = 86400.0
LATER = GRACE + DAY


class Clock:
    """The store's time, and how long the machines of writers think they have slept."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0
        self.noticed = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float, noticed: bool = True) -> None:
        self.now += seconds
        if noticed:
            self.noticed += seconds

    def readings(self) -> tuple[float, float]:
        return self.noticed, self.noticed


class Scene:
    """See above; `values` are those of another scene, to begin from a copy."""

    def __init__(self, values: dict[str, tuple[bytes, float]] | None = None) -> None:
        self.clock = Clock()
        self.memory = MemoryBackend("scene", self.clock)
        self.store: Backend = self.memory
        if values is not None:
            self.memory._values.update(values)
            self.clock.now = max(stored for _, stored in values.values()) + LATER
            return
        create(self.store)
        self.commit(rows=range(40))
        with suppress(Killed):
            self.commit(hook=_before_ref)
        self.clock.sleep(LATER)

    def copy(self) -> Scene:
        return Scene(dict(self.memory._values))

    def commit(self, hook: Hook = never, rows: range = range(20, 70), name: str = "cats") -> None:
        """Commit rows with an annotation each, on top of what there is."""
        instance = open_instance(Stepped(self.store, hook))
        with instance.objects.writer() as writer:
            notes = writer.add_many(BlobType.ANNOTATION, [encode({"n": n}) for n in rows])
        ref = dataset_ref(name)
        base = head(instance, ref)
        workspace = ObjectStore(MemoryBackend("workspace"), fallback=instance.objects)
        schema = dataset_schema(instance)
        with workspace.writer() as writer:
            old = empty(writer, schema).oid if base is None else base.commit.maps[DATASET_MAP].root
            items = {bytes([n]) * 16: (bytes(note), bytes(32)) for n, note in zip(rows, notes)}
            root = edit(writer, writer, schema, old, [Changes.of(schema, items)])
        draft = Draft(
            workspace,
            base.commit.maps[DATASET_MAP] if base else MapRoot(old, 0),
            MapRoot(root.oid, root.count),
            base,
            (Operation(("add",)),),
        )
        commit_dataset(instance, ref, draft, "", "Ann")

    def gc(self, hook: Hook = never, alone: bool = False, wait: float = 0.0) -> GcReport:
        self.clock.sleep(wait)
        instance = open_instance(Stepped(self.store, hook))
        return gc(instance, prune=True, alone=alone, progress=SILENT)

    def cycle(self, noticed: bool = True) -> None:
        """Both phases of a whole gc, a grace period apart."""
        self.gc()
        self.clock.sleep(LATER, noticed)
        self.gc()

    def rows(self, name: str = "cats") -> int:
        """How many rows the newest version of a dataset has."""
        instance = open_instance(self.store)
        version = resolve(instance, VersionSpec(dataset_ref(name)))
        root = version.commit.maps[DATASET_MAP].root
        return sum(map(len, scan(instance.objects, dataset_schema(instance), root)))

    def versions(self) -> list[str]:
        refs = open_instance(self.store).refs
        return [str(ref) for name in refs.names(RefKind.DATASET) for ref in refs.history(name)]

    def packs(self) -> list[str]:
        return [each.key for each in self.store.list("objects/pack/") if ".pack" in each.key]

    def garbage(self) -> int:
        """How many files nobody needs."""
        report = gc(open_instance(self.store), grace=3600.0)
        found = (report.condemned, report.young)
        waiting = sum(each.names for each in report.waiting)
        return sum(each.packs + each.loose for each in found) + waiting


def check(backend: Backend) -> None:
    """Everything that every version needs is there and sound."""
    report = fsck(backend)
    assert not report.problems, report.problems
    assert not [note for note in report.notes if "is not a file of LDB's" in note]


def _before_ref(number: int, verb: str, key: str) -> None:
    if verb == "create" and key.startswith("refs/datasets/"):
        raise Killed


def hold_clocks(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    """Let writers' watches go by the scene's clock, and commits be the same each time."""
    monkeypatch.setattr(watch, "readings", scene.clock.readings)
    monkeypatch.setattr(dataset, "now", lambda: 1)
