"""What may follow in an expression that is being typed: keys, from a tree of those there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ldb.query.hints import KeyTree, spelt

_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\])*"|.""", re.DOTALL)
_PATH = re.compile(r"""(?:[A-Za-z_][\w]*|"[^"]*"|\.|\[\d*\]|\[\*\]|\*)*\Z""")
_NO_KEY = re.compile(r"""[\w\])"]\[\Z|[\])]\Z""")


def completions(typed: str, tree: KeyTree) -> list[str]:
    """`typed` with each key that may stand at its end; nothing inside of a text.

    A key path is offered to the next dot, and one key further, so that there is a choice.
    """
    context, rest = _context(typed)
    if context is None:
        return []
    place = _PATH.search(rest)
    path = place[0] if place else ""
    head, dot, part = path.rpartition(".")
    before = rest[: len(rest) - len(path)].rstrip()[-2:]
    if _NO_KEY.search(before) or path.startswith(".") or (not dot and "]" in path):
        return []  # an index, the value of a function, or a place where a dot has to come first
    start = typed[: len(typed) - len(part)]
    below = _at(_at([tree], context), head) if head else _at([tree], context)
    names = dict.fromkeys(name for each in below for name in _names(each))
    return [start + name for name in names if name.startswith(part)]


def _names(tree: KeyTree) -> Iterator[str]:
    for key, below in tree.keys.items():
        name = spelt(key)
        yield name
        yield from (f"{name}.{spelt(inner)}" for inner in below.keys)
        if below.items is not None:
            yield f"{name}[]"


def _context(typed: str) -> tuple[str | None, str]:
    """Whose keys are named at the end, as a path, and what is typed since; None: inside a text.

    Within `boxes[?` that is an element of the boxes.
    """
    open_filters: list[tuple[str, int]] = []
    """The path in front of each open `[?` and where its condition begins; -1 of another `[`."""
    plain = ""
    for found in _TOKEN.finditer(typed):
        token = found[0]
        if token in "'`":
            return None, ""
        plain += token
        if plain.endswith("[?"):
            before = _PATH.search(plain[:-2])
            open_filters.append((before[0] if before else "", len(plain)))
        elif token == "[" and open_filters:
            open_filters.append(("", -1))
        elif token == "]" and open_filters:
            start = open_filters.pop()[1]
            plain = plain if start < 0 else plain[: start - 1] + "]"  # as `boxes[]`
    filters = [each for each in open_filters if each[1] >= 0]
    context = ".".join(f"{path}[]" for path, _ in filters if path)
    return context, plain[filters[-1][1] :] if filters else plain


def _at(trees: list[KeyTree], path: str) -> list[KeyTree]:
    """What lies at a path below some trees."""
    for step in re.findall(r"""[A-Za-z_]\w*|"[^"]*"|\[[\d*]*\]|\*""", path):
        if step.startswith("[") or step == "*":
            trees = [below for tree in trees for below in tree.each()]
        else:
            key = step[1:-1] if step.startswith('"') else step
            trees = [tree.keys[key] for tree in trees if key in tree.keys]
    return trees
