"""Transform sets: the programs that are to run on a data object when it is written out.

A set is one blob: names, and for each the program with its arguments; `self` stands for the
data object itself. A row without a set has `self` alone. Format: docs/formats/catalog.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ldb.errors import BadInput, BadName, Corrupt
from ldb.objects.codec import decode, encode
from ldb.objects.model import Blob, BlobType

SELF = "self"
MAX_TRANSFORMS = 64
MAX_WORDS = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

Argv = tuple[str, ...]
TransformSet = Mapping[str, "Argv | None"]
"""Name → program and arguments; None for `self`. Never empty."""

DEFAULT: TransformSet = MappingProxyType({SELF: None})


def check_name(name: str) -> str:
    """The name; raises `BadName` where it cannot be a transform's."""
    if not _NAME.fullmatch(name):
        raise BadName(f"transform {name!r}", "a name is made of small letters, digits, '-' and '_'")
    return name


def check_argv(argv: Sequence[str], where: str) -> Argv:
    """Program and arguments; raises `BadInput` where they cannot be."""
    right = 0 < len(argv) <= MAX_WORDS and argv[0] and not any("\0" in word for word in argv)
    if not right:
        raise BadInput(where, f"is not a program with at most {MAX_WORDS} words")
    return tuple(argv)


def encode_set(chosen: TransformSet) -> Blob | None:
    """The blob of a set; None for the default, which is not stored."""
    if dict(chosen) == dict(DEFAULT):
        return None
    if not 0 < len(chosen) <= MAX_TRANSFORMS:
        raise BadInput("transforms", f"a data object has 1 to {MAX_TRANSFORMS} of them")
    value = {name: None if argv is None else list(argv) for name, argv in chosen.items()}
    return Blob(BlobType.TRANSFORM, encode(value))


def decode_set(payload: bytes) -> TransformSet:
    """Parse the payload of a set; raises `Corrupt`."""
    try:
        value = decode(payload, "transform set")
        if not isinstance(value, dict) or not 0 < len(value) <= MAX_TRANSFORMS:
            raise BadInput("transform set", "is not a map of some transforms")
        return {check_name(name): _argv(name, found) for name, found in value.items()}
    except BadInput as error:
        raise Corrupt("transform set", error.why) from None


def _argv(name: str, found: object) -> Argv | None:
    if (name == SELF) is not (found is None):
        raise BadInput(name, "only `self` runs nothing")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise BadInput(name, "is not an array of words")
    return check_argv(found, name)


def changed(old: TransformSet, add: TransformSet, remove: Sequence[str]) -> TransformSet:
    """`old` with some added and some taken away; one of the same name is replaced."""
    return {name: argv for name, argv in {**old, **add}.items() if name not in remove}
