"""How object stores with users' data are reached: options of the user and of the instance.

What an instance says of a location counts where the user's own settings say nothing; and an
address from an instance counts only where the user's settings name the same one, since
credentials would be sent there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ldb.clouds.options import SECRET, configure, options_for
from ldb.errors import Untrusted
from ldb.instance import Location, Settings
from ldb.porcelain.place import Place

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
        f"if it is right: ldb config set storage.{location.url}.{name} {value}",
    )


def location_of(settings: Settings, uri: str) -> Location | None:
    """The registered location that holds a URI; of several the innermost."""
    holding = [each for each in settings.locations if each.holds(uri)]
    return max(holding, key=lambda each: len(each.url), default=None)


def secret_and_plain(options: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The secret ones of some options, and the others."""
    secret = {name: value for name, value in options.items() if name in SECRET}
    return secret, {name: value for name, value in options.items() if name not in SECRET}
