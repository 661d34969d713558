"""`ldb stage`: put a version of a dataset, or a new one, into a workspace as its draft."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ldb.dataset import empty_root
from ldb.errors import BadInput, Conflict, NotFound
from ldb.history import Version, head, resolve
from ldb.porcelain.place import Place
from ldb.refs.name import INDEX, VersionSpec
from ldb.workspace import (
    FOLDER,
    Workspace,
    load_state,
    locked,
    make_folder,
    new_draft,
    open_store,
    staged,
)


@dataclass(frozen=True, slots=True)
class Staged:
    """A draft that was put into a workspace."""

    workspace: Workspace
    version: Version | None
    """What it was staged from; None: a new dataset."""


def stage(place: Place, spec: VersionSpec, folder: str, force: bool = False) -> Staged:
    """Make `folder` (absolute) a workspace with `spec` as its draft.

    Refuses a folder with other files, and a draft with unsaved changes, without `force`.
    """
    if spec.ref == INDEX:
        raise BadInput("ds:root", "is the index and has no draft", "stage ds:NAME, then add to it")
    version = _version(place, spec)
    check_folder(folder, force)
    make_folder(folder)
    with locked(folder):
        _check_draft(folder, force)  # once more: another command may just have changed it
        if version is not None:
            return Staged(staged(folder, place.instance, spec.ref.name, version), version)
        return Staged(blank(place, folder, spec.ref.name), None)


def blank(place: Place, folder: str, name: str) -> Workspace:
    """Start a new dataset; the caller holds the workspace's lock."""
    empty = empty_root(place.instance, open_store(folder, place.instance))
    return new_draft(folder, place.instance, name, empty)


def _version(place: Place, spec: VersionSpec) -> Version | None:
    if spec.number is not None or spec.back:
        return resolve(place.instance, spec)
    return head(place.instance, spec.ref)


def check_folder(folder: str, force: bool) -> None:
    """Raise `BadInput` or `Conflict` where a draft may not be put at `folder`."""
    if os.path.isdir(os.path.join(folder, FOLDER)):
        _check_draft(folder, force)
        return
    try:
        others = os.listdir(folder)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise BadInput(folder, "is a file, or lies below one") from None
    if others and not force:
        raise BadInput(
            folder, "is not empty and not a workspace", "`-f` makes it one and keeps its files"
        )


def _check_draft(folder: str, force: bool) -> None:
    if force:
        return
    try:
        state = load_state(folder)
    except NotFound:
        return
    if state.dirty:
        raise Conflict(
            f"draft in {folder}",
            "no unsaved changes",
            f"{state.changes.added} added, {state.changes.removed} removed, "
            f"{state.changes.changed} changed",
            "`ldb commit` saves them, `-f` drops them",
        )
