"""From a URL and options to a client of its bucket.

`s3://bucket/key`, `gs://bucket/key`, `az://container/key`, `https://host/path`. Which library
serves it: obstore where it is installed (`ldb[fast]`), else s3fs, gcsfs, adlfs.
Credentials come from the environment of the process, as each library finds them, and from
options that the caller took out of the user's own settings; never from an instance.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ldb.clouds.base import Client
from ldb.clouds.options import Options, configured, inherit, options_for, read_options
from ldb.clouds.plain import PlainS3, plain_s3
from ldb.errors import BadInput, Unsupported
from ldb.processes import carry, forbid_fork

if TYPE_CHECKING:
    from ldb.clouds.wire import Wire

SCHEMES = ("s3", "gs", "az", "http", "https")
_EXTRAS = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "az": ("adlfs", "azure")}
_clients: dict[tuple[str, Options], Client] = {}
_process = os.getpid()


def split_url(url: str) -> tuple[str, str, str]:
    """Scheme, bucket and key of a URL; raises `BadInput` where it has no bucket."""
    scheme, mark, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if not mark or not bucket:
        raise BadInput(url, "names no bucket", "write scheme://bucket/prefix")
    return scheme.lower(), bucket, key


def open_client(url: str, options: Mapping[str, Any] | None = None) -> Client:
    """The client of the bucket that `url` is in; nothing is asked of the store yet.

    `options`: names of `options.py`; without any, those that are configured for `url`. One client
    serves all that ask for the same bucket with the same options. Raises `BadInput` on an option
    that is unknown, `Unsupported` for another scheme, or where the library is not installed
    (saying which extra brings it).
    """
    scheme, bucket, _ = split_url(url)
    if scheme not in SCHEMES:
        raise Unsupported(f"{scheme}://", f"known are {', '.join(SCHEMES)}")
    chosen = read_options(options_for(url) if options is None else options, scheme, url)
    where = f"{scheme}://{bucket}"
    if (where, chosen) not in _clients:
        forbid_fork()  # the libraries have threads, which a forked child would lack
        carry(configured, inherit)
        client = _make_client(scheme, bucket, where, chosen)
        return _clients.setdefault((where, chosen), client)
    return _clients[where, chosen]


def _make_client(scheme: str, bucket: str, where: str, options: Options) -> Client:
    make_wire = _wire_maker(scheme, bucket, options)
    plain = _plain(options) if scheme == "s3" and _is_fast(options) else None
    if plain is None:
        return _whole_client(where, make_wire, options)

    def make(fast: bool) -> Client:
        return _whole_client(where, partial(_s3, bucket, options, fast), options)

    from ldb.clouds.obstores import plain_store
    from ldb.clouds.quick import QuickClient

    return QuickClient(where, partial(plain_store, bucket, plain, options), make)


def _whole_client(where: str, make_wire: Callable[[], Wire], options: Options) -> Client:
    # asyncio, which commands over a local instance do without
    from ldb.clouds.client import CloudClient
    from ldb.clouds.patience import Patience

    patience = Patience(
        1 + (7 if options.retries is None else options.retries),
        60.0 if options.patience is None else options.patience,
    )
    return CloudClient(where, make_wire, patience)


def _is_fast(options: Options) -> bool:
    """Whether obstore is to be used."""
    return options.library == "obstore" or (
        options.library is None and find_spec("obstore") is not None
    )


def _wire_maker(scheme: str, bucket: str, options: Options) -> Callable[[], Wire]:
    """What makes a wire for this bucket; loads no library yet."""
    if scheme not in _EXTRAS:
        return partial(_http, f"{scheme}://{bucket}", options)
    library, extra = _EXTRAS[scheme]
    if find_spec(library) is None:
        raise Unsupported(f"{scheme}:// without {library}", f"pip install 'ldb[{extra}]'")
    if options.library == "obstore" and find_spec("obstore") is None:
        raise Unsupported("library = obstore without obstore", "pip install 'ldb[fast]'")
    return partial(_WIRES[scheme], bucket, options, _is_fast(options))


def _s3(bucket: str, options: Options, fast: bool) -> Wire:
    from ldb.clouds.s3 import S3Wire

    exact = S3Wire(bucket, options)
    if not fast:
        return exact
    from ldb.clouds.fast import FastS3
    from ldb.clouds.obstores import over_s3, plain_store

    plain = _plain(options)
    if plain is None:
        return FastS3(exact, partial(over_s3, bucket, exact, options), False, None)
    address = f"{plain.endpoint.rstrip('/')}/{bucket}" if plain.endpoint else None
    return FastS3(exact, partial(plain_store, bucket, plain, options), True, address)


def _plain(options: Options) -> PlainS3 | None:
    """How obstore reaches the bucket by itself, and lists it; it does not list versions."""
    return None if options.versions else plain_s3(options)


def _google(bucket: str, options: Options, fast: bool) -> Wire:
    from ldb.clouds.gs import GoogleWire

    exact = GoogleWire(bucket, options)
    if not fast:
        return exact
    from ldb.clouds.fast import FastWire
    from ldb.clouds.obstores import over_google

    return FastWire(exact, partial(over_google, bucket, exact, options), by_version=True)


def _azure(bucket: str, options: Options, fast: bool) -> Wire:
    from ldb.clouds.az import AzureWire

    exact = AzureWire(bucket, options)
    if not fast:
        return exact
    from ldb.clouds.fast import FastWire
    from ldb.clouds.obstores import over_azure

    return FastWire(exact, partial(over_azure, bucket, exact, options))


def _http(url: str, options: Options) -> Wire:
    from ldb.clouds.http import HttpWire

    return HttpWire(url, options)


_WIRES = {"s3": _s3, "gs": _google, "az": _azure}


@atexit.register
def _close_all() -> None:
    """A connection that is open when Python ends makes the libraries complain to the user."""
    if os.getpid() == _process:
        for client in _clients.values():
            client.close()
