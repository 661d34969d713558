"""What an encoder is, and which there are: LDB's own, and those that are installed.

A package offers one by an entry point in the group `ldb.encoders`: a callable that is given the
user's settings under the encoder's name and returns an `Encoder`. docs/guide/plugins.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput

GROUP = "ldb.encoders"

Vectors = NDArray[np.float32]


@runtime_checkable
class Encoder(Protocol):
    """Gives each data object a vector; near ones mean alike."""

    name: str
    version: str
    """Another one whenever the same bytes would get another vector."""
    modality: str
    """What it encodes: `image`, `text`, `audio`, …"""

    def encode(self, data: Sequence[bytes]) -> Any:
        """Vectors of some data objects, shape (n, dimensions), or anything numpy makes that of.

        Raises whatever it likes for one that it cannot encode: LDB then asks one by one.
        """
        ...


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An encoder that can be asked with words."""

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """Vectors of some texts, in the same space."""
        ...


Factory = Callable[[Mapping[str, str]], Encoder]

OWN = {"clip": "ldb.search.clip", "efficientnet": "ldb.search.efficientnet"}
"""LDB's own: name → module with `make`. They win over packages of the same name."""


def find(name: str) -> tuple[str, str] | None:
    """Encoder and suffix that a name (`clip`, `CLIP-image`) stands for; None where it is none."""
    known = names()
    lower = name.lower()
    if lower in known:
        return lower, ""
    base, dash, suffix = lower.rpartition("-")
    return (base, suffix) if dash and base in known else None


def names() -> list[str]:
    """All encoders there are, in lower case."""
    return sorted({*OWN, *(each.name.lower() for each in entry_points(group=GROUP))})


def load(name: str, settings: Mapping[str, str]) -> Encoder:
    """Make an encoder with these settings; raises what it raises, `BadInput` for a wrong one."""
    made: object = _factory(name)(settings)
    words = [getattr(made, each, None) for each in ("name", "version", "modality")]
    if not isinstance(made, Encoder) or not all(isinstance(each, str) and each for each in words):
        raise BadInput(f"encoder {name}", f"does not keep to the protocol: {type(made).__name__}")
    return made


def _factory(name: str) -> Factory:
    if name in OWN:
        factory: Factory = import_module(OWN[name]).make
        return factory
    (found, *_) = (each for each in entry_points(group=GROUP) if each.name.lower() == name)
    try:
        loaded: Factory = found.load()
    except Exception as error:  # whatever a package does when it is imported
        why = f"{type(error).__name__}: {error}"
        raise BadInput(f"encoder {name}", f"{found.value} cannot be loaded: {why}") from error
    return loaded
