"""`ldb status`: what the draft holds, and whether its dataset has moved on."""

from __future__ import annotations

from dataclasses import dataclass

from ldb.history import DiffCounts, Version, resolve
from ldb.instance import Instance
from ldb.refs.name import VersionSpec, dataset_ref
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
    gone: bool = False
    """Whether the dataset that the draft was staged from is deleted."""
    renamed: str = ""
    """What that one is called now, `ds:name`; empty where it was not renamed."""


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """The newest version of a dataset, or the one asked for."""

    version: Version
    newest: str
    """`ds:name.vN`; empty where the dataset has been deleted since."""


def draft_status(instance: Instance, folder: str, state: State) -> DraftStatus:
    """The state of the workspace at `folder`."""
    head = instance.refs.head(dataset_ref(state.dataset)) if state.dataset else None
    newest = head.number if head is not None and head.target is not None else 0
    base = state.base
    gone = bool(base and head and head.target is None)
    renamed = instance.refs.called_now(head) if gone and head else None
    behind = newest - base.number if base and base.name == state.dataset else newest
    return DraftStatus(
        folder=folder,
        dataset=f"ds:{state.dataset}" if state.dataset else "",
        base=f"ds:{base.name}.v{base.number}" if base else "",
        objects=state.root.count,
        changes=state.changes,
        head=f"ds:{state.dataset}.v{newest}" if newest else "",
        behind=max(0, behind),
        gone=gone,
        renamed=str(renamed) if renamed else "",
    )


def dataset_status(instance: Instance, spec: VersionSpec) -> DatasetStatus:
    """A version of a dataset or of the index; raises `NotFound`."""
    version = resolve(instance, spec)
    newest = instance.refs.head(version.ref)
    return DatasetStatus(version, str(newest) if newest and newest.target else "")
