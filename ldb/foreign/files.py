"""The code that an instance carries: files below `custom_code/`, read once and hashed.

What is trusted, and what is run, are these bytes: nothing is read a second time. Where which
code lies: docs/formats/instance.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from ldb.backends.base import Backend, check_key
from ldb.errors import BadInput, BadName
from ldb.system import BINARY

FOLDER = "custom_code/"
FUNCTIONS = "ldb_user_functions/"
FILTERS = "ldb_user_filters/"

MAX_FILES = 1000
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Code:
    """All files of code of one instance, by path below `custom_code/`."""

    files: Mapping[str, bytes]

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file, in hex."""
        return {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}

    def functions(self) -> list[str]:
        """Paths of the files that may hold functions for queries, sorted."""
        return sorted(
            path
            for path in self.files
            if path.startswith(FUNCTIONS) and path.count("/") == 1 and path.endswith(".py")
        )

    def filters(self) -> dict[str, str]:
        """Programs for `--sort` and `--pipe`: name in lower case, without extension → path."""
        found: dict[str, str] = {}
        for path in sorted(self.files, reverse=True):  # of `a` and `a.py` the first
            if path.startswith(FILTERS) and path.count("/") == 1:
                found[path[len(FILTERS) :].partition(".")[0].lower()] = path
        found.pop("", None)
        return found

    def lay_out(self, folder: str) -> None:
        """Write all files below `folder`, which is new and private, each able to run."""
        for path, data in self.files.items():
            target = os.path.join(folder, *path.split("/"))
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            with open(
                os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o700), "wb"
            ) as file:
                file.write(data)


NO_CODE = Code({})


def kind_of(path: str) -> str:
    """What a file of code is for: `functions`, `filter`, or another `file`."""
    if path.startswith(FUNCTIONS) and path.endswith(".py"):
        return "functions"
    return "filter" if path.startswith(FILTERS) else "file"


def is_key(key: str) -> bool:
    """Whether a key is one that every store can hold; in a bucket there may be others."""
    try:
        check_key(key)
    except BadName:
        return False
    return True


def read_code(backend: Backend) -> Code:
    """The code of the instance on `backend`; raises `BadInput` where there is too much."""
    entries = [each for each in backend.list(FOLDER, limit=MAX_FILES + 1) if is_key(each.key)]
    if len(entries) > MAX_FILES or sum(entry.size for entry in entries) > MAX_BYTES:
        raise BadInput(
            f"{FOLDER} of {backend.url}",
            f"more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB of code",
            "keep what belongs to it elsewhere, as a package that you install",
        )
    files: dict[str, bytes] = {}
    for entry in entries:
        backend.forget(entry.key)  # unlike all else in an instance, these files change
        files[entry.key[len(FOLDER) :]] = bytes(backend.read(entry.key, 0, MAX_BYTES))
    return Code(files)
