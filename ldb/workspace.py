"""A workspace: a folder with the draft of a dataset in `.ldb_workspace/`.

The draft is a dataset map in a small object store of its own, which reads through to the
instance; nothing is written to the instance before `commit`. `state` names the draft's
root and is replaced whole, so a killed command leaves the draft as it was. Format:
docs/formats/workspace.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from ldb.backends.files import (
    flush_folder,
    open_to_read,
    refuse_special,
    store_errors,
    write_durably,
)
from ldb.backends.local import LocalBackend
from ldb.errors import BadInput, Conflict, Corrupt, NotFound, StoreFailed, Unsupported
from ldb.history import (
    DiffCounts,
    MapRoot,
    Operation,
    OperationRow,
    RootRow,
    Version,
    dataset_root,
    load_commit,
    operation_of,
    operation_value,
    root_of,
    root_value,
)
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.codec import decode, encode, fitting
from ldb.objects.model import MAX_PAYLOAD
from ldb.objects.store import ObjectStore
from ldb.refs.name import RefName, dataset_ref
from ldb.system import BINARY, NOFOLLOW, NONBLOCK, is_link, try_lock

FOLDER = ".ldb_workspace"
STATE = "state"
LOCK = "lock"
FORMAT = 1
NO_CHANGES = DiffCounts()
MAX_STATE = MAX_PAYLOAD + 32
_LOCK = os.O_RDWR | os.O_CREAT | NOFOLLOW | NONBLOCK | BINARY
_LOCKED = 1024
"""Byte that is locked where whole files cannot be: far behind the process number, which others
must be able to read."""
KEPT_RESULTS = 64
"""Pending operations that keep the map right after them, for `ldb why`."""


@dataclass(frozen=True, slots=True)
class Base:
    """The version that a draft was staged from."""

    name: str
    number: int
    commit: Oid


@dataclass(frozen=True, slots=True)
class State:
    """What `.ldb_workspace/state` holds."""

    instance_url: str
    instance_id: str
    dataset: str
    """Name without `ds:`; empty while the draft has none."""
    base: Base | None
    """None: the dataset is new."""
    base_root: MapRoot
    root: MapRoot
    operations: tuple[Operation, ...] = ()
    changes: DiffCounts = NO_CHANGES
    """How `root` differs from `base_root`."""

    @property
    def dirty(self) -> bool:
        """Whether the draft differs from its base."""
        return self.root.root != self.base_root.root


class _FormatRow(TypedDict):
    format: int


class _BaseRow(TypedDict):
    commit: bytes
    name: str
    number: int


class _InstanceRow(TypedDict):
    id: str
    url: str


class _FirstStateRow(_FormatRow):
    base: _BaseRow | None
    base_root: RootRow
    changes: tuple[int, int, int]
    dataset: str
    instance: _InstanceRow
    operations: list[OperationRow]
    root: RootRow


class _StateRow(_FirstStateRow, total=False):
    transformed: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """An open workspace; `folder` is absolute."""

    folder: str
    instance: Instance
    state: State
    store: ObjectStore

    def base_version(self) -> Version | None:
        """The version that the draft was staged from; None for a new dataset."""
        base = self.state.base
        if base is None:
            return None
        commit = load_commit(self.instance, base.commit)
        return Version(dataset_ref(base.name), base.number, base.commit, commit)

    def changed(self, root: MapRoot, operation: Operation, changes: DiffCounts) -> Workspace:
        """The same workspace with `root` as its draft, saved."""
        done = (*self.state.operations, replace(operation, result=root))
        late = len(done) - KEPT_RESULTS
        kept = tuple(
            replace(each, result=None) if at < late else each for at, each in enumerate(done)
        )
        if root.root == self.state.base_root.root:
            kept = ()
        return self.saved(replace(self.state, root=root, operations=kept, changes=changes))

    def saved(self, state: State) -> Workspace:
        """The same workspace with another state, durable on return."""
        _save(self.folder, state)
        return replace(self, state=state)

    @property
    def ref(self) -> RefName | None:
        """The dataset's ref; None while the draft has no name."""
        return dataset_ref(self.state.dataset) if self.state.dataset else None


def find(start: str) -> str | None:
    """The nearest folder at or above `start` (absolute) that is a workspace."""
    folder = start
    while True:
        if os.path.isfile(os.path.join(folder, FOLDER, STATE)):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def load_state(folder: str) -> State:
    """The state of the workspace at `folder`; raises `NotFound` or `Corrupt`."""
    path = os.path.join(folder, FOLDER, STATE)
    try:
        _refuse_link(folder)
        with open(open_to_read(path), "rb") as file:
            refuse_special(path, os.fstat(file.fileno()))
            data = file.read(MAX_STATE + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound("workspace", folder, "make one: ldb stage ds:NAME") from None
    except OSError as error:
        raise StoreFailed(path, str(error.strerror)) from None
    if len(data) > MAX_STATE:
        raise Corrupt("workspace state", f"{path}: more than {MAX_STATE} bytes")
    return decode_state(data, path)


def _refuse_link(folder: str) -> None:
    """Raise `StoreFailed` where the inside of a workspace is a link: it would lead commands
    that replace and delete files to others, an instance say."""
    path = os.path.join(folder, FOLDER)
    try:
        found = os.lstat(path)
    except OSError:
        return
    if is_link(found):
        raise StoreFailed(path, "a symbolic link where a plain folder is needed", "remove it")


def stranger(folder: str) -> int | None:
    """The user id that owns the workspace at `folder` where that is somebody else's.

    None for the user's own, for root's, for anybody's where root asks, and on Windows.
    """
    if not hasattr(os, "geteuid"):
        return None
    owner = os.lstat(os.path.join(folder, FOLDER)).st_uid
    return None if os.geteuid() in (0, owner) or not owner else owner


def changed_at(folder: str) -> int:
    """When the draft at `folder` was last changed, in nanoseconds since 1970."""
    return os.stat(os.path.join(folder, FOLDER, STATE)).st_mtime_ns


def check_owner(folder: str, state: State, instance: Instance) -> None:
    """Raises `Conflict` where the draft of this `state` is not of `instance`."""
    if state.instance_id != instance.id:
        raise Conflict(
            f"instance of the workspace {folder}",
            instance.url,
            state.instance_url,
            f"use its own: ldb --instance {state.instance_url} …",
        )


def open_workspace(folder: str, instance: Instance) -> Workspace:
    """The workspace at `folder`, whose draft must belong to `instance`."""
    state = load_state(folder)
    check_owner(folder, state, instance)
    return Workspace(folder, instance, state, open_store(folder, instance))


def open_store(folder: str, instance: Instance) -> ObjectStore:
    """The workspace's own object store over the instance's."""
    backend = LocalBackend(os.path.join(folder, FOLDER))
    return ObjectStore(backend, fallback=instance.objects)


def make_folder(folder: str) -> None:
    """Make the inside of a workspace at `folder`, before a draft is put there."""
    path = os.path.join(folder, FOLDER)
    _refuse_link(folder)
    with store_errors(path):
        os.makedirs(path, exist_ok=True)


def new_draft(folder: str, instance: Instance, dataset: str, empty: MapRoot) -> Workspace:
    """Start a new dataset at `folder`; `empty` is the map without rows, in its store.

    Replaces any draft there; the caller has made sure that this is wanted.
    """
    state = State(instance.url, instance.id, dataset, None, empty, empty)
    _save(folder, state)
    return Workspace(folder, instance, state, open_store(folder, instance))


def staged(folder: str, instance: Instance, dataset: str, version: Version) -> Workspace:
    """Make `version` the draft at `folder`, to be committed as `dataset`; replaces any other."""
    root = dataset_root(version)
    base = Base(version.ref.name, version.number, version.oid)
    state = State(instance.url, instance.id, dataset, base, root, root)
    _save(folder, state)
    clear_objects(folder)
    return Workspace(folder, instance, state, open_store(folder, instance))


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold the workspace for one changing command; raises `Conflict` where another has it.

    The system frees the lock when the process ends, however it ends.
    """
    path = os.path.join(folder, FOLDER, LOCK)
    _refuse_link(folder)
    with store_errors(path):
        handle = os.open(path, _LOCK, 0o666)
    try:
        found = os.fstat(handle)
        refuse_special(path, found)
        if found.st_nlink > 1:  # or the file that it is too would be cut off
            raise StoreFailed(path, "has another name, so it is no lock of ours", "remove it")
        if not try_lock(handle, _LOCKED):
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "?"
            raise Conflict(
                f"workspace {folder}",
                "no other command",
                f"an ldb command at work (process {holder})",
                "wait until it has finished",
            )
        with contextlib.suppress(OSError):  # a full disk: others cannot be told who has it
            os.truncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def clear_objects(folder: str) -> None:
    """Drop the workspace's own blobs; for when its state needs none of them any more."""
    backend = LocalBackend(os.path.join(folder, FOLDER))
    backend.delete([entry.key for entry in backend.list("objects/")])


def _save(folder: str, state: State) -> None:
    inside = os.path.join(folder, FOLDER)
    temporary = os.path.join(inside, f".{STATE}-{secrets.token_hex(8)}")
    try:
        with store_errors(inside):
            write_durably(temporary, encode_state(state), 0)
            os.replace(temporary, os.path.join(inside, STATE))
            flush_folder(inside)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def encode_state(state: State) -> bytes:
    """What the file `state` holds: a SHA-256 and what it is of."""
    payload = encode(_value_of(state))
    return hashlib.sha256(payload).digest() + payload


def decode_state(data: bytes, where: str) -> State:
    """Parse the file `state`; raises `Corrupt` or `Unsupported` naming `where`."""
    check, payload = data[:32], data[32:]
    if hashlib.sha256(payload).digest() != check:
        raise Corrupt("workspace state", where)
    try:
        value = decode(payload)
        number = fitting(value, _FormatRow)["format"]
        if number != FORMAT:
            raise Unsupported(f"workspace format {number} of {where}", "upgrade ldb")
        return _state_of(fitting(value, _StateRow))
    except BadInput as error:
        raise Corrupt("workspace state", f"{where}: {error.why}") from None


def _value_of(state: State) -> dict[str, Any]:
    base = state.base
    changes = state.changes
    return {
        "base": {"commit": bytes(base.commit), "name": base.name, "number": base.number}
        if base
        else None,
        "base_root": root_value(state.base_root),
        "changes": [changes.added, changes.removed, changes.changed],
        "dataset": state.dataset,
        "format": FORMAT,
        "instance": {"id": state.instance_id, "url": state.instance_url},
        "operations": [operation_value(each) for each in state.operations],
        "root": root_value(state.root),
        **({"transformed": changes.transforms} if changes.transforms else {}),
    }


def _state_of(value: _StateRow) -> State:
    base = value["base"]
    if value["dataset"]:
        dataset_ref(value["dataset"])  # raises where no dataset can be called so
    return State(
        instance_url=value["instance"]["url"],
        instance_id=value["instance"]["id"],
        dataset=value["dataset"],
        base=Base(base["name"], base["number"], Oid(base["commit"])) if base is not None else None,
        base_root=root_of(value["base_root"]),
        root=root_of(value["root"]),
        operations=tuple(operation_of(each) for each in value["operations"]),
        changes=DiffCounts(*value["changes"], value.get("transformed", 0)),
    )
