"""`ldb add-storage` and `ldb storage`: the places where data objects live."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ldb.errors import BadInput, Conflict, NotFound
from ldb.instance import Location, Settings, add_location
from ldb.porcelain.place import Place
from ldb.storage.listing import name_objection
from ldb.storage.location import local_path, shown, to_uri


@dataclass(frozen=True, slots=True)
class Added:
    """A location that was registered; `warnings` say what is odd about it."""

    location: Location
    warnings: tuple[str, ...] = ()


def add_storage(
    place: Place, path: str, read_add: bool | None = None, force: bool = False
) -> Added:
    """Register a folder, after listing it and reading from it now.

    `read_add` None leaves a known location as it is. Refused where it lies in, or around,
    another location (unless `force`), and where there is another read-add location already.
    For object stores: `add_cloud`.
    """
    url = to_uri(path, place.cwd)
    folder = local_path(url)
    objection = name_objection(os.fsencode(folder))
    if objection:
        raise BadInput(ascii(path), objection)
    _try_out(folder, bool(read_add))

    def change(settings: Settings) -> Settings:
        location = Location(url, _is_read_add(settings, url) if read_add is None else read_add)
        check_location(settings, location, force)
        return add_location(settings, location)

    settings = place.instance.update_settings(change, place.author)
    return Added(Location(url, _is_read_add(settings, url)), tuple(_too_wide(url)))


def _is_read_add(settings: Settings, url: str) -> bool:
    return any(each.read_add for each in settings.locations if each.url == url)


def _try_out(path: str, writable: bool) -> None:
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file():
                    with open(entry.path, "rb") as file:
                        file.read(1)
                    break
    except FileNotFoundError:
        raise NotFound("folder", path) from None
    except NotADirectoryError:
        raise BadInput(path, "is a file, not a folder") from None
    except OSError as error:
        raise BadInput(path, f"cannot be read: {error.strerror}") from None
    if writable and not os.access(path, os.W_OK):
        raise BadInput(path, "cannot be written to, so it cannot be read-add")


def _too_wide(url: str) -> list[str]:
    path = local_path(url)
    above = os.path.dirname(path)
    if path == above or path == "/root" or above in ("/home", "/Users"):
        return [f"{path} is wider than needed: register the folder that holds the data"]
    return []


def check_location(settings: Settings, location: Location, force: bool) -> None:
    """Raise `Conflict` where it overlaps another one, or would be a second read-add one."""
    for other in settings.locations:
        if other.url == location.url:
            continue
        if location.read_add and other.read_add:
            raise Conflict(
                "read-add location", "one at most", shown(other.url),
                f"unset that one first: ldb add-storage -a false {shown(other.url)}",
            )  # fmt: skip
        wide = other.is_scheme or location.is_scheme
        if (other.holds(location.url) or location.holds(other.url)) and not (force or wide):
            raise Conflict(
                shown(location.url), "no overlap", f"it overlaps {shown(other.url)}",
                "`-f` allows it",
            )  # fmt: skip


def del_storage(place: Place, path: str) -> Location:
    """Forget a location; what was indexed there stays indexed. Raises `NotFound`."""
    url = to_uri(path, place.cwd)
    found = [each for each in place.instance.settings().locations if each.url == url]
    if not found:
        raise NotFound("storage location", url, "`ldb storage list` shows them")

    def change(settings: Settings) -> Settings:
        left = tuple(each for each in settings.locations if each.url != url)
        return replace(settings, locations=left)

    place.instance.update_settings(change, place.author)
    return found[0]
