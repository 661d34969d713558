"""What the command line finds around it: folders, environment, settings, instance.

Found once, here, and passed on: no library looks for itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from ldb import settings
from ldb.settings import InstanceChoice, UserSettings

TRUST_ONCE = "ldb.trust"
"""Key of `click.Context.meta`: whether `--trust` was given."""
ENGINE = "ldb.engine"
"""The same for the value of `--engine`."""


@dataclass(frozen=True)
class App:
    """The surroundings of one run."""

    cwd: Path
    home: Path
    environ: Mapping[str, str]
    instance_option: str | None

    @property
    def config_path(self) -> Path:
        return settings.config_path(self.home)

    @cached_property
    def settings(self) -> UserSettings:
        """The user's, read when first asked for."""
        return settings.load(self.config_path)

    def find_instance(self, workspace: str | None = None) -> InstanceChoice | None:
        """The instance to use, its path absolute; `workspace` is the one its draft is of."""
        found = settings.choose_instance(
            option=self.instance_option,
            env=self.environ.get("LDB_DIR"),
            workspace=workspace,
            settings=self.settings,
        )
        if found is None or "://" in found.where:
            return found
        if ":/" in found.where:
            from ldb.storage.location import check_slashes  # few paths have that

            check_slashes(found.where)
        # the settings file is the same whatever folder one is in, so its paths start at home
        start = self.home if found.why.startswith("core.instance") else self.cwd
        path = os.path.join(start, os.path.expanduser(found.where))
        return InstanceChoice(os.path.normpath(path), found.why)


def app_of(ctx: click.Context) -> App:
    """The surroundings of this run; also while a shell asks for completions."""
    root = ctx.find_root()
    if root.obj is None:
        root.obj = _look_around(root)
    assert isinstance(root.obj, App)
    return root.obj


def _look_around(root: click.Context) -> App:
    for folder in root.params.get("folders") or ():
        try:
            os.chdir(folder)
        except OSError as error:
            why = error.strerror or str(error)
            raise click.UsageError(f"-C {folder}: {why}", root) from error
    instance = root.params.get("instance")
    if instance == "":
        raise click.UsageError("--instance needs a path or URL", root)
    return App(Path.cwd(), Path.home(), os.environ, instance)


pass_app = click.make_pass_decorator(App)
