"""Functions for queries that users wrote: `CUSTOM_FUNCTIONS` of trusted Python files.

Whoever calls this has made sure that the code is trusted: the bytes given are what runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ldb.errors import BadInput
from ldb.foreign.files import Code

NAME = "CUSTOM_FUNCTIONS"


@dataclass(frozen=True, slots=True)
class Found:
    """A function, and what it takes: types as `ldb.query.signature` writes them."""

    name: str
    call: Callable[..., Any]
    types: tuple[str, ...]
    optional: int
    """Arguments that may be left out, after those of `types`."""
    where: str
    """File that it comes from."""


def load_functions(code: Code, where: str) -> dict[str, Found]:
    """Run the files of functions and take what they offer; raises `BadInput` naming a file."""
    found: dict[str, Found] = {}
    for path in code.functions():
        label = f"{where}/{path}"
        for name, call in _offered(code.files[path], label).items():
            if name in found:
                raise BadInput(label, f"{name}() is in {found[name].where} as well")
            types, optional = _takes(call, label, name)
            found[name] = Found(name, call, types, optional, label)
    return found


def _offered(source: bytes, label: str) -> dict[str, Callable[..., Any]]:
    space: dict[str, Any] = {"__name__": "ldb_user_functions", "__file__": label}
    try:
        exec(compile(source, label, "exec"), space)
    except Exception as error:
        raise BadInput(label, f"{type(error).__name__}: {error}{_line(error, label)}") from error
    offered = space.get(NAME, {})
    if not isinstance(offered, dict) or not all(map(callable, offered.values())):
        raise BadInput(label, f"{NAME} is not a dict of names and functions")
    for name in offered:
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
            raise BadInput(label, f"{name!r} cannot be a function's name in a query")
    return offered


def _line(error: BaseException, label: str) -> str:
    """The line of the file at which it failed."""
    if isinstance(error, SyntaxError):
        return ""  # says so itself
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == label:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def _takes(call: Callable[..., Any], label: str, name: str) -> tuple[tuple[str, ...], int]:
    """Types of its arguments, `"*"` last where they go on, and how many more it may have."""
    declared = getattr(call, "signature", None)  # jmespath.functions.signature
    if isinstance(declared, (list, tuple)):
        return _declared(declared), 0
    try:
        given = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):  # one of C, which does not tell
        return ("any", "*"), 0
    if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in given):
        raise BadInput(label, f"{name}() needs arguments by name, which queries do not give")
    plain = [
        each for each in given if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    needed = sum(each.default is each.empty for each in plain)
    if any(each.kind is each.VAR_POSITIONAL for each in given):
        return (*("any",) * max(1, needed), "*"), 0
    if plain and not needed:
        return ("any",), len(plain) - 1
    return ("any",) * needed, len(plain) - needed


def _declared(signature: Any) -> tuple[str, ...]:
    types = ["|".join(each.get("types") or ["any"]) for each in signature]
    variadic = bool(signature) and signature[-1].get("variadic")
    return (*types, "*") if variadic else tuple(types)
