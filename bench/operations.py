"""The operations of the bench, in the order in which they are measured, and what they must count.

The order matters: each operation finds the state that those before it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.generate import DataSet
from bench.queries import BY_NAME, QUERIES, Query
from bench.tool import Tool, Work


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the report."""

    name: str
    title: str
    start: Callable[[Tool, int], Work | None]
    expected: Callable[[DataSet], int | None] = lambda data: None
    warm: bool = False
    """Whether running it again does the same work, so that one run to warm up is dropped."""
    changes: bool = False
    """Whether 100 annotations are changed before every turn."""
    reads: bool = False
    """Whether it reads the files of the data set, which are then read before every turn."""

    def note(self, tool: Tool) -> str:
        """What the tool did for it, or why it has none."""
        return tool.notes.get(self.name) or tool.notes.get(self.name.partition("-")[0], "")


def _everything(data: DataSet) -> int:
    return data.count


def _ten(data: DataSet) -> int:
    return min(10, data.count)


def _changes(data: DataSet) -> int:
    return len(data.changed_positions()) // 2 * 2


def _without_half(data: DataSet) -> int:
    return data.count - len(data.changed_positions()) // 2


def _query(query: Query) -> Operation:
    return Operation(
        f"query-{query.name}",
        f"query: {query.jmespath}",
        lambda tool, turn: tool.query(query, turn),
        lambda data: data.matching(query),
        warm=True,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("startup", "start-up: --help or --version", lambda t, n: t.startup(n), warm=True),
    Operation("index", "index, cold", lambda t, n: t.index(n), _everything, reads=True),
    Operation(
        "index_again",
        "index again, nothing changed",
        lambda t, n: t.index_again(n),
        _everything,
        warm=True,
    ),
    Operation(
        "index_changed",
        "index again, 100 annotations changed",
        lambda t, n: t.index_changed(n),
        _everything,
        changes=True,
    ),
    *(_query(query) for query in QUERIES),
    Operation("list_10", "list the first 10", lambda t, n: t.list_10(n), _ten, warm=True),
    Operation("list_all", "list all", lambda t, n: t.list_all(n), _everything, warm=True),
    Operation(
        "commit_query",
        "build a dataset from a query, commit",
        lambda t, n: t.commit_query(n),
        lambda data: data.matching(BY_NAME["string"]),
    ),
    Operation(
        "commit_passing",
        "build a dataset from a query that all pass, commit",
        lambda t, n: t.commit_passing(n),
        _everything,
    ),
    Operation(
        "commit_all", "build a dataset of all, commit", lambda t, n: t.commit_all(n), _everything
    ),
    Operation(
        "commit_100",
        "commit 100 changes to it",
        lambda t, n: t.commit_100(n),
        _without_half,
        changes=True,
    ),
    Operation("diff", "diff of those two versions", lambda t, n: t.diff(n), _changes, warm=True),
    Operation("status", "status", lambda t, n: t.status(n), warm=True),
    Operation("copy_out", "instantiate, copies", lambda t, n: t.copy_out(n), reads=True),
    Operation("link_out", "instantiate, hard links", lambda t, n: t.link_out(n), reads=True),
    Operation(
        "link_images",
        "instantiate, hard links of images without annotations",
        lambda t, n: t.link_images(n),
        _everything,
        reads=True,
    ),
)
"""`copy_out` and `link_out` count pairs: a tool's own newest dataset, which `EITHER` judges."""

# Tools with versions of *rows* lack 50 objects after `commit_100`; those that version *files*
# have changed 100 of them instead, and lack none.
EITHER = {"commit_100", "copy_out", "link_out"}


def judge(operation: Operation, data: DataSet, count: int) -> str:
    """Empty when the count is right, else what is wrong."""
    if operation.name in EITHER:
        allowed = {_everything(data), _without_half(data)}
    else:
        expected = operation.expected(data)
        allowed = {count} if expected is None else {expected}
    if count in allowed:
        return ""
    return f"counted {count}, not {' or '.join(map(str, sorted(allowed)))}"
