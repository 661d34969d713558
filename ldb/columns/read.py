"""Reads the columns of a file, each part when it is asked for.

Invariant: whatever the bytes are, what comes out has passed its checksum, fits the number of
values, and points nowhere outside; else `Corrupt` is raised, on opening or at the first use of
a part. Nothing is unpacked that is larger than the format allows. Needs no Arrow library.
Format: docs/formats/columns.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
import zstandard
from numpy.typing import NDArray

from ldb.columns import layout
from ldb.columns.model import Column, Ints, Kind, Words
from ldb.errors import Corrupt

Load = Callable[[], NDArray[Any]]

_DTYPES = {name: np.dtype("<" + name) for name in ("u1", "i1", "i2", "i4", "i8", "f8")}
_INTS = ("i1", "i2", "i4", "i8")
_ENDS = ("i4", "i8")
_LONGEST_PATH = 256
"""Characters of a path in messages: every column keeps its own, and keys can be megabytes."""
_ABSENT = (Kind.MISSING, Kind.NULL)
_BOOLEANS = (Kind.FALSE, Kind.TRUE)


def open_columns(read: layout.Read, size: int, where: str) -> Column:
    """The column in a file of `size` bytes called `where`; `read(start, stop)` gives its bytes.

    Reads the directory. Raises Corrupt now or when a part is asked for.
    """
    directory = layout.unpack(read, size, where)
    file = _File(read, size, where)
    try:
        return file.column(directory["root"], file.count(directory["rows"]), "", 0)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(where, "directory") from error


class _File:
    def __init__(self, read: layout.Read, size: int, where: str) -> None:
        self._read = read
        self._size = size
        self._where = where
        self._limit = layout.largest_part(size)

    def column(self, node: dict[str, Any], size: int, path: str, level: int) -> Column:
        """The column of a node; ValueError and the like where it makes no sense."""
        kinds = [Kind(self.count(kind)) for kind in _checked(node["kinds"], list)]
        present = frozenset(kinds)
        _must(level < layout.MAX_LEVELS and len(present) == len(kinds) and bool(kinds or not size))
        parts: dict[str, Any] = {}
        if len(kinds) != 1:
            parts["kinds"] = self._kinds(node, size, kinds, path)
        if Kind.INT in present:
            parts["ints"] = self._part(node["int"], _INTS, size, f"{path}: ints")
        if Kind.FLOAT in present:
            parts["floats"] = self._part(node["float"], ("f8",), size, f"{path}: floats")
        if Kind.TEXT in present:
            parts["codes"], parts["words"] = self._texts(node, size, path)
        if Kind.LIST in present:
            below = node["items"]
            count = self.count(below["size"])
            parts["offsets"] = self._ends(node, size, count, f"{path}: offsets")
            parts["items"] = self.column(below, count, path + "[]", level + 1)
        if Kind.OBJECT in present:
            parts["fields"] = {
                key: self.column(below, size, f"{path}.{key}"[-_LONGEST_PATH:], level + 1)
                for key, below in node["keys"].items()
            }
        return Column(size, kinds[0] if len(kinds) == 1 else None, present=present, **parts)

    def count(self, value: object) -> int:
        """A number that may be one of values or bytes."""
        _must(type(value) is int and 0 <= value <= self._limit)
        assert isinstance(value, int)
        return value

    def _kinds(self, node: dict[str, Any], size: int, kinds: list[Kind], path: str) -> Load:
        if "kind" in node:
            load = self._part(node["kind"], ("u1",), size, f"{path}: kinds")
            return lambda: self._exactly(load(), kinds, path)
        absent = [kind for kind in kinds if kind in _ABSENT]
        held = [kind for kind in kinds if kind not in _ABSENT]
        _must(len(absent) < 2 and (len(held) < 2 or held == list(_BOOLEANS)))
        valid = self._bits(node["valid"], size, f"{path}: valid") if absent else None
        bits = self._bits(node["bits"], size, f"{path}: bits") if len(held) == 2 else None

        def load_kinds() -> NDArray[np.uint8]:
            found = np.full(size, held[0] if held else Kind.NULL, np.uint8)
            if bits is not None:
                found += bits()
            if valid is not None:
                found = np.where(valid(), found, np.uint8(absent[0]))
            return found

        return load_kinds

    def _exactly(self, found: NDArray[Any], kinds: list[Kind], path: str) -> NDArray[Any]:
        counts = np.bincount(found, minlength=len(Kind))
        if np.flatnonzero(counts).tolist() != sorted(kinds):
            raise Corrupt(self._where, f"{path}: kinds")
        return found

    def _texts(self, node: dict[str, Any], size: int, path: str) -> tuple[Load, Words]:
        texts = node["words"]
        count = self.count(texts["count"])
        length = self.count(texts["data"][2])
        data = self._part(texts["data"], ("u1",), length, f"{path}: texts")
        ends = cache(self._ends(texts, count, length, f"{path}: ends of texts"))

        def checked_data() -> NDArray[np.uint8]:
            found = data()
            if length and found.max() > 127 and not _is_utf8(found, ends()):
                raise Corrupt(self._where, f"{path}: texts")
            return found

        words = Words(checked_data, ends, texts.get("distinct") == 1)
        if "code" not in node:
            _must(count == size)
            return lambda: np.arange(size), words
        _must(count > 0 or not size)
        load = self._part(node["code"], _INTS, size, f"{path}: codes")

        def codes() -> NDArray[Any]:
            found = load()
            if size and not (found.min() >= 0 and found.max() < count):
                raise Corrupt(self._where, f"{path}: codes")
            return found

        return codes, words

    def _ends(self, node: dict[str, Any], size: int, last: int, what: str) -> Callable[[], Ints]:
        """Offsets of `size` runs that end at `last`."""
        if "width" in node:
            width = self.count(node["width"])
            _must(width * size == last)
            return lambda: np.arange(size + 1) * width
        load = self._part(node["ends"], _ENDS, size + 1, what)

        def ends() -> Ints:
            found = load().astype(np.int64)
            if found[0] != 0 or found[-1] != last or (found[1:] < found[:-1]).any():
                raise Corrupt(self._where, what)
            return found

        return ends

    def _bits(self, entry: list[Any], size: int, what: str) -> Load:
        load = self._part(entry, ("u1",), -(-size // 8), what)
        return lambda: np.unpackbits(load(), count=size, bitorder="little")

    def _part(self, entry: list[Any], dtypes: tuple[str, ...], size: int, what: str) -> Load:
        """The function that loads a part of `size` numbers."""
        offset, stored, raw, name, crc = entry
        dtype = _DTYPES[name]
        _must(name in dtypes and self.count(raw) == size * dtype.itemsize)
        _must(self.count(stored) <= raw and self.count(offset) + stored <= self._size)

        def load() -> NDArray[Any]:
            data = self._read(offset, offset + stored)
            if len(data) != stored or crc32(data) != crc:
                raise Corrupt(self._where, what)
            try:
                return np.frombuffer(layout.unpacked(data, raw), dtype)
            except (zstandard.ZstdError, ValueError) as error:
                raise Corrupt(self._where, what) from error

        return load


def _is_utf8(data: NDArray[np.uint8], ends: Ints) -> bool:
    """Whether each text is, and not just all of them together."""
    try:
        data.tobytes().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    starts = ends[ends < len(data)]
    return not (data[starts] & 0xC0 == 0x80).any()


def _checked(value: Any, kind: type) -> Any:
    _must(type(value) is kind)
    return value


def _must(holds: bool) -> None:
    if not holds:
        raise ValueError("the directory contradicts itself")
