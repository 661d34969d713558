"""What a user asks for: sources, then filters applied in the order given.

A filter is a value, made by the command line or by a library user, and says nothing of how
it is evaluated. docs/commands/list.md describes each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """One filter of a selection.

    `kind` is the long option without its dashes; `value` is what it was given, checked:

    | kind                              | value                                   |
    |-----------------------------------|-----------------------------------------|
    | query, jquery, file               | str, the expression                     |
    | path                              | str, a regular expression that compiles |
    | tag, no-tag                       | tuple[str, ...], at least one           |
    | limit                             | int ≥ 0                                 |
    | sample                            | float, 0 … 1                            |
    | sample-rate                       | float, 0 … 100 (percent)                |
    | shuffle                           | True                                    |
    """

    kind: str
    value: Any
