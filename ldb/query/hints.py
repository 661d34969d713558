"""What was meant by a key or a tag that nothing has: said only where that is certain.

Keys are known as a tree, of columns or of some values; where a part of it may be incomplete
(objects that columns keep whole), nothing is said of what lies there.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ldb.columns.model import Column, Kind
from ldb.query.keys import KeyPath, explain_unknown_keys
from ldb.query.parse import Expression

ITEMS = 20
"""Items of a list, and keys of an object, that are looked at in one value."""
MOST_KEYS = 1000
"""Keys in one place, beyond which they are data and no names."""
SHOWN = 5


@dataclass(slots=True)
class KeyTree:
    """The keys of some JSON values, and what is below them."""

    keys: dict[str, KeyTree] = field(default_factory=dict)
    items: KeyTree | None = None
    """Of the items of lists, all together; however deep the lists are."""
    whole: bool = True
    """Whether all keys here are known."""

    def see(self, value: Any) -> None:
        """Take note of one value's keys."""
        if type(value) is dict:
            for key, below in value.items():
                if key not in self.keys and len(self.keys) >= MOST_KEYS:
                    self.whole = False
                    return
                self._below(key).see(below)
        elif type(value) is list:
            self.whole = self.whole and len(value) <= ITEMS
            for each in value[:ITEMS]:
                self._items().see(each)

    def note(self, column: Column) -> None:
        """Take note of the keys of a column's values, by its directory alone."""
        self.whole = self.whole and Kind.OPAQUE not in column.present
        if Kind.OBJECT in column.present:
            for key, below in column.fields.items():
                self._below(key).note(below)
        if Kind.LIST in column.present:
            self._items().note(column.items)

    def _below(self, key: str) -> KeyTree:
        return self.keys.setdefault(key, KeyTree())

    def _items(self) -> KeyTree:
        if self.items is None:
            self.items = KeyTree()
        return self.items

    def each(self) -> Iterator[KeyTree]:
        """What any element of lists here may be, or any value of objects."""
        if self.items is None:
            yield from self.keys.values()
            return
        below: KeyTree | None = self.items
        while below is not None:
            yield below
            below = below.items

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Every key path, as expressions name it; those of list items with `[]`."""
        for key, below in self.keys.items():
            name = f"{prefix}{spelt(key)}"
            yield name
            yield from below.paths(f"{name}.")
            if below.items is not None:
                yield from below.items.paths(f"{name}[].")

    def unknown(self, expression: Expression, things: str = "annotation") -> list[str]:
        """A line for every key path of an expression that leads nowhere."""
        if not self.keys or not self.whole:
            return []
        lines = explain_unknown_keys(
            expression.roots or (), expression.bare_words, self.keys, things
        )
        return lines + [
            line
            for path in expression.keys
            if path[0] in self.keys and (line := self._explained(path, things))
        ]

    def _explained(self, path: KeyPath, things: str) -> str:
        """What is wrong with a path whose first key there is; empty where nothing is certain."""
        trees, before = [self], ""
        for key in path:
            if key is None:
                trees, before = [below for tree in trees for below in tree.each()], f"{before}[]"
                continue
            known = {name for tree in trees for name in tree.keys}
            if not known or not all(tree.whole for tree in trees):
                return ""
            lead = f"{before}." if before else ""
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                guess = f"; did you mean `{lead}{spelt(close[0])}`?" if close else ""
                return f"no {things} has the key `{lead}{spelt(key)}`{guess}"
            trees = [tree.keys[key] for tree in trees if key in tree.keys]
            before = f"{lead}{spelt(key)}"
        return ""


class KnownKeys:
    """Keys of the first annotations of a run, to tell a misspelt one by."""

    ENOUGH = 5000

    def __init__(self) -> None:
        self.tree = KeyTree()
        self._seen = 0

    def __bool__(self) -> bool:
        return bool(self.tree.keys)

    def see(self, values: Sequence[Any]) -> None:
        """Take note of some values' keys."""
        if self._seen < self.ENOUGH:
            for value in values[: self.ENOUGH - self._seen]:
                self.tree.see(value)
            self._seen += len(values)

    def note(self, column: Column) -> None:
        """Take note of the keys in a column of annotations."""
        self.tree.note(column)

    def unknown(self, expression: Expression) -> list[str]:
        """A line for every key the expression names and no annotation has."""
        return self.tree.unknown(expression)


def spelt(key: str) -> str:
    """A key as expressions name it."""
    plain = key.isascii() and key.isidentifier()
    return key if plain else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tree_of(value: Mapping[str, Any]) -> KeyTree:
    """The keys of one value."""
    tree = KeyTree()
    tree.see(value)
    return tree


def explain_unknown_tags(wanted: Collection[str], known: Sequence[str]) -> list[str]:
    """A line for every tag that no object asked has: what was meant?"""
    lines = []
    for tag in sorted(set(wanted) - set(known)):
        close = difflib.get_close_matches(tag, known, n=1)
        some = ", ".join(sorted(known)[:SHOWN]) + (", …" if len(known) > SHOWN else "")
        there = f"there are {some}" if known else "none has any tag"
        meant = f"did you mean `{close[0]}`?" if close else there
        lines.append(f"no data object asked has the tag `{tag}`; {meant}")
    return lines
