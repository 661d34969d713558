"""Queries over columns: the same answers as row by row, for all documents at once.

    outcome.py   what a program answers: a value or a truth for each document, and a status
    shapes.py    columns cut, joined and filled, every object's keys in their right order
    compare.py   truth, equality and order of columns
    parts.py     one class for each kind of node: what it makes of a column
    lists.py     arrays and objects: indexes, slices, projections, filters
    apply.py     any function on columns: once per distinct text, else value by value
    native.py    the functions that need no Python call per value
    program.py   `Query` → `Program`
    written.py   a part of a syntax tree as text again, for the plan
    projector.py program + row evaluator → values, failures counted

Truth is `ldb.query.rowwise`: what cannot be decided here says so. docs/design/003-queries.md.
"""

from ldb.query.columnar.outcome import Outcome, Status, Step, Tested
from ldb.query.columnar.program import Program, compile_columns
from ldb.query.columnar.projector import ColumnProjector

__all__ = [
    "ColumnProjector",
    "Outcome",
    "Program",
    "Status",
    "Step",
    "Tested",
    "compile_columns",
]
