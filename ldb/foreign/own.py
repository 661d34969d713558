"""What belongs to this user when code of others is met: settings, `PATH`, caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.settings import UserSettings
from ldb.storage.cache import CacheOptions

Tell = Callable[[Sequence[str]], None]
"""Shows lines on what is about to be run without lasting trust."""


def _here() -> AbstractContextManager[Engine]:
    return nullcontext(LocalEngine(1))


@dataclass(frozen=True, slots=True)
class Own:
    """Found by the command line; without it nothing is trusted and nothing is kept."""

    settings: UserSettings = field(
        default_factory=lambda: UserSettings(Path("/"), MappingProxyType({}))
    )
    trust: UserSettings = field(
        default_factory=lambda: UserSettings(Path("/"), MappingProxyType({}))
    )
    """What this user trusts: `ldb/foreign/trust.py`."""
    path: str = ""
    """Folders in which programs are looked for, as in `PATH`."""
    home: str = "/"
    """Where paths of programs in the settings start."""
    cache: CacheOptions | None = None
    """Where data objects that are fetched for programs are kept."""
    vectors: str = ""
    """Folder of the vectors that encoders gave; empty: they are not kept."""
    trust_once: Tell | None = None
    """Set where the user trusts the code there is for this one command."""
    engine: Callable[[], AbstractContextManager[Engine]] = _here
    """Opens what encoders work on, once there is something to encode."""
