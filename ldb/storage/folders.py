"""Opening folders one step at a time, each relative to the one above and never through a link.

Whoever can write in a folder may put a symbolic link where another user is about to write; a
path given whole to the system would be followed to wherever that leads. docs/security.md
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import AnyStr

from ldb.errors import Unsupported

CLOEXEC = getattr(os, "O_CLOEXEC", 0)
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)
"""Flags that Windows has not."""

FOLLOWED = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | CLOEXEC
"""How to open the folder that the user has named, which may be a link."""

FLAGS = FOLLOWED | NOFOLLOW
"""How to open one below it; a link there is `NotADirectoryError`."""


def require_handles() -> None:
    """Raise `Unsupported` on a system that opens nothing relative to an open folder."""
    if os.open not in os.supports_dir_fd:
        raise Unsupported(
            "writing into folders on this system",
            "it needs folders opened by handle, as Linux and macOS have: on Windows, use WSL",
        )


def enter(above: int, name: AnyStr, make: bool) -> int:
    """A descriptor of the folder `name` in an open folder, made where it is missing and `make`.

    `name` is one step, without a slash. Raises `OSError`.
    """
    try:
        return os.open(name, FLAGS, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=above)
    return os.open(name, FLAGS, dir_fd=above)
