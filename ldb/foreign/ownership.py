"""Whether a folder is one that this user alone can write to, as the system tells it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

OTHERS = stat.S_IWGRP | stat.S_IWOTH


def open_to_others(folder: str) -> str:
    """Why others could change what lies in `folder`; empty where only this user can.

    Looked at are the folder, every folder above it, and what lies at its top: who can write
    to any of them can put another file, or a whole other folder, in the place of one.
    """
    if not hasattr(os, "geteuid"):
        return "this system does not tell who may write to it"
    try:
        for path in _above(os.path.realpath(folder)):
            if why := _why(path, os.lstat(path), sticky_is_fine=True):
                return why
        with os.scandir(folder) as found:
            for entry in found:
                if why := _why(entry.path, entry.stat(follow_symlinks=False)):
                    return why
    except OSError as error:
        return f"{folder} cannot be looked at: {error.strerror}"
    return ""


def tree_open_to_others(folder: str) -> str:
    """The same for everything below `folder`, which need not be there."""

    def refuse(error: OSError) -> None:
        raise error

    if not os.path.lexists(folder):
        return ""
    try:
        for path, _, names in os.walk(folder, onerror=refuse):
            for each in (path, *(os.path.join(path, name) for name in names)):
                if why := _why(each, os.lstat(each)):
                    return why
    except OSError as error:
        return f"{folder} cannot be looked at: {error.strerror}"
    return ""


def _above(path: str) -> Iterator[str]:
    """`path` and all folders above it."""
    yield path
    while (parent := os.path.dirname(path)) != path:
        path = parent
        yield path


def _why(path: str, found: os.stat_result, sticky_is_fine: bool = False) -> str:
    if found.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user ({found.st_uid})"
    if stat.S_ISLNK(found.st_mode):
        return f"{path} is a link"
    # In a folder like /tmp others can add names, but not take one that is there.
    if found.st_mode & OTHERS and not (sticky_is_fine and found.st_mode & stat.S_ISVTX):
        return f"others may write to {path}"
    return ""
