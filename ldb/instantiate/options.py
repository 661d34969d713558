"""What an instantiate run is asked for, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ldb.storage.cache import CacheOptions

if TYPE_CHECKING:
    from ldb.formats.base import Loss
    from ldb.formats.registry import Chosen

Link = Literal["auto", "reflink", "hardlink", "copy"]


@dataclass(frozen=True, slots=True)
class InstantiateOptions:
    """How to write a selection of objects into a folder."""

    folder: str
    """Absolute path of the target folder; made where it is missing."""
    strict: bool = False
    """Leave out objects without an annotation."""
    apply: tuple[str, ...] = ()
    """Program and arguments to run on every object, as a transform; where to find it is the
    caller's to know."""
    labels: Chosen | None = None
    """The label format to write; None: pairs."""
    force: bool = False
    """Write into a folder with other files, replace files edited since they were
    instantiated, and remove those of earlier runs that are not part of this one."""
    annotations_only: bool = False
    preserve_paths: bool = False
    """Keep folders and names of the source; ids only where names collide."""
    link: Link = "auto"
    cache: CacheOptions | None = None
    """Where data objects from object stores are kept; without it they cannot be written."""
    processes: int = 0
    """Worker processes; 0: one for each processor."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file (or object) that is not as it should be, and why."""

    path: str
    why: str


@dataclass(slots=True)
class InstantiateReport:
    """What a run did. With any `problems` the target folder is not complete."""

    objects: int = 0
    """Data files written."""
    annotations: int = 0
    """Annotation files written."""
    label_files: int = 0
    """Label files written, of formats that have such."""
    outputs: int = 0
    """Files written that transforms made."""
    already_there: int = 0
    """Files, of both sorts, that were there with the right content."""
    skipped: int = 0
    """Objects left out because they have no annotation."""
    removed: int = 0
    """Files of earlier runs removed (`force`)."""
    left: int = 0
    """Files of earlier runs that are not part of this one and were left."""
    problems: list[Problem] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    """What a label format had no place for."""
    passed_over: list[Problem] = field(default_factory=list)
    """Paths that are gone or changed, of objects that another path still had."""
