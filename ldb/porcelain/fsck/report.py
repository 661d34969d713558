"""What a check finds, and how findings are gathered: damage by name, each once, bounded.

A *label* names one damage: the file that is damaged, or the blob that is missing. Walks
carry labels up to the versions that need what is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_PROBLEMS = 1000
"""Problems kept by name; the others are counted."""

MAX_NOTES = 20
"""Notes of one kind that are kept."""

MANY = "(others)"
"""The label of all damage beyond `MAX_PROBLEMS`."""

Labels = frozenset[str]
SOUND: Labels = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is damaged or missing."""

    name: str
    """Key or path of a file, or an oid."""
    why: str
    needed_by: tuple[str, ...] = ()
    """Versions that cannot be read whole without it, as far as that was cheap to find."""


@dataclass(slots=True)
class Checked:
    """How much was looked at."""

    files: int = 0
    bytes: int = 0
    blobs: int = 0
    versions: int = 0
    commits: int = 0
    nodes: int = 0
    rows: int = 0
    """Rows of map nodes, each node counted once over all versions."""
    unused: int = 0
    """Blobs that nothing refers to."""
    copies: int = 0
    """Blobs stored twice."""


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of a check; sound when there is no problem."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    """What is worth knowing and no damage."""
    checked: Checked
    more: int = 0
    """Problems beyond those that are named."""
    lost_packs: tuple[str, ...] = ()
    """Packs that are not there while files made from them are."""

    @property
    def sound(self) -> bool:
        return not self.problems

    def alike(self) -> list[list[Problem]]:
        """The problems, those with the same thing wrong together, in the order they were found:
        of a pack that is lost each blob is one."""
        found: dict[str, list[Problem]] = {}
        for each in self.problems:
            found.setdefault(each.why, []).append(each)
        return [*found.values()]


@dataclass(slots=True)
class Findings:
    """Gathers what is found."""

    checked: Checked = field(default_factory=Checked)
    more: int = 0
    _problems: dict[str, dict[str, None]] = field(default_factory=dict)
    _needed: dict[str, dict[str, None]] = field(default_factory=dict)
    _notes: dict[str, list[str]] = field(default_factory=dict)
    _dropped: dict[str, int] = field(default_factory=dict)
    lost_packs: dict[str, None] = field(default_factory=dict)

    @property
    def damaged(self) -> bool:
        """Whether any problem was found so far."""
        return bool(self._problems)

    def names(self, label: str) -> bool:
        """Whether this file or blob has a problem."""
        return label in self._problems

    def problem(self, name: object, why: str) -> str:
        """Note damage; the label that stands for it."""
        label = str(name)
        if label not in self._problems and len(self._problems) >= MAX_PROBLEMS:
            self.more += 1
            return MANY
        self._problems.setdefault(label, {})[why] = None
        return label

    def needed(self, labels: Iterable[str], by: str) -> None:
        """What is damaged is needed by a version."""
        for label in labels:
            self._needed.setdefault(label, {})[by] = None

    def note(self, text: str, kind: str = "") -> None:
        """Something worth knowing; of one `kind` the first few are kept."""
        kept = self._notes.setdefault(kind or text, [])
        if len(kept) < MAX_NOTES:
            kept.append(text)
        else:
            self._dropped[kind] = self._dropped.get(kind, 0) + 1

    def report(self) -> Report:
        problems = [
            Problem(label, "; ".join(why), tuple(self._needed.get(label, ())))
            for label, why in self._problems.items()
        ]
        notes = []
        for kind, kept in self._notes.items():
            notes += kept
            if kind in self._dropped:
                notes.append(f"{kind}: {self._dropped[kind]} more")
        lost = tuple(self.lost_packs)
        return Report(tuple(problems), tuple(notes), self.checked, self.more, lost)
