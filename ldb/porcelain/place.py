"""Where a command works: an instance, the folder the user stands in, maybe a workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ldb.catalog import Catalog, open_catalog
from ldb.errors import NotFound
from ldb.instance import Instance
from ldb.workspace import Workspace, find, locked, open_workspace

if TYPE_CHECKING:
    from ldb.foreign.own import Own


@dataclass(frozen=True)
class Place:
    """An open instance and the user's folder; the rest is found when asked for."""

    instance: Instance
    cwd: str
    """Absolute."""
    author: str = ""
    auto_index: bool = False
    """Whether `add PATH` indexes files that the index does not know."""
    cloud_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The user's own options for buckets, by the URL that theirs begin with."""
    find_own: Callable[[], Own] | None = None
    """Finds `own`: few commands need it."""

    @cached_property
    def own(self) -> Own:
        """What the user has for dealing with code that is not LDB's."""
        from ldb.foreign.own import Own  # which few commands need

        return self.find_own() if self.find_own is not None else Own()

    @cached_property
    def catalog(self) -> Catalog:
        """The newest index, as of the first use."""
        return open_catalog(self.instance)

    @cached_property
    def workspace(self) -> Workspace | None:
        """The workspace around the user's folder, if there is one of this instance."""
        folder = find(self.cwd)
        return open_workspace(folder, self.instance) if folder else None

    def need_workspace(self) -> Workspace:
        """The workspace; raises `NotFound` where there is none."""
        if self.workspace is None:
            raise NotFound("workspace", self.cwd, "make one here: ldb stage ds:NAME")
        return self.workspace

    @contextlib.contextmanager
    def changing(self) -> Iterator[Place]:
        """The same place with its workspace held for one changing command, and read anew."""
        with locked(self.need_workspace().folder):
            yield self.refreshed()

    def refreshed(self) -> Place:
        """The same place, looking at the index anew (something was indexed since)."""
        return replace(self)
