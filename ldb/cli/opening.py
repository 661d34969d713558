"""From what the command line finds around it to an open instance, and to a `Place`.

Every command that works on an instance starts here. Which instance: docs/commands/config.md.
Where none is named, commands that a newcomer tries first make a private one (QuickStart);
where one is named and is not there, nothing is made and the error says how to make it.
"""

from __future__ import annotations

import getpass
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

import click

from ldb import settings
from ldb.backends.opening import open_backend
from ldb.cli.app import ENGINE, TRUST_ONCE, App
from ldb.errors import NotFound, Untrusted
from ldb.instance import Instance, open_instance
from ldb.settings import InstanceChoice, UserSettings
from ldb.workspace import find, load_state, stranger

if TYPE_CHECKING:
    from ldb.backends.objectcache import CacheSettings
    from ldb.engines.base import Engine
    from ldb.foreign.own import Own
    from ldb.porcelain.place import Place


def choice_of(app: App) -> InstanceChoice | None:
    """The instance to use, the workspace around the user considered; None: none is named."""
    if app.instance_option or app.environ.get("LDB_DIR"):
        return app.find_instance()  # these win, so a broken workspace does not matter
    folder = find(str(app.cwd))
    owner = stranger(folder) if folder else None
    if owner is not None:
        raise Untrusted(
            f"workspace {folder}, which belongs to another user ({owner})",
            "it says which instance to use: if you trust it, name that yourself with --instance",
        )
    return app.find_instance(load_state(folder).instance_url if folder else None)


def need_choice(choice: InstanceChoice | None) -> InstanceChoice:
    """The instance chosen; raises `NotFound` where nothing names one."""
    if choice is None:
        raise NotFound(
            "LDB instance",
            "none is named by --instance, LDB_DIR, a workspace or core.instance",
            "make one: ldb init PATH",
        )
    return choice


def open_instance_of(app: App) -> Instance:
    """The instance to use, open; raises `NotFound` saying who named it and how to make one."""
    choice = need_choice(choice_of(app))
    configure_clouds(app, choice.where)
    try:
        return open_instance(open_backend(choice.where, _cache_of(app, choice.where)))
    except NotFound as error:
        where = f"{choice.where} (named by {choice.why})"
        raise NotFound("LDB instance", where, error.hint) from None


def place_of(app: App, quick_start: bool = False) -> Place:
    """Where a command works: instance, folder, author.

    With `quick_start`, where nothing names an instance, the user's private one is made and
    used from now on.
    """
    from ldb.porcelain.place import Place  # numpy: commands that need no rows do without it

    if quick_start and choice_of(app) is None:
        instance = _make_private(app)
        found = settings.load(app.config_path)  # which has just been written
    else:
        instance, found = open_instance_of(app), app.settings
    auto_index = found.flag("core.auto_index", False)
    clouds = found.tables("storage")
    own = partial(own_of, app, found)
    return Place(instance, str(app.cwd), author_of(app), auto_index, clouds, own)


def own_of(app: App, found: UserSettings) -> Own:
    """What the user has for dealing with code that is not LDB's."""
    from ldb.cli.caching import cache_options, folder_of
    from ldb.foreign.own import Own

    return Own(
        found,
        settings.load(settings.trust_path(app.home)),
        app.environ.get("PATH", ""),
        str(app.home),
        cache_options(app),
        folder_of(app, "core.vector_cache_dir", "vectors"),
        _tell_of_code if trusts_once() else None,
        partial(engine_of, app),
    )


def engine_of(app: App) -> AbstractContextManager[Engine]:
    """Where this command's work runs: by `--engine`, or else the setting `core.engine`."""
    from ldb.engines.opening import open_engine  # few commands have work for one

    context = click.get_current_context(silent=True)
    name = context.meta.get(ENGINE) if context is not None else None
    if name is not None:
        return open_engine(name)
    where = f"core.engine in {app.settings.path}"
    return open_engine(app.settings.get("core.engine") or "local", where=where)


def trusts_once() -> bool:
    """Whether the user trusts the code there is for this command."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(TRUST_ONCE))


def _tell_of_code(lines: Sequence[str]) -> None:
    from ldb.cli.output import harmless

    for line in lines:
        click.echo(harmless(line), err=True)


def _cache_of(app: App, where: str) -> CacheSettings | None:
    if "://" not in where:
        return None
    from ldb.cli.caching import object_cache

    return object_cache(app)


def configure_clouds(app: App, where: str) -> None:
    """Have the user's own options count for the bucket that the instance is in."""
    if "://" in where:
        from ldb.clouds.options import configure  # local instances do without

        configure(app.settings.tables("storage"))


def _make_private(app: App) -> Instance:
    from ldb.porcelain.init import quick_start

    instance = quick_start(app.home, author_of(app))
    context = click.get_current_context(silent=True)
    if context is None or not context.params.get("quiet"):
        click.echo(f"using your private instance, {instance.url}", err=True)
    return instance


def author_of(app: App) -> str:
    """Who commits: `core.author`, or login name and host."""
    return app.settings.get("core.author") or f"{_login_name()}@{platform.node()}"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as in containers
        return "unknown"
