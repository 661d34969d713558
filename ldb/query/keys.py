"""Which keys an expression names, found once from its syntax tree.

Two uses: reading no more of each annotation than the query can see (`roots`), and
telling a user that a key is misspelt or that the shell ate the quotes of a text.
A path is followed as long as it is certain; where it is not (the value of a function,
of `a || b`), what led there counts as read whole.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass

from ldb.query.syntax import Node, chain

KeyPath = tuple["str | None", ...]
"""Keys from the top down; None is any element of (nested) arrays, or any value of an object."""

_EACH: KeyPath = (None,)


@dataclass(frozen=True)
class Names:
    """What `names_in` found; the fields are `Expression`'s properties of the same names."""

    keys: tuple[KeyPath, ...]
    roots: frozenset[str] | None
    bare_words: tuple[str, ...]


def names_in(tree: Node) -> Names:
    """Key paths, top-level keys and bare words of a syntax tree."""
    walk = _Walk()
    walk.read(walk.visit(tree, ()))
    named = sorted(walk.paths, key=lambda path: [key or "" for key in path])
    roots = None if walk.whole else frozenset(str(path[0]) for path in named)
    return Names(
        tuple(path for path in named if path[0] is not None), roots, tuple(walk.bare_words)
    )


class _Walk:
    """Visits nodes with the path of their current value, None where it is unknown."""

    def __init__(self) -> None:
        self.paths: set[KeyPath] = set()
        self.bare_words: dict[str, None] = {}
        self.whole = False

    def read(self, path: KeyPath | None) -> None:
        """The value at `path` is used whole."""
        if path is None:
            return
        if not path or path[0] is None:
            self.whole = True
        while path and path[-1] is None:
            path = path[:-1]
        if path:
            self.paths.add(path)

    def visit(self, node: Node, at: KeyPath | None) -> KeyPath | None:
        """Path of the value of `node`, None when it is none of the document's."""
        kind, below = node["type"], node["children"]
        if kind == "field":
            return None if at is None else (*at, str(node["value"]))
        if kind in ("current", "identity"):
            return at
        if kind in ("index", "slice"):
            return _element(at)
        if kind in ("pipe", "subexpression", "index_expression"):
            return self._steps(chain(node), at)
        if kind in ("projection", "value_projection", "flatten"):
            return self._projection(below, at)
        if kind == "filter_projection":
            source = self.visit(below[0], at)
            self.read(source)
            self.read(self.visit(below[2], _element(source)))
            return self.visit(below[1], _element(source))
        if kind == "function_expression":
            self._function(below, at)
        elif kind in ("or_expression", "and_expression"):
            for operand in chain(node):
                self.read(self.visit(operand, at))
        else:
            self._operands(node, at)
        return None

    def _steps(self, nodes: list[Node], at: KeyPath | None) -> KeyPath | None:
        for node in nodes:
            after = self.visit(node, at)
            if at and (after is None or after[: len(at)] != at):
                self.read(at)  # `a | `1`` evaluates a, although it goes nowhere
            at = after
        return at

    def _projection(self, below: list[Node], at: KeyPath | None) -> KeyPath | None:
        source = self.visit(below[0], at)
        self.read(source)
        inner = _element(source)
        return self.visit(below[1], inner) if len(below) > 1 else inner

    def _function(self, arguments: list[Node], at: KeyPath | None) -> None:
        """`&key` of sort_by and its like is applied to the elements of the other argument."""
        source: KeyPath | None = None
        for argument in arguments:
            if argument["type"] != "expref":
                source = self.visit(argument, at)
                self.read(source)
        for argument in arguments:
            if argument["type"] == "expref":
                self.read(self.visit(argument["children"][0], _element(source)))

    def _operands(self, node: Node, at: KeyPath | None) -> None:
        """Comparisons, `!`, and the lists and objects a query builds."""
        below = node["children"]
        if node["type"] == "comparator" and all(one["type"] == "field" for one in below):
            self.bare_words[str(below[1]["value"])] = None
        for child in below:
            self.read(self.visit(child, at))


def _element(path: KeyPath | None) -> KeyPath | None:
    """However deep the arrays, one None stands for them: `[]` opens one level or none."""
    return path if path is None or path[-1:] == _EACH else path + _EACH


def explain_versions(roots: Collection[str] | None, most: int) -> list[str]:
    """A line for every key of a `--vquery` that is no version; `most` any object has so many."""
    lines = []
    for key in sorted(roots or ()):
        if not re.fullmatch("v[1-9][0-9]*", key):
            meant = f"`{key}` is a key of none; write `v1.{key}`, `v2.{key}` …"
            lines.append(f"--vquery asks {{v1: …, v2: …}}, an annotation each: {meant}")
        elif int(key[1:]) > most:
            lines.append(f"no data object asked has a `{key}`; the newest is v{most}")
    return lines


def explain_unknown_keys(
    roots: Collection[str],
    bare_words: Collection[str],
    known: Collection[str],
    things: str = "annotation",
) -> list[str]:
    """A line for every key of `roots` that is not among the `known` ones: what was meant?"""
    lines = []
    for key in sorted(set(roots) - set(known)):
        if key in bare_words:
            lines.append(
                f"no {things} has the key `{key}`; if it is a text, give it single quotes "
                f"and the expression double ones: \"… == '{key}'\""
            )
            continue
        close = difflib.get_close_matches(key, known, n=1)
        guess = f"; did you mean `{close[0]}`?" if close else ""
        lines.append(f"no {things} has the key `{key}`{guess}")
    return lines
