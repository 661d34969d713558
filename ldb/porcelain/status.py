"""`ldb status`: what the draft holds, and whether its dataset has moved on."""

from __future__ import annotations

from dataclasses import dataclass

from ldb.errors import NotFound
from ldb.history import DiffCounts
from ldb.instance import Instance
from ldb.refs.name import VersionSpec, dataset_ref
from ldb.refs.store import Ref
from ldb.workspace import State


@dataclass(frozen=True, slots=True)
class DraftStatus:
    """State of a workspace. Made from small files alone: no map is read."""

    folder: str
    dataset: str
    base: str
    """`ds:name.vN` that the draft is of; empty for a new dataset."""
    objects: int
    changes: DiffCounts
    head: str
    """The newest version of the dataset; empty where there is none."""
    behind: int
    """Versions that others committed since the draft was staged."""


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """The newest version of a dataset, or the one asked for."""

    ref: Ref
    head: int


def draft_status(instance: Instance, folder: str, state: State) -> DraftStatus:
    """The state of the workspace at `folder`."""
    head = instance.refs.head(dataset_ref(state.dataset)) if state.dataset else None
    newest = head.number if head is not None and head.target is not None else 0
    base = state.base
    behind = newest - base.number if base and base.name == state.dataset else newest
    return DraftStatus(
        folder=folder,
        dataset=f"ds:{state.dataset}" if state.dataset else "",
        base=f"ds:{base.name}.v{base.number}" if base else "",
        objects=state.root.count,
        changes=state.changes,
        head=f"ds:{state.dataset}.v{newest}" if newest else "",
        behind=max(0, behind),
    )


def dataset_status(instance: Instance, spec: VersionSpec) -> DatasetStatus:
    """The ref file of a dataset version; raises `NotFound`."""
    newest = instance.refs.live(spec.ref) if spec.number is None else instance.refs.head(spec.ref)
    if newest is None:
        raise NotFound("dataset", spec.ref)
    ref = instance.refs.get(spec.ref, spec.number) if spec.number else newest
    return DatasetStatus(ref, newest.number)
