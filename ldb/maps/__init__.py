"""Sorted merkle maps: fixed-width rows by key, cut into nodes by content.

The same rows give the same root whatever the history; versions share what they have in
common, so edits, diffs and merges cost what changed. Format: docs/formats/map.md.
"""

from ldb.maps.build import build, empty
from ldb.maps.copy import copy_nodes, new_nodes, nodes
from ldb.maps.diff import Difference, diff
from ldb.maps.edit import edit
from ldb.maps.merge import Conflicts, Merged, Side, merge
from ldb.maps.node import NodeSink, NodeSource
from ldb.maps.read import count, lookup, scan
from ldb.maps.rows import Changes, Root, Rows, Schema
from ldb.maps.sort import sort

__all__ = [
    "Changes",
    "Conflicts",
    "Difference",
    "Merged",
    "NodeSink",
    "NodeSource",
    "Root",
    "Rows",
    "Schema",
    "Side",
    "build",
    "copy_nodes",
    "count",
    "diff",
    "edit",
    "empty",
    "lookup",
    "merge",
    "new_nodes",
    "nodes",
    "scan",
    "sort",
]
