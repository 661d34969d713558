"""Row-by-row queries: JMESPath expressions compiled once into Python closures.

    parse.py      text → `Expression` (through the jmespath library), errors with a caret
    keys.py       which keys an expression names, and hints for the misspelt ones
    values.py     JMESPath's truth, equality and types over decoded JSON
    functions.py  the standard functions and LDB's own
    rowwise.py    `Expression` → closures
    filters.py    closures → `Filter`, which never stops at an object that fails

Semantics: docs/query.md. Reasons and figures: docs/design/003-queries.md.
"""

from ldb.query.filters import Failure, Filter, Projector
from ldb.query.functions import FUNCTIONS, Function, declare
from ldb.query.keys import explain_unknown_keys
from ldb.query.parse import Expression, parse
from ldb.query.rowwise import Missing, Query, compile_query
from ldb.query.values import QueryFailed, truthy

__all__ = [
    "FUNCTIONS",
    "Expression",
    "Failure",
    "Filter",
    "Function",
    "Missing",
    "Projector",
    "Query",
    "QueryFailed",
    "compile_query",
    "declare",
    "explain_unknown_keys",
    "parse",
    "truthy",
]
