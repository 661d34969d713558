"""What a selection may ask of others' code; who answers is above this layer.

Here stands what the library does without: it knows no plug-ins and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Unsupported
from ldb.query.functions import FUNCTIONS
from ldb.query.parse import Expression
from ldb.query.selected import Selected
from ldb.query.signature import Function
from ldb.query.syntax import in_order

Order = Callable[[Selected], NDArray[np.intp]]
"""Gives positions in some rows: those that stay, in the order wanted, each once."""


class Plugins(Protocol):
    """Functions and filters that users bring. Raises `Untrusted` where they are not trusted."""

    def functions(self) -> Mapping[str, Function]:
        """Functions for queries besides LDB's own."""
        ...

    def order(self, kind: str, words: Sequence[str]) -> Order:
        """What `--sort`, `--pipe` or `--near` (`kind`) with these words does; or `NotFound`."""
        ...


class NoPlugins:
    """None at all."""

    def functions(self) -> Mapping[str, Function]:
        return {}

    def order(self, kind: str, words: Sequence[str]) -> Order:
        raise Unsupported(f"--{kind} here")


NONE = NoPlugins()


def functions_for(expression: Expression, plugins: Plugins) -> Mapping[str, Function]:
    """The functions to compile with: users' own are looked for only where one may be meant."""
    for node in in_order(expression.ast):
        if node["type"] == "function_expression" and node["value"] not in FUNCTIONS:
            return {**plugins.functions(), **FUNCTIONS}
    return FUNCTIONS
