"""Users' data in object stores, as commands name it: options, locations, what a URI stands for.

What an instance says of a location counts where the user's own settings say nothing; and an
address from an instance counts only where the user's settings name the same one, since
credentials would be sent there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress

from ldb.clouds.base import Client, Get
from ldb.clouds.opening import open_client
from ldb.clouds.options import SECRET, configure, options_for
from ldb.errors import BadInput, LdbError, NotFound, Untrusted
from ldb.indexing.cloudtargets import CloudTarget
from ldb.instance import Location, Settings
from ldb.porcelain.place import Place
from ldb.storage.globs import fixed_folder, parts_of
from ldb.storage.location import is_glob
from ldb.storage.remote import key_of

OWN = frozenset({"endpoint_url", "allow_http", "profile", "library"})
"""Options by which an instance could have a user's credentials sent somewhere, or choose which."""


def reach(place: Place, uris: Iterable[str] = ()) -> None:
    """Have the options of the registered locations count from now on.

    Raises `Untrusted` where the location of one of `uris` has an address, by the instance,
    that the user's own settings do not name.
    """
    configure(place.cloud_options)
    table: dict[str, Mapping[str, str]] = dict(place.cloud_options)
    refused: dict[str, str] = {}
    for location in place.instance.settings().locations:
        mine = options_for(location.url)
        for name in sorted(OWN & location.options.keys() - mine.keys()):
            refused.setdefault(location.url, name)
        usable = {k: v for k, v in location.options.items() if k not in OWN}
        if usable:
            table[location.url] = {**usable, **mine}
    configure(table)
    for uri in uris:
        found = location_of(place.instance.settings(), uri) if refused else None
        if found is not None and found.url in refused:
            raise _untrusted(found, refused[found.url])


def _untrusted(location: Location, name: str) -> Untrusted:
    value = location.options[name]
    return Untrusted(
        f"{name} {value} of {location.url}, which the instance names and your settings do not",
        f"if it is right: ldb config storage.{location.url}.{name} {value}",
    )


def location_of(settings: Settings, uri: str) -> Location | None:
    """The registered location that holds a URI; of several the innermost."""
    holding = [each for each in settings.locations if each.holds(uri)]
    return max(holding, key=lambda each: len(each.url), default=None)


def secret_and_plain(options: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The secret ones of some options, and the others."""
    secret = {name: value for name, value in options.items() if name in SECRET}
    return secret, {name: value for name, value in options.items() if name not in SECRET}


def try_out(url: str, options: Mapping[str, str], writable: bool) -> list[str]:
    """List, look at and read something there (and write); gives warnings, raises `LdbError`."""
    client = open_client(url, options)
    if url.startswith(("http://", "https://")):
        if writable:
            raise BadInput(url, "cannot be written to, so it cannot be read-add")
        return []
    key = key_of(url)
    prefix = key + "/" if key else ""
    first = next(iter(client.list(prefix, limit=1)), None)
    warnings = [] if key else [_too_wide(url)]
    if first is None:
        warnings.append(f"{url} holds nothing now")
    else:
        client.head(first.key)
        client.get(Get(first.key, 0, 1))
    if writable:
        _try_writing(client, prefix)
    return warnings


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


def cloud_targets(place: Place, text: str, uri: str) -> list[CloudTarget]:
    """What a URI, typed as `text`, stands for; raises `NotFound` where nothing is there."""
    settings = place.instance.settings()
    location = location_of(settings, fixed_folder(uri) if is_glob(uri) else uri)
    if location is None:
        raise BadInput(text, "lies in no storage location", f"register it: ldb add-storage {text}")
    key = key_of(uri)
    folder = uri.encode() + b"/"
    whole = CloudTarget(folder, (folder,), vouched=location.trust_etag)
    if not key:
        return [whole]
    client = open_client(uri)
    found = []
    if not text.endswith("/") and _is_object(client, key):
        name = uri.encode()
        above = name.rpartition(b"/")[0] + b"/"
        found.append(CloudTarget(above, names=frozenset({name}), vouched=location.trust_etag))
    if uri.startswith(("http://", "https://")):
        if not found:
            raise NotFound("path", text, "of an HTTP server single files can be indexed")
        return found
    if uri == location.url or next(iter(client.list(key + "/", limit=1)), None) is not None:
        found.append(whole)
    if found:
        return found
    if is_glob(uri):
        return [_glob(uri, location.trust_etag)]
    if next(place.catalog.paths_under(folder), None) is not None:
        return [whole]  # all that was there is gone
    raise NotFound("path", text)


def _is_object(client: Client, key: str) -> bool:
    try:
        client.head(key)
    except NotFound:
        return False
    return True


def _glob(uri: str, vouched: bool) -> CloudTarget:
    fixed = fixed_folder(uri)
    raw = fixed.encode()
    return CloudTarget(raw, globs=((raw, parts_of(uri[len(fixed) :])),), vouched=vouched)
