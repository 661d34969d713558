"""`ldb add-storage` for object stores: options, secrets, and what is tried out first."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress

from ldb.clouds.base import Client, Get
from ldb.clouds.opening import open_client
from ldb.clouds.options import options_for, read_options
from ldb.errors import BadInput, LdbError, NotFound
from ldb.instance import Location, Settings, add_location
from ldb.porcelain.clouds import OWN, reach, secret_and_plain
from ldb.porcelain.place import Place
from ldb.porcelain.storage import Added, check_location
from ldb.storage.location import is_web, to_uri
from ldb.storage.remote import key_of, why_unread

Remember = Callable[[str, str], None]
"""Puts `section.key` and a value into the user's own settings."""


def add_cloud(
    place: Place,
    path: str,
    remember: Remember,
    *,
    read_add: bool | None = None,
    force: bool = False,
    options: Mapping[str, str] | None = None,
    trust_etag: bool | None = None,
) -> Added:
    """Register a bucket or a prefix, after listing it and reading (and writing) there now.

    Secret options, and addresses, go to the user's own settings; all that is not secret to the
    instance's. What is None, or an option not given, stays as it was; an empty one is taken back.
    """
    url = to_uri(path, place.cwd)
    given = dict(options or {})
    secret, plain = secret_and_plain(given)
    reach(place)
    known = _known(place.instance.settings(), url)
    together = {**known.options, **options_for(url), **given}
    scheme = url.partition("://")[0]
    read_options(together, scheme, url)
    read_add = known.read_add if read_add is None else read_add
    if url.endswith("://"):
        if read_add or given:
            raise BadInput(url, "is no bucket: it takes no options and cannot be read-add")
        warnings = [_too_wide(url)]
    else:
        warnings = _try_out(url, together, read_add)

    def change(settings: Settings) -> Settings:
        before = _known(settings, url)
        location = Location(
            url,
            read_add,
            {name: value for name, value in {**before.options, **plain}.items() if value},
            before.trust_etag if trust_etag is None else trust_etag,
        )
        check_location(settings, location, force)
        return add_location(settings, location)

    # Refused before anything is written where it overlaps; secrets first, for it is of no
    # use to anybody without them.
    change(place.instance.settings())
    for name, value in given.items():
        if name in secret or name in OWN:
            remember(f"storage.{url}.{name}", value)
    settings = place.instance.update_settings(change, place.author)
    return Added(_known(settings, url), tuple(warnings))


def _known(settings: Settings, url: str) -> Location:
    """The location as it is registered, or a new one."""
    return next((each for each in settings.locations if each.url == url), Location(url))


def _try_out(url: str, options: Mapping[str, str], writable: bool) -> list[str]:
    """List, look at and read something there (and write); gives warnings, raises `LdbError`."""
    client = open_client(url, options)
    if is_web(url):
        if writable:
            raise BadInput(url, "cannot be written to, so it cannot be read-add")
        return _look_at_site(client, url)
    key = key_of(url)
    prefix = key + "/" if key else ""
    warnings = [] if key else [_too_wide(url)]
    found = list(client.list(prefix, limit=1))
    if not found:
        warnings.append(f"{url} holds nothing now")
    for each in found:
        client.head(each.key)
        client.get(Get(each.key, 0, 1))
    if writable:
        _try_writing(client, prefix)
    return warnings


def _look_at_site(client: Client, url: str) -> list[str]:
    """What a web server says of a folder: it need not show one whose files it has."""
    try:
        client.head(key_of(f"{url.rstrip('/')}/"))
    except NotFound:
        pass
    except LdbError as error:
        return [f"{url} cannot be looked at now: {why_unread(error)}"]
    return []


def _too_wide(url: str) -> str:
    return f"{url} is wider than needed: register the folder that holds the data"


def _try_writing(client: Client, prefix: str) -> None:
    key = f"{prefix}.ldb-{secrets.token_hex(8)}"
    try:
        client.create(key, b"")
    except LdbError as error:
        where = f"{client.url}/{prefix}"
        raise BadInput(where, f"cannot be written to, so it cannot be read-add: {error}") from None
    with suppress(LdbError):  # one may be allowed to write and not to delete; it is hidden
        client.delete([key])
