"""Names of refs: what a dataset may be called and how a name becomes a key.

Rules: docs/formats/refs.md. Pure functions, nothing is read.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

from ldb.errors import BadName

ROOT = "root"
"""`ds:root` is the index, so no dataset may have this name."""

MAX_NAME = 100
MAX_QUOTED = 200
MAX_NUMBER = 9_999_999_999

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-_")
_VERSION_SUFFIX = re.compile(r"\.v\d+$")
_QUOTED = re.compile(r"%([0-9A-F]{2})")


class RefKind(str, Enum):
    """The folder of `refs/` that a ref lies in."""

    DATASET = "datasets"
    INDEX = "index"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True, order=True)
class RefName:
    """A ref: its kind and, for a dataset, its name."""

    kind: RefKind
    name: str

    @property
    def prefix(self) -> str:
        """Key prefix of its version files, with the closing slash."""
        return f"refs/{self.kind.value}/{quote(self.name)}/"

    def key(self, number: int) -> str:
        """Key of version `number` (from 1)."""
        return f"{self.prefix}{MAX_NUMBER - number:010d}"

    def __str__(self) -> str:
        return f"ds:{self.name}" if self.kind is not RefKind.SETTINGS else "settings"


INDEX = RefName(RefKind.INDEX, ROOT)
SETTINGS = RefName(RefKind.SETTINGS, "instance")


def dataset_ref(name: str) -> RefName:
    """The ref of the dataset called `name` (without `ds:`); raises `BadName`."""
    if name == ROOT:
        return INDEX
    check_dataset_name(name)
    return RefName(RefKind.DATASET, name)


def check_dataset_name(name: str) -> None:
    """Raise `BadName` unless a dataset may be called `name`."""
    reason = _objection(name)
    if reason:
        raise BadName(
            f"dataset name {name[:MAX_NAME]!r}",
            reason,
            "use letters, digits and _ - . + (for example: cats-2024)",
        )


def _objection(name: str) -> str:
    if not name:
        return "is empty"
    if name == ROOT:
        return "is the name of the index"
    if len(name) > MAX_NAME or len(quote(name)) > MAX_QUOTED:
        return f"is longer than {MAX_NAME} characters or {MAX_QUOTED} encoded bytes"
    if not (name[0].isalnum() or name[0] == "_"):
        return f"starts with {name[0]!r}"
    bad = [char for char in name if not (char.isalnum() or _is_mark(char) or char in "_-.+")]
    if bad:
        return f"contains {bad[0]!r}"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode normal form C"
    if name.endswith("."):
        return "ends with a dot"
    if _VERSION_SUFFIX.search(name):
        return "ends like a version (.vN)"
    return ""


def _is_mark(char: str) -> bool:
    """Whether `char` is an accent or vowel sign, which many scripts need inside words."""
    return unicodedata.category(char).startswith("M")


def quote(name: str) -> str:
    """Spell `name` with the bytes that every store and file system keeps apart."""
    return "".join(
        chr(byte) if byte in _PLAIN and not (byte == 0x5F and at == 0) else f"%{byte:02X}"
        for at, byte in enumerate(name.encode("utf-8", "surrogatepass"))
    )


def unquote(folder: str) -> str:
    """The name that `quote` spelt as `folder`; raises `BadName` for any other text."""
    raw = _QUOTED.sub(lambda found: chr(int(found[1], 16)), folder).encode("latin-1", "replace")
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadName(repr(folder), "not a quoted name") from None
    if quote(name) != folder:
        raise BadName(repr(folder), "not a quoted name")
    return name


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """What `ds:name`, `ds:name.v3` or `ds:name~2` asks for."""

    ref: RefName
    number: int | None = None
    """Version asked for; None means the head."""
    back: int = 0
    """How many parents to go back from there."""

    def __str__(self) -> str:
        version = f".v{self.number}" if self.number else ""
        back = f"~{self.back}" if self.back else ""
        return f"{self.ref}{version}{back}"


_SPEC = re.compile(r"(?P<name>.*?)(?:\.v(?P<number>\d{1,10}))?(?P<back>(?:~\d*)*)", re.DOTALL)


def parse_version(text: str) -> VersionSpec:
    """Parse `ds:name[.vN][~K]`; the `ds:` may be left out. Raises `BadName`."""
    body = text[3:] if text.startswith("ds:") else text
    found = _SPEC.fullmatch(body)
    if not found:
        raise BadName(repr(text), "not a dataset")
    number = found["number"]
    if number is not None and not 1 <= int(number) <= MAX_NUMBER:
        raise BadName(text, "versions count from .v1")
    steps = [int(step[:9]) if step else 1 for step in found["back"].split("~")[1:]]
    return VersionSpec(dataset_ref(found["name"]), int(number) if number else None, sum(steps))
