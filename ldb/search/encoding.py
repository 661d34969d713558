"""Data through an encoder: a batch at a time, one by one where a batch fails."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.errors import LdbError
from ldb.search.encoder import Encoder, TextEncoder
from ldb.search.vectors import unit


class EncoderFailed(LdbError):
    """An encoder gave no vectors, or none that can be used."""

    def __init__(self, encoder: str, why: str, hint: str = "") -> None:
        super().__init__(f"encoder {encoder}: {why}", hint)
        self.encoder = encoder
        self.why = why


def encode(encoder: Encoder, data: Sequence[bytes]) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Vectors of length 1 of some data, NaN where there is none; and why, by position."""
    try:
        return _checked(encoder, encoder.encode(data), len(data)), {}
    except (LdbError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  one of them is not what it takes: which?
        if len(data) == 1:
            return np.full((1, 1), np.nan, np.float32), {0: _told(error)}
    parts: list[NDArray[np.float32]] = []
    failed: dict[int, str] = {}
    for at, each in enumerate(data):
        one, why = encode(encoder, [each])
        parts.append(one)
        if why:
            failed[at] = why[0]
    width = max(part.shape[1] for part in parts)
    vectors = np.full((len(data), width), np.nan, np.float32)
    for at, part in enumerate(parts):
        if at not in failed:
            vectors[at] = part[0]
    return vectors, failed


def encode_text(encoder: TextEncoder, text: str) -> NDArray[np.float32]:
    """The vector of a text; raises `EncoderFailed`."""
    try:
        made = _checked(encoder, encoder.encode_texts([text]), 1)
    except (LdbError, MemoryError):
        raise
    except Exception as error:
        raise EncoderFailed(encoder.name, f"{text!r}: {_told(error)}") from error
    return _with_direction(encoder, made, repr(text))


def encode_query(encoder: Encoder, data: bytes, name: str) -> NDArray[np.float32]:
    """The vector of a file that is asked with; raises `EncoderFailed`."""
    made, failed = encode(encoder, [data])
    if failed:
        raise EncoderFailed(encoder.name, f"{name}: {failed[0]}")
    return _with_direction(encoder, made, name)


def _with_direction(encoder: Encoder, made: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    if np.isnan(made).any():
        raise EncoderFailed(encoder.name, f"{name} has a vector without a direction")
    vector: NDArray[np.float32] = made[0]
    return vector


def _checked(encoder: Encoder, given: object, count: int) -> NDArray[np.float32]:
    try:
        vectors = np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise EncoderFailed(encoder.name, f"gave no vectors: {error}") from error
    if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1]:
        raise EncoderFailed(encoder.name, f"gave {vectors.shape} for {count} data objects")
    return unit(vectors)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
