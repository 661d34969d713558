"""`ldb init` and QuickStart: make an instance."""

from __future__ import annotations

import os
from functools import reduce
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from ldb import instance as instances
from ldb import settings
from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.opening import open_backend
from ldb.errors import BadInput, Conflict, StoreFailed
from ldb.foreign.files import FOLDER as CODE
from ldb.foreign.trust import remember_made
from ldb.instance import Instance, Location, add_location
from ldb.storage.location import REMOTE, uri_of

if TYPE_CHECKING:
    from ldb.backends.bucket import BucketBackend

PRIVATE = "private_instance"
READ_ADD = "read_add_storage"


def init(place: str, object_hash: str = "md5", force: bool = False) -> Instance:
    """Make an instance at a path or URL that is empty or not there yet.

    `force` replaces an instance that is there already, with everything in it, and nothing
    else: a folder with other files is refused all the same. A bucket is asked first whether
    its conditional writes hold.
    """
    backend = open_backend(place)
    if instances.exists(backend):
        if not force:
            raise Conflict(place, "an empty place", "an LDB instance", "`-f` replaces it")
        _clear(backend)
    elif _holds_something(place, backend):
        raise BadInput(place, "is not empty", "give a new or empty folder or prefix")
    if (bucket := _bucket(backend)) is not None:
        from ldb.backends.probe import check_conditional_create

        check_conditional_create(bucket)
    return instances.create(backend, object_hash)


def remember(home: Path, url: str) -> bool:
    """Name this instance in the user's settings; False where they name one already."""
    path = settings.config_path(home)
    if settings.load(path).get("core.instance") is not None:
        return False
    settings.set_value(path, "core.instance", url)
    return True


def _holds_something(place: str, backend: Backend) -> bool:
    if "://" not in place:
        try:
            names = os.listdir(place)
            return bool(names) and not (names == ["tmp"] and _only_temporaries(place, backend))
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            raise BadInput(place, "is a file, not a folder") from None
        except OSError as error:
            raise StoreFailed(place, str(error.strerror)) from None
    if (bucket := _bucket(backend)) is not None:
        from ldb.backends.probe import is_empty

        return not is_empty(bucket)
    return next(iter(backend.list()), None) is not None


def _bucket(backend: Backend) -> BucketBackend | None:
    if not backend.far:
        return None
    from ldb.backends.bucket import BucketBackend  # not for who works on a folder

    return backend if isinstance(backend, BucketBackend) else None


def _only_temporaries(place: str, backend: Backend) -> bool:
    """Whether `tmp` in an otherwise empty folder is what an `init` that was killed left."""
    if not isinstance(backend, LocalBackend):
        return False
    return len(os.listdir(os.path.join(place, "tmp"))) == len(backend.stale_temporaries(inf))


def _clear(backend: Backend) -> None:
    """Delete an instance: what makes it one goes first, so that half of it is none."""
    backend.delete([instances.INSTANCE_KEY])
    for folder in ("refs/", "objects/", CODE):
        backend.delete([entry.key for entry in backend.list(folder)])


def quick_start(home: Path, author: str) -> Instance:
    """Make (or open) the user's private instance with a read-add folder, and use it from now."""
    folder = home / ".ldb" / PRIVATE
    storage = home / ".ldb" / READ_ADD
    backend = open_backend(str(folder))
    made = instances.open_instance(backend) if instances.exists(backend) else None
    instance = made or instances.create(backend)
    try:
        storage.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(storage, str(error.strerror)) from None
    # One's own instance asks of nobody where the data may be: all object stores are in.
    locations = [Location(uri_of(str(storage)), read_add=True), *map(Location, REMOTE)]
    instance.update_settings(lambda old: reduce(add_location, locations, old), author)
    config = settings.config_path(home)
    if made is None:
        remember_made(settings.trust_path(home), instance)
    known = settings.load(config)
    if known.get("core.instance") is None:
        settings.set_value(config, "core.instance", str(folder))
    if known.get("core.auto_index") is None:
        settings.set_value(config, "core.auto_index", "true")
    return instance
