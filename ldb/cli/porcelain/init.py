"""`ldb init`: make an instance. docs/commands/init.md."""

from __future__ import annotations

import os
import shlex

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import configure_clouds
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.foreign.trust import remember_made
from ldb.ids import HASH_BYTES
from ldb.porcelain.init import init, remember
from ldb.settings import trust_path
from ldb.storage.location import check_slashes


@click.command(cls=Command)
@click.argument("place", metavar="PATH|URL", type=PathOrUrl("dir"))
@click.option("-f", "--force", is_flag=True, help="Replace the instance that is there already.")
@click.option(
    "--object-hash",
    type=click.Choice(list(HASH_BYTES)),
    default="md5",
    show_default=True,
    help="What names data objects: md5 as DVC and buckets do, or sha256.",
)
@output_options()
@pass_app
def command(app: App, place: str, force: bool, object_hash: str, out: Output) -> None:
    """Make an LDB instance in a new or empty folder, or below a prefix of a bucket.

    Where your ~/.ldb/config names no instance yet, it names the new one from now on; else
    it is said how to use it.

    \b
    Examples:
      ldb init /data/team/ldb
      ldb init s3://team-bucket/ldb      # also gs:// and az://
      ldb init --object-hash sha256 instance
      ldb init -f /data/team/ldb         # replaces all that was in it
    """
    check_slashes(place)
    where = place if "://" in place else os.path.normpath(os.path.join(app.cwd, place))
    configure_clouds(app, where)
    instance = init(where, object_hash, force)
    out.say(f"made an LDB instance in {instance.url}")
    remember_made(trust_path(app.home), instance)
    if remember(app.home, instance.url):
        out.say(f"{app.config_path} names it as the one to use")
    elif (used := app.settings.get("core.instance")) != instance.url:
        if used:
            out.say(f"the one in use is still {used}")
        out.say(f"to use the new one: ldb config set core.instance {shlex.quote(instance.url)}")
