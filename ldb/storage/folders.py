"""Opening folders one step at a time, each relative to the one above and never through a link.

Whoever can write in a folder may put a symbolic link where another user is about to write; a
path given whole to the system would be followed to wherever that leads. docs/security.md
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import AnyStr

FOLLOWED = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
"""How to open the folder that the user has named, which may be a link."""

FLAGS = FOLLOWED | getattr(os, "O_NOFOLLOW", 0)
"""How to open one below it; a link there is `NotADirectoryError`."""


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
