"""An encoder that a package brings: `installed/` is laid out as pip does it.

A data object is six bytes, two numbers; anything else it does not take. What it has encoded it
tells in files of the folder `log`, one for each process.
"""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path


class Hues:
    """Two numbers; words are two as well."""

    name, modality = "Hues", "image"

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.version = os.environ.get("HUES_VERSION", "1")
        self.log = Path(settings["log"])
        self.fatal = settings.get("fatal")
        """The process that encodes it first is killed."""

    def encode(self, data: Sequence[bytes]) -> list[tuple[float, ...]]:
        with open(self.log / f"{os.getpid()}", "a") as log:
            log.writelines(f"{each.hex()}\n" for each in data)
        if self.fatal in [each.hex() for each in data] and self._first():
            os.kill(os.getpid(), signal.SIGKILL)
        return [numbers(each) for each in data]

    def encode_texts(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(word) for word in each.split()] for each in texts]

    def _first(self) -> bool:
        try:
            (self.log / "killed").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def numbers(data: bytes) -> tuple[float, ...]:
    """Raises for what is no picture."""
    return struct.unpack(">3sBH", data)[1:]


def picture(number: int) -> bytes:
    """The data object of this number."""
    return struct.pack(">3sBH", b"HUE", number % 200 + 1, number)
