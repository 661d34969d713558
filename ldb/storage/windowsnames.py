"""Names that Windows takes for something else than a file in this folder.

A colon leads to a drive or to a stream of another file, a backslash is a separator, dots and
spaces at the end are dropped, and some names are devices in every folder, whatever stands behind
their first dot. Pure functions, the same on every system.
"""

from __future__ import annotations

import re

MARKS = frozenset('<>:"/\\|?*')
"""Characters that no name may hold."""

DEVICE = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ ]*(?:\.|$)", re.I
)
"""Matches at the start of a name that is a device."""


def windows_objection(name: str) -> str:
    """Why Windows cannot have a file or folder of this name; empty where it can."""
    if not name or not MARKS.isdisjoint(name) or any(char < " " for char in name):
        return "holds a character that Windows does not allow in names"
    if name[-1] in ". ":
        return "ends with a dot or a space, which Windows drops"
    if DEVICE.match(name):
        return "is the name of a device on Windows"
    return ""
