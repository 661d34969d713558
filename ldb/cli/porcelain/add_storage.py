"""`ldb add-storage`: register a place where data objects live. docs/commands/add-storage.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ldb import settings
from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.porcelain.storage import Added, add_storage
from ldb.storage.location import is_remote, shown, to_uri

if TYPE_CHECKING:
    from ldb.porcelain.place import Place


@click.command(cls=Command, name="add-storage")
@click.argument("path", metavar="PATH|URL", type=PathOrUrl("dir"))
@click.option(
    "-o",
    "--option",
    "options",
    nargs=2,
    multiple=True,
    metavar="KEY JSON",
    help="How a bucket is reached; secrets stay in your own settings.",
)
@click.option(
    "--trust-etag/--no-trust-etag",
    default=None,
    help="Whether an MD5 that the store lists is believed without reading the object.",
)
@click.option(
    "-a",
    "--read-add",
    type=click.BOOL,
    metavar="true|false",
    help="Whether files from elsewhere may be copied into it; one location at most.",
)
@click.option("-f", "--force", is_flag=True, help="Even inside or around another location.")
@output_options()
@pass_app
def command(
    app: App,
    path: str,
    options: Sequence[tuple[str, str]],
    trust_etag: bool | None,
    read_add: bool | None,
    force: bool,
    out: Output,
) -> None:
    """Register a folder or bucket as a storage location: its data is indexed in place.

    It is listed and read from now, to see that this works. Registering a known location
    again changes its settings. Buckets are s3://BUCKET/PREFIX, gs://BUCKET/PREFIX and
    az://CONTAINER/PREFIX; https://HOST/PATH is read too.

    \b
    Examples:
      ldb add-storage /data/images
      ldb add-storage -a true /data/incoming
      ldb add-storage s3://bucket/images
      ldb add-storage -o region '"eu-west-1"' --trust-etag s3://bucket/more
      ldb add-storage -o account_name '"us"' az://container
    """
    place = place_of(app, quick_start=True)
    if is_remote(to_uri(path, place.cwd)):
        added = _add_cloud(app, place, path, options, trust_etag, read_add, force)
    elif options or trust_etag is not None:
        raise click.UsageError("-o and --trust-etag are for buckets")
    else:
        added = add_storage(place, path, read_add, force)
    for warning in added.warnings:
        out.warn(warning)
    kind = ", read-add" if added.location.read_add else ""
    kind += ", listed MD5s are trusted" if added.location.trust_etag else ""
    out.say(f"storage location {shown(added.location.url)}{kind}")


def _add_cloud(
    app: App,
    place: Place,
    path: str,
    options: Sequence[tuple[str, str]],
    trust_etag: bool | None,
    read_add: bool | None,
    force: bool,
) -> Added:
    from ldb.porcelain.cloudstorage import add_cloud  # local folders do without

    def remember(key: str, value: str) -> None:
        settings.set_value(app.config_path, key, value, private=True)

    return add_cloud(
        place,
        path,
        remember,
        read_add=read_add,
        force=force,
        options={name: _text(name, value) for name, value in options},
        trust_etag=trust_etag,
    )


def _text(name: str, value: str) -> str:
    """An option's value as settings files have it. No message shows it: it may be a secret."""
    from ldb.clouds.options import takes_text  # local folders do without

    try:
        found = json.loads(value)
    except ValueError:
        raise click.UsageError(
            f"-o {name}: not JSON; text goes in double quotes, inside single ones for the shell"
        ) from None
    if found is None:
        return ""
    if isinstance(found, bool):
        if takes_text(name):
            raise click.UsageError(f"-o {name}: takes text, in double quotes")
        return str(found).lower()
    if not isinstance(found, (str, int, float)):
        raise click.UsageError(f"-o {name}: neither text, a number, true nor false")
    return str(found)
