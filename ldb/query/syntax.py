"""The syntax tree of a query, as the jmespath library's parser makes it.

Nodes are dicts of `type`, `children` and (fields, literals, functions …) `value`. The
library caches trees, so nobody may change one. `a || b || c` nests to the left, one
level an operand; here such a chain is one level, so that a query of a thousand ids
joined by `||` needs no deep recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]

CHAINS = frozenset(("or_expression", "and_expression", "pipe"))


def chain(node: Node) -> list[Node]:
    """The operands of a chain (of other nodes: their children), in the order written."""
    kind = node["type"]
    if kind not in CHAINS:
        return list(node["children"])
    operands: list[Node] = []
    while node["type"] == kind:
        operands += reversed(node["children"][1:])
        node = node["children"][0]
    operands.append(node)
    return operands[::-1]


def children(node: Node) -> list[Node]:
    """The nodes one level below `node`, in the order they are written."""
    kind = node["type"]
    if kind == "slice":  # its children are numbers
        return []
    if kind == "filter_projection":
        source, result, condition = node["children"]
        return [source, condition, result]
    return chain(node)


def in_order(root: Node) -> Iterator[Node]:
    """All nodes, in the order they are written; without recursion."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(children(node))
