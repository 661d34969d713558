"""What a run of `ldb gc` did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Amount:
    """Files of the instance, and their bytes."""

    packs: int = 0
    loose: int = 0
    derived: int = 0
    """Columns and places beside packs."""
    bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.packs or self.loose or self.derived)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A condemned list that is not swept yet."""

    number: int
    names: int
    due: float
    """Seconds from now, by the store's clock."""
    why: str = ""


@dataclass(slots=True)
class GcReport:
    """What was done; with `dry_run` what would be."""

    dry_run: bool
    kept: Amount = field(default_factory=Amount)
    """What stays because versions need it, or because it is too young to tell."""
    young: Amount = field(default_factory=Amount)
    """Of that, what nobody needs so far: stored less than the grace period ago."""
    condemned: Amount = field(default_factory=Amount)
    deleted: Amount = field(default_factory=Amount)
    spared: int = 0
    """Names on lists that are needed after all, or whose copies are not sound."""
    temporaries: int = 0
    waiting: list[Waiting] = field(default_factory=list)
    unfinished: bool = False
    """Whether deleting took so long that it stopped half-way."""
