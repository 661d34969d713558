"""The caches that the user's settings ask for: of data objects, and of instances in buckets."""

from __future__ import annotations

import os
import re

from ldb.backends.objectcache import CacheSettings
from ldb.cli.app import App
from ldb.errors import BadInput
from ldb.storage.cache import CacheOptions

OBJECT_CACHE = 10 * 10**9
"""Bytes that the cache of instances may hold where nothing is set."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGTP])(i?))?B?", re.IGNORECASE)
_POWERS = "KMGTP"


def cache_options(app: App) -> CacheOptions:
    """`core.cache_dir`, `core.cache_local`, `core.cache_size`; raises `BadInput`."""
    settings = app.settings
    limit = settings.get("core.cache_size")
    return CacheOptions(
        cache_folder(app),
        settings.flag("core.cache_local", False),
        None if limit is None else parse_size(limit, f"core.cache_size in {settings.path}"),
    )


def object_cache(app: App) -> CacheSettings | None:
    """`core.object_cache_dir`, `core.object_cache_size`; None: nothing is to be kept."""
    settings = app.settings
    limit = settings.get("core.object_cache_size")
    where = f"core.object_cache_size in {settings.path}"
    size = OBJECT_CACHE if limit is None else parse_size(limit, where)
    return CacheSettings(folder_of(app, "core.object_cache_dir", "objects"), size) if size else None


def cache_folder(app: App) -> str:
    """Where the cache is; a relative `core.cache_dir` starts at the home folder."""
    return folder_of(app, "core.cache_dir", "data")


def folder_of(app: App, key: str, name: str) -> str:
    """The folder that a setting names, or `name` among the user's caches."""
    given = app.settings.get(key)
    if given:
        from ldb.storage.location import has_scheme, without_scheme  # most users set none

        given = without_scheme(given)
        if has_scheme(given):
            raise BadInput(f"{key} in {app.settings.path}", f"{given} is no folder of this machine")
        return os.path.normpath(os.path.join(app.home, os.path.expanduser(given)))
    caches = app.environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(caches):
        caches = os.path.join(app.home, ".cache")
    return os.path.join(caches, "ldb", name)


def parse_size(text: str, where: str) -> int:
    """Bytes of `500MB`, `1.5 GiB`, `0`; raises `BadInput`."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise BadInput(where, f"{text!r} is not a size", "write it like 500MB, 20GB or 1.5TiB")
    unit = (found[2] or "").upper()
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** (_POWERS.index(unit) + 1 if unit else 0))


def size_text(size: int) -> str:
    """A number of bytes as people read it."""
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:.1f} {'kMGT'[power - 1]}B" if power else f"{size} B"
