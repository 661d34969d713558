"""`ldb config`: the user's settings. docs/commands/config.md."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from ldb import settings
from ldb.cli.app import App, pass_app
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Group
from ldb.errors import NotFound

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # only while a shell asks

    known = settings.KNOWN.items()
    return [CompletionItem(key, help=why) for key, why in known if key.startswith(incomplete)]


@click.group(cls=Group)
def command() -> None:
    """Show and change your settings, which are in ~/.ldb/config.

    \b
    Examples:
      ldb config set core.instance /data/team/ldb
      ldb config get core.instance
      ldb config unset core.instance
      ldb config list
    """


@command.command("get")
@click.argument("key", shell_complete=_names)
@output_options(json=True)
@pass_app
def get(app: App, key: str, out: Output) -> None:
    """Print the value of KEY.

    Exit code 3 where it is not set.
    """
    settings.split_key(key)
    value = app.settings.get(key)
    if value is None:
        raise NotFound("setting", key, _meant(key, app.settings.values))
    if out.as_json:
        out.json(value)
    else:
        out.data(value)


@command.command("set")
@click.argument("key", shell_complete=_names)
@click.argument("value")
@output_options()
@pass_app
def set_(app: App, key: str, value: str, out: Output) -> None:
    """Set KEY to VALUE.

    Comments and all other lines of the file stay as they are.
    """
    settings.set_value(app.config_path, key, value, private=_shown(key, value) != value)
    if key not in settings.KNOWN and not _is_option(key):
        meant = _meant(key, settings.KNOWN)
        out.warn(f"nothing in LDB reads {key}" + (f"; {meant}" if meant else ""))
    out.say(f"{key} = {_shown(key, value)}")


@command.command("unset")
@click.argument("key", shell_complete=_names)
@output_options()
@pass_app
def unset(app: App, key: str, out: Output) -> None:
    """Remove KEY.

    Exit code 3 where it is not set.
    """
    settings.unset_value(app.config_path, key)
    out.say(f"{key} is not set any more")


@command.command("list")
@output_options(json=True)
@pass_app
def list_(app: App, out: Output) -> None:
    """Print all settings.

    One KEY=VALUE a line, sorted by key. Secrets are shown as ***.
    """
    values = {key: _shown(key, value) for key, value in sorted(app.settings.values.items())}
    if out.as_json:
        out.json(values)
    else:
        for key, value in values.items():
            out.data(f"{key}={value}")


def _meant(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _is_option(key: str) -> bool:
    """Whether this is an option of a bucket, `storage.<url>.<name>`, or a program's."""
    if key.startswith(("filter.", "transform.")) and key.count(".") == 2:
        return key.endswith(".run")
    if not key.startswith("storage."):
        return False
    from ldb.clouds.options import NAMES  # settings of other kinds do without

    return key.rpartition(".")[2] in NAMES


def _shown(key: str, value: str) -> str:
    if not key.startswith("storage."):
        return value
    from ldb.clouds.options import SECRET

    return "***" if key.rpartition(".")[2] in SECRET else value
