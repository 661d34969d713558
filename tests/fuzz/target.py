"""What is fuzzed, as a value: how a tape becomes input, and what must hold of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ldb.errors import BadInput, LdbError
from ldb.objects.codec import encode
from tests.fuzz.tape import Tape, spoilt_bytes, spoilt_value

MEMORY = 1 << 30
"""Bytes that one input may make a reader take, beyond what the process has already. Inputs here
have well under a megabyte; the largest legal blob of 16 MiB can take half of this decoded."""

SECONDS = 20.0
"""CPU seconds that one input may take."""


@dataclass(frozen=True)
class Target:
    """`make` turns a tape into input; `check` returns, or raises an `LdbError`.

    Anything else that `check` raises, be it an assertion of its own, is a finding.
    """

    name: str
    make: Callable[[Tape], bytes]
    check: Callable[[bytes], object]
    weight: int = 2
    """Share of the time of a run of all targets."""


def accepts(target: Target, data: bytes) -> bool:
    """Whether an input was taken for good; False where it was refused as it should be."""
    try:
        target.check(data)
    except LdbError:
        return False
    return True


def byte_cases(
    samples: Callable[[], Sequence[bytes]], seal: Callable[[bytes], bytes] | None = None
) -> Callable[[Tape], bytes]:
    """Spoilt samples and junk; in most of them `seal` makes the checksums right again."""
    kept = cache(samples)

    def make(tape: Tape) -> bytes:
        how = tape.number(8)
        data = tape.take(1 << 16) if how == 0 else spoilt_bytes(tape, kept())
        return seal(data) if seal and how != 1 else data

    return make


def value_cases(
    samples: Callable[[], Sequence[Any]], seal: Callable[[bytes], bytes] = lambda data: data
) -> Callable[[Tape], bytes]:
    """Canonical payloads of spoilt values, and a few of spoilt bytes."""
    kept = cache(samples)
    payloads = cache(lambda: [encode(each) for each in kept()])

    def make(tape: Tape) -> bytes:
        if tape.number(6) == 0:
            return seal(spoilt_bytes(tape, payloads()))
        try:
            return seal(encode(spoilt_value(tape, kept())))
        except BadInput:  # a value that nothing can store
            return seal(tape.choice(payloads()))

    return make


def each(*calls: Callable[[], object]) -> None:
    """Make every call, whether or not those before it refused; then refuse if any did."""
    refused: LdbError | None = None
    for call in calls:
        try:
            call()
        except LdbError as error:
            refused = error
    if refused:
        raise refused
