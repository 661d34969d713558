"""Hostile bytes from a tape of random ones: the same whoever made the tape.

A tape is a string of bytes that tells, choice by choice, which sample to take and how to spoil
it. Hypothesis, a random generator and atheris all make tapes, so each of them drives the same
mutations, and a tape that found something is all that is needed to see it again.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

MOST_EDITS = 6
NUMBERS = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1,
           2**40, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
"""Where counts and offsets go wrong."""

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**64 - 1, -(2**63), 0.5, -0.0, 1e308,
    "", "x", "\0", "../../etc/passwd", "/abs", "C:\\x", "\x1b[2J\u202e", "é" * 99, "-", "ds:root",
    b"", b"x", bytes(16), bytes(31), bytes(32), bytes(33), b"\xff" * 32, [], {}, [[]], {"": {}},
    [None], ["x", 1], {"a": 1}, [[1, 2], [3]],
)  # fmt: skip


class Tape:
    """Choices read from bytes; when they have run out every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """Up to so many bytes as they are."""
        found = self._data[self._at : self._at + count]
        self._at += len(found)
        return found

    def number(self, below: int) -> int:
        """A number from 0 up to but not including `below`."""
        width = max(1, ((below - 1).bit_length() + 7) // 8) if below > 1 else 0
        return int.from_bytes(self.take(width), "little") % max(below, 1)

    def choice(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]


def spoilt_bytes(tape: Tape, samples: Sequence[bytes]) -> bytes:
    """A sample with some edits: flipped bits, cuts, splices, numbers that lie."""
    data = bytearray(tape.choice(samples))
    for _ in range(1 + tape.number(MOST_EDITS)):
        _edit(data, tape, samples)
    return bytes(data)


def _edit(data: bytearray, tape: Tape, samples: Sequence[bytes]) -> None:
    kind = tape.number(10)
    at = _place(tape, len(data))
    if kind == 0 and data:
        data[min(at, len(data) - 1)] ^= 1 << tape.number(8)
    elif kind == 1 and data:
        data[min(at, len(data) - 1)] = tape.number(256)
    elif kind in (2, 3, 4):  # a number of 1 to 8 bytes, where its kind would stand
        width = tape.choice((1, 2, 4, 8))
        order = tape.choice("<>")
        value = tape.choice(NUMBERS) % (1 << 8 * width)
        at -= at % width if tape.number(2) else 0
        letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
        data[at : at + width] = struct.pack(order + letter, value)
    elif kind == 5:
        del data[at : at + 1 + tape.number(64)]
    elif kind == 6:
        del data[at:]
    elif kind == 7:
        data[at:at] = tape.take(tape.number(16))
    elif kind == 8:
        other = tape.choice(samples)
        start = _place(tape, len(other))
        data[at:at] = other[start : start + tape.number(256)]
    else:
        stop = at + tape.number(64)
        data[at:at] = bytes(data[at:stop]) * (1 + tape.number(32))


def _place(tape: Tape, size: int) -> int:
    """A place in something of `size` bytes; near the end, where directories are, or anywhere."""
    if tape.number(3) == 0:
        return max(0, size - 1 - tape.number(128))
    return tape.number(size + 1)


def spoilt_value(tape: Tape, samples: Sequence[Any]) -> Any:
    """A sample of nested lists and dicts with parts replaced, left out, doubled or moved."""
    value = _copied(tape.choice(samples))
    for _ in range(1 + tape.number(4)):
        value = _spoil(value, tape, samples)
    return value


def _spoil(value: Any, tape: Tape, samples: Sequence[Any]) -> Any:
    """Walk down a few steps, then change what is there."""
    if isinstance(value, (list, dict)) and value and tape.number(6):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = tape.choice(keys)
        how = tape.number(12)
        if how == 0:
            del value[key]
        elif how == 1 and isinstance(value, list):
            value.insert(key, _copied(value[key]))
        elif how == 1 and isinstance(value, dict):
            value[tape.choice(("", "x", "format", "root", "\x1b[2J"))] = value.pop(key)
        else:
            value[key] = _spoil(value[key], tape, samples)
        return value
    how = tape.number(4)
    if how == 0 and isinstance(value, int) and not isinstance(value, bool):
        return tape.choice(NUMBERS)
    if how == 1 and isinstance(value, (str, bytes)):
        return value * tape.choice((0, 2, 64)) if tape.number(2) else value[: tape.number(64)]
    if how == 2:
        return _copied(tape.choice(samples))
    return _copied(tape.choice(ODD_VALUES))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value
