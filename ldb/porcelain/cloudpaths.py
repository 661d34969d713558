"""What a URI of an object store stands for when it is to be indexed: objects, folders, globs."""

from __future__ import annotations

from ldb.clouds.base import Client
from ldb.clouds.opening import open_client
from ldb.errors import BadInput, NotFound
from ldb.indexing.cloudtargets import CloudTarget
from ldb.porcelain.clouds import location_of
from ldb.porcelain.place import Place
from ldb.storage.globs import fixed_folder, parts_of
from ldb.storage.location import is_glob, is_web
from ldb.storage.remote import key_of


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
    if not text.endswith("/") and is_object(client, key):
        name = uri.encode()
        above = name.rpartition(b"/")[0] + b"/"
        found.append(CloudTarget(above, names=frozenset({name}), vouched=location.trust_etag))
    if found and is_web(uri):
        return found
    if uri == location.url or _is_folder(client, key, uri):
        found.append(whole)
    if found:
        return found
    if is_glob(uri):
        return [_glob(uri, location.trust_etag)]
    if next(place.catalog.paths_under(folder), None) is not None:
        return [whole]  # all that was there is gone
    raise NotFound("path", text)


def is_object(client: Client, key: str) -> bool:
    """Whether there is an object of this name."""
    try:
        client.head(key)
    except NotFound:
        return False
    return True


def _is_folder(client: Client, key: str, uri: str) -> bool:
    if not is_web(uri):
        return bool(list(client.list(key + "/", limit=1)))
    if is_glob(uri):
        return False  # asking would not be for a page of that name
    try:
        return bool(list(client.list(key + "/", limit=1)))
    except NotFound:
        return False


def _glob(uri: str, vouched: bool) -> CloudTarget:
    fixed = fixed_folder(uri)
    raw = fixed.encode()
    return CloudTarget(raw, globs=((raw, parts_of(uri[len(fixed) :])),), vouched=vouched)
