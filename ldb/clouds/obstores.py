"""obstore, as we use it: the stores it is given, what it is asked, what it answers.

obstore's threads do not survive a fork: a child whose parent has used it reads by the other wire.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ldb.clouds.base import Get, Stat
from ldb.clouds.options import Options
from ldb.clouds.plain import PlainS3
from ldb.clouds.wire import Got, md5_of, nanoseconds

if TYPE_CHECKING:
    from ldb.clouds.az import AzureWire
    from ldb.clouds.gs import GoogleWire
    from ldb.clouds.s3 import S3Wire

_PLAIN_KEY = re.compile(r"(?!.*(?:^|/)\.{0,2}(?:/|$))[\w./ =+@,()-]+", re.ASCII)
"""Keys that obstore passes on as they are: no empty part, none of dots, no sign it would escape."""
CONNECTIONS = 128
_used_in: set[int] = set()
"""Processes that have started obstore's threads, this one or those it was forked from."""


def may_use() -> bool:
    """Whether obstore works in this process; whoever asks goes on to use it."""
    if not _used_in <= {os.getpid()}:
        return False
    _used_in.add(os.getpid())
    return True


def is_plain_key(key: str) -> bool:
    return _PLAIN_KEY.fullmatch(key) is not None


def is_plain_prefix(prefix: str) -> bool:
    """Whether obstore lists it as it is: it knows whole folders only."""
    return not prefix or (prefix[-1] == "/" and is_plain_key(prefix[:-1]))


def asked(wanted: Get, by_version: bool = False) -> dict[str, Any]:
    """Options of a `get`."""
    options: dict[str, Any] = {}
    if wanted.stop is not None:
        options["range"] = (wanted.start, wanted.stop)
    elif wanted.start:
        options["range"] = {"offset": wanted.start}
    version = wanted.version or (wanted.token if by_version else None)
    if version:
        options["version"] = version
    elif wanted.token:
        options["if_match"] = f'"{wanted.token}"'
    return options


def answered(answer: Any, data: bytes, by_version: bool = False) -> Got:
    """What a `get` has brought."""
    start, stop = answer.range
    if len(data) != stop - start:
        raise ConnectionError(f"{len(data)} bytes came of {stop - start}")
    meta = answer.meta
    token = meta["version"] if by_version else (meta["e_tag"] or "").strip('"')
    return Got(data, token or "", meta["size"])


def put_there(key: str, size: int, answer: Mapping[str, Any]) -> Stat:
    """What a `put` has made."""
    return Stat(key, size, 0, (answer["e_tag"] or "").strip('"'), version=answer["version"])


def says_taken(error: Exception) -> bool:
    """Whether a create was refused because something is there; obstore says so of a 409 too."""
    from obstore.exceptions import AlreadyExistsError

    return isinstance(error, AlreadyExistsError) and " 412 " in str(error)


def says_nothing_done(error: Exception) -> bool:
    """Whether a write is known not to have been done; what says so in another release's words
    is not known, which costs a look."""
    from obstore import exceptions

    refused = (
        exceptions.AlreadyExistsError,
        exceptions.PermissionDeniedError,
        exceptions.UnauthenticatedError,
        FileNotFoundError,
    )
    text = str(error)
    return isinstance(error, refused) or " 429 " in text or "kind: Connect," in text


def stats_of(listed: Sequence[Mapping[str, Any]]) -> list[Stat] | None:
    """A part of an S3 listing; None where it may be wrong.

    obstore drops the slash of `folder/`, by which some tools mark an empty folder with an empty
    object: one that is empty cannot be told from that.
    """
    found = []
    for each in listed:
        if not each["size"]:
            return None
        token = (each["e_tag"] or "").strip('"')
        moment = nanoseconds(each["last_modified"])
        found.append(Stat(each["path"], each["size"], moment, token, md5_of(token)))
    return found


def plain_store(bucket: str, plain: PlainS3, options: Options) -> Any:
    """S3 with what is known of it."""
    secrets: dict[str, Any] = {"skip_signature": True}
    if plain.key:
        secrets = {"access_key_id": plain.key, "secret_access_key": plain.secret}
        secrets |= {"session_token": plain.token} if plain.token else {}
    secrets |= {"endpoint": plain.endpoint} if plain.endpoint else {}
    return _s3_store(bucket, plain.region, plain.endpoint or "", options, secrets)


def over_s3(bucket: str, exact: S3Wire, options: Options) -> Any:
    secrets: dict[str, Any] = {"credential_provider": exact.credentials}
    if options.anon:
        secrets = {"skip_signature": True}
    secrets["endpoint"] = exact.endpoint
    return _s3_store(bucket, exact.region, exact.endpoint, options, secrets)


def _s3_store(
    bucket: str, region: str, endpoint: str, options: Options, more: dict[str, Any]
) -> Any:
    from obstore.store import S3Store

    return S3Store(
        bucket,
        region=region,
        virtual_hosted_style_request=False,
        request_payer=bool(options.requester_pays),
        **more,
        **_client(options, endpoint),
    )


def over_google(bucket: str, exact: GoogleWire, options: Options) -> Any:
    from obstore.store import GCSStore

    # obstore takes another server's address out of an account's file only
    account = {"gcs_base_url": exact.endpoint, "disable_oauth": True, "client_email": ""}
    account |= {"private_key": "", "private_key_id": ""}

    def token() -> dict[str, Any]:
        until = datetime.now(timezone.utc) + timedelta(minutes=5)
        return {"token": exact.authorization(), "expires_at": until}

    secrets: dict[str, Any] = {"credential_provider": token} if exact.authorization() else {}
    return GCSStore(
        bucket,
        service_account_key=json.dumps(account),
        **secrets,
        **_client(options, exact.endpoint),
    )


def over_azure(bucket: str, exact: AzureWire, options: Options) -> Any:
    from obstore.store import AzureStore

    account = exact.account
    if account is None:
        return None
    settings: dict[str, Any] = {name: value for name, value in account.items() if value}
    return AzureStore(bucket, **settings, **_client(options, account["endpoint"]))


def _client(options: Options, endpoint: str) -> dict[str, Any]:
    """One try a request, for we try again; whoever names a server without TLS has allowed it."""
    timeout = options.timeout or 20.0
    return {
        "client_options": {
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=min(timeout, 10.0)),
            "read_timeout": timedelta(seconds=timeout),  # without a byte
            "timeout": timedelta(seconds=max(timeout, 600.0)),  # of a whole answer
            "pool_max_idle_per_host": str(CONNECTIONS),
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=timeout)},
    }
