"""What a query function takes, and the closure that checks it on every call.

A type is written as JMESPath's own documentation does: `number`, `string`, `boolean`,
`array`, `object`, `null`, `expref`, `any`, alternatives joined by `|`, elements of an
array as in `array-number`; a final `"*"` lets the last one repeat. With several element
types (`array-number|array-string`) the first element decides for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ldb.errors import BadInput
from ldb.query.closures import Step
from ldb.query.values import QueryFailed, Value, type_name

Call = Callable[..., Value]
Bind = Callable[[Mapping[int, Value]], "Call | None"]

_PYTHON_TYPES: dict[str, frozenset[type]] = {
    "number": frozenset((int, float)),
    "string": frozenset((str,)),
    "boolean": frozenset((bool,)),
    "array": frozenset((list,)),
    "object": frozenset((dict,)),
    "null": frozenset((type(None),)),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What one argument may be."""

    text: str
    types: frozenset[type] | None
    """Python types; None for any."""
    elements: tuple[frozenset[type], ...] = ()
    """Types an array's elements may have: all of them one of these; empty for any."""

    @property
    def is_reference(self) -> bool:
        """Whether it is an expression with & before it, not a value."""
        return self.text == "expref"

    def allows(self, value: Value) -> bool:
        """Whether `value` fits."""
        if self.types is None:
            return True
        if value.__class__ not in self.types:
            return False
        if not self.elements or not value or value.__class__ is not list:
            return True
        first = value[0].__class__
        allowed = next((types for types in self.elements if first in types), frozenset())
        return all(one.__class__ in allowed for one in value)


def read_kind(text: str) -> Kind:
    """Read `number|array-number` and the like; `BadInput` for what is none."""
    if text in ("any", "expref"):
        return Kind(text, None)
    types: frozenset[type] = frozenset()
    elements = []
    for part in text.split("|"):
        name, dash, element = part.partition("-")
        known = name in _PYTHON_TYPES if not dash else name == "array" and element in _PYTHON_TYPES
        if not known:
            raise BadInput(text, f"`{part}` is not a type of a function's argument")
        types |= _PYTHON_TYPES[name]
        if dash:
            elements.append(_PYTHON_TYPES[element])
    if types == frozenset().union(*_PYTHON_TYPES.values()) and not elements:
        return Kind("any", None)
    return Kind(text, types, tuple(elements))


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the query language: make one with `declare`."""

    name: str
    call: Call
    kinds: tuple[Kind, ...]
    repeats: bool
    boolean: bool
    """It returns true or false, nothing else."""
    bind: Bind | None
    """Given the arguments that are literals, a faster `call`; raises `QueryFailed`."""
    most: int

    def takes(self, count: int) -> bool:
        """Whether it can be called with `count` arguments."""
        return len(self.kinds) <= count <= self.most

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        least = len(self.kinds)
        plural = "s" if least != 1 else ""
        if self.most == least:
            return f"{least} argument{plural}"
        if self.repeats:
            return f"at least {least} argument{plural}"
        return f"{least} to {self.most} arguments"

    @property
    def usage(self) -> str:
        """Its name and the types of its arguments."""
        words = [kind.text.replace("expref", "&expression") for kind in self.kinds]
        words += ["…"] if self.repeats else []
        words += [f"[{self.kinds[-1].text}]"] * (0 if self.repeats else self.most - len(words))
        return f"{self.name}({', '.join(words)})"

    def kind(self, place: int) -> Kind:
        """What argument `place` (from 0) may be."""
        return self.kinds[min(place, len(self.kinds) - 1)]

    def closure(self, arguments: Sequence[Step], literals: Mapping[int, Value]) -> Step:
        """The step that computes the arguments, checks them and calls the function."""
        call = (self.bind and self.bind(literals)) or self.call
        kinds = [self.kind(place) for place in range(len(arguments))]
        plain = [None if kind.elements else kind.types for kind in kinds]
        if len(arguments) == 1 and plain[0]:
            return self._of_one(call, arguments[0], plain[0])
        if len(arguments) == 2 and plain[0] and not kinds[1].elements:
            return self._of_two(call, arguments, plain[0], plain[1])
        return self._of_any(call, arguments, kinds)

    def _of_one(self, call: Call, argument: Step, types: frozenset[type]) -> Step:
        def run(value: Value) -> Value:
            one = argument(value)
            if one.__class__ in types:
                return call(one)
            raise self._wrong(0, one)

        return run

    def _of_two(
        self,
        call: Call,
        arguments: Sequence[Step],
        types: frozenset[type],
        other_types: frozenset[type] | None,
    ) -> Step:
        first, second = arguments

        def run(value: Value) -> Value:
            one, other = first(value), second(value)
            if one.__class__ not in types:
                raise self._wrong(0, one)
            if other_types is not None and other.__class__ not in other_types:
                raise self._wrong(1, other)
            return call(one, other)

        return run

    def _of_any(self, call: Call, arguments: Sequence[Step], kinds: Sequence[Kind]) -> Step:
        def run(value: Value) -> Value:
            given = [argument(value) for argument in arguments]
            for place, kind in enumerate(kinds):
                if not kind.allows(given[place]):
                    raise self._wrong(place, given[place])
            return call(*given)

        return run

    def _wrong(self, place: int, value: Value) -> QueryFailed:
        kind = self.kind(place)
        found = type_name(value)
        if found == "array" and kind.elements:
            found = "array of " + "/".join(sorted({type_name(one) for one in value}))
        return QueryFailed(
            f"{self.name}()", f"argument {place + 1} must be {kind.text}, found {found}"
        )


def declare(
    name: str,
    call: Call,
    *types: str,
    boolean: bool = False,
    bind: Bind | None = None,
    optional: int = 0,
) -> Function:
    """A function of the query language; `optional` arguments beyond `types` take the last one's."""
    repeats = bool(types) and types[-1] == "*"
    kinds = tuple(read_kind(text) for text in (types[:-1] if repeats else types))
    most = 1 << 30 if repeats else len(kinds) + optional
    return Function(name, call, kinds, repeats, boolean, bind, most)


def declare_foreign(name: str, call: Call, types: Sequence[str], optional: int = 0) -> Function:
    """A user's function: whatever it raises is a failure on that one value."""

    def guarded(*given: Value) -> Value:
        try:
            return call(*given)
        except QueryFailed:
            raise
        except Exception as error:  # its author's bugs must not end a command
            raise QueryFailed(f"{name}()", f"{type(error).__name__}: {error}") from error

    return declare(name, guarded, *types, optional=optional)


def finite(number: Value) -> Value:
    """`number`, unless it left the range of JSON's numbers."""
    if number.__class__ is float and not math.isfinite(number):
        raise QueryFailed("arithmetic", "the result is too large for a number")
    return number
