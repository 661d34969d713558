"""What can be told about how a bucket is reached: one table for all stores and libraries.

Names are those that users of s3fs, gcsfs and adlfs know. Where an option is not given, the
process's environment counts, as each library reads it. Secret ones never enter an instance.
`configure` holds a process's table of URL prefixes; the command line fills it from the user's
own settings, sections `storage.<url>`. docs/design/010-clouds.md
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ldb.errors import BadInput

S3, GS, AZ, HTTP = ("s3",), ("gs",), ("az",), ("http", "https")
EVERY = (*S3, *GS, *AZ, *HTTP)
MOST = 86_400
"""A day, for options that are seconds; tries are fewer."""
_OTHER_NAMES = {"aws": "s3", "azure": "az"}
"""As users may write URLs in their settings; everywhere else they are rewritten before."""


def _option(schemes: tuple[str, ...], secret: bool = False) -> Any:
    about = {"schemes": schemes, "secret": secret}
    return field(default=None, repr=not secret, metadata=about)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one client; None where nothing is said."""

    library: str | None = _option(EVERY)
    """`fsspec` or `obstore`; default: obstore if installed."""
    endpoint_url: str | None = _option(S3 + GS)
    """Server of a store that is not its maker's own."""
    allow_http: bool | None = _option(EVERY)
    """False: a server without TLS is refused. Else its address says whether it has TLS."""
    anon: bool | None = _option(S3 + GS + AZ)
    """Read public data without credentials."""
    requester_pays: bool | None = _option(S3 + GS)
    """Accept that requests are billed to you."""
    versions: bool | None = _option(S3)
    """List with version ids, by which an overwritten object can be read while it is kept."""
    timeout: float | None = _option(EVERY)
    """Seconds without an answer before trying again (20)."""
    retries: int | None = _option(EVERY)
    """Tries after the first one (7)."""
    patience: float | None = _option(EVERY)
    """Seconds for all tries of a request (60)."""
    region: str | None = _option(S3)
    """Region of the bucket."""
    profile: str | None = _option(S3)
    """Profile of the AWS configuration."""
    key: str | None = _option(S3, secret=True)
    """Access key id."""
    secret: str | None = _option(S3, secret=True)
    """Secret access key."""
    token: str | None = _option(S3 + GS, secret=True)
    """Session token; for gs a credentials file."""
    project: str | None = _option(GS)
    """Google Cloud project."""
    account_name: str | None = _option(AZ)
    """Storage account."""
    account_key: str | None = _option(AZ, secret=True)
    """Key of the account."""
    sas_token: str | None = _option(AZ, secret=True)
    """Shared access signature."""
    connection_string: str | None = _option(AZ, secret=True)
    """All about an account in one."""


_FIELDS = {each.name: each for each in dataclasses.fields(Options)}
NAMES = tuple(_FIELDS)
SECRET = frozenset(name for name, each in _FIELDS.items() if each.metadata["secret"])
"""Options that are never stored in an instance."""
_TRUE = ("1", "on", "true", "yes")
_FALSE = ("0", "off", "false", "no")
_configured: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
_inherited = False


def read_options(given: Mapping[str, Any], scheme: str, where: str = "") -> Options:
    """Options out of names and values, which may be text as settings files hold it.

    Raises `BadInput` on a name that is unknown or of another store, and on a value that is none.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        place = f"{name} of {where or scheme + '://'}"
        if name not in _FIELDS or scheme not in _FIELDS[name].metadata["schemes"]:
            known = [n for n, each in _FIELDS.items() if scheme in each.metadata["schemes"]]
            raise BadInput(place, "no such option", f"known are {', '.join(known)}")
        values[name] = _value(place, str(_FIELDS[name].type), value)
    if values.get("library") not in (None, "fsspec", "obstore"):
        raise BadInput(f"library of {where}", "is neither fsspec nor obstore")
    if values.get("endpoint_url"):
        _check_address(f"endpoint_url of {where or scheme + '://'}", values["endpoint_url"])
    return Options(**values)


def takes_text(name: str) -> bool:
    """Whether an option's value is text: no number, true or false."""
    return name in _FIELDS and str(_FIELDS[name].type).startswith("str")


def check_tls(options: Options, address: str, where: str) -> None:
    """Raises `BadInput` where `allow_http` forbids the server at this address."""
    if options.allow_http is False and address.startswith("http://"):
        raise BadInput(f"allow_http of {where}", f"is false, and the server is {_shown(address)}")


def configure(table: Mapping[str, Mapping[str, Any]]) -> None:
    """From now on, these options count for URLs that begin so, unless a call has its own."""
    global _configured
    found: dict[str, dict[str, Any]] = {}
    for url, options in table.items():
        found.setdefault(_key(url), {}).update(options)
    _configured = MappingProxyType(found)


def configured() -> Mapping[str, Mapping[str, Any]]:
    """What `configure` was given, secrets too: for child processes on this machine."""
    return {url: dict(options) for url, options in _configured.items()}


def inherit(table: Mapping[str, Mapping[str, Any]]) -> None:
    """In such a child: take all that the parent had `configured`."""
    global _inherited
    configure(table)
    _inherited = True


def adopt(table: Mapping[str, Mapping[str, Any]]) -> None:
    """In a process that was sent what is `shareable`: take it, unless all of it was inherited."""
    if not _inherited:
        configure(table)


def shareable() -> Mapping[str, Mapping[str, Any]]:
    """What is configured, without anything secret: other machines have credentials of their own."""
    return {
        url: {name: value for name, value in options.items() if name not in SECRET}
        for url, options in _configured.items()
    }


def options_for(url: str) -> Mapping[str, Any]:
    """The configured options for `url`; of prefixes that fit, the longest one's value counts."""
    found: dict[str, Any] = {}
    for prefix in sorted(_configured, key=len):
        if url == prefix or url.startswith(prefix if prefix.endswith("/") else f"{prefix}/"):
            found.update(_configured[prefix])
    return found


def from_environment(name: str) -> str | None:
    """A variable that one library reads and the other does not, so that both know the same."""
    return os.environ.get(name) or None  # noqa: TID251  (where credentials come from)


def _key(url: str) -> str:
    scheme, colon, rest = url.partition("://")
    url = _OTHER_NAMES.get(scheme.lower(), scheme.lower()) + colon + rest
    return url if url.endswith("://") else url.rstrip("/")


def _value(place: str, kind: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    text = str(value).strip()
    if kind.startswith(("float", "int")):
        return _number(place, kind, text)
    if not kind.startswith("bool"):
        return text
    if text.lower() not in _TRUE + _FALSE:
        raise BadInput(place, f"{text!r} is neither true nor false")
    return text.lower() in _TRUE


def _number(place: str, kind: str, text: str) -> float | int:
    """A time in seconds, or how many tries."""
    try:
        number = int(text) if kind.startswith("int") else float(text)
    except ValueError:
        raise BadInput(place, f"{text!r} is not a number") from None
    if not 0 <= number <= MOST:
        raise BadInput(place, f"{text} is not between 0 and {MOST}")
    return number


def _check_address(place: str, address: str) -> None:
    """It goes into the instance, so it may hold no secret; libraries fail oddly at half an URL."""
    scheme, mark, rest = address.partition("://")
    if not mark or scheme.lower() not in HTTP or not rest.strip("/"):
        raise BadInput(
            place, f"{_shown(address)} is no address", "write https://HOST or http://HOST:PORT"
        )
    if "@" in rest or "?" in rest:
        raise BadInput(
            place,
            "holds a name, a password or a query, which all who use the instance could read",
            "secrets have options of their own",
        )


def _shown(address: str) -> str:
    from ldb.redact import redact  # its patterns take a while, and most runs have no such error

    return redact(address)
