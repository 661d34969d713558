"""Reading objects by obstore where it is installed: a fifth of the processor time.

Everything else stays with the other wire, which also answers where obstore has none: obstore hides
how long a store asks to wait, takes a 409 for "exists", and cannot name some keys (`a//b`). So what
a failed read means is told in one way, at the price of one more request.

obstore's threads do not survive a fork: a child whose parent has used it reads by the other wire.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ldb.clouds.base import Get, Stat
from ldb.clouds.options import Options
from ldb.clouds.wire import Ask, Failure, Got, Page, Try, Wire

if TYPE_CHECKING:
    from ldb.clouds.az import AzureWire
    from ldb.clouds.gs import GoogleWire
    from ldb.clouds.s3 import S3Wire

_PLAIN_KEY = re.compile(r"(?!.*(?:^|/)\.{0,2}(?:/|$))[\w./ =+@,()-]+", re.ASCII)
"""Keys that obstore passes on as they are: no empty part, none of dots, no sign it would escape."""
CONNECTIONS = 128
_used_in: set[int] = set()
"""Processes that have started obstore's threads, this one or those it was forked from."""


class FastWire:
    """A wire that reads by obstore, over one that does the rest."""

    def __init__(
        self, exact: Wire, make_store: Callable[[], Any], by_version: bool = False
    ) -> None:
        self._exact, self._make_store, self._by_version = exact, make_store, by_version
        """Whether the token is the version, as Google's is: read by it, and compare nothing."""
        self._store: Any = None
        self.part_size = exact.part_size

    @property
    def by_folder(self) -> bool:
        return self._exact.by_folder

    async def open(self) -> None:
        await self._exact.open()
        if _used_in <= {os.getpid()}:
            _used_in.add(os.getpid())
            self._store = self._make_store()

    async def get(self, wanted: Get) -> Got:
        if self._store is None or not _PLAIN_KEY.fullmatch(wanted.key):
            return await self._exact.get(wanted)
        try:
            return await self._get(wanted)
        except Exception:  # noqa: BLE001  (which has many kinds; the other wire tells what it is)
            return await self._exact.get(wanted)

    async def _get(self, wanted: Get) -> Got:
        options: dict[str, Any] = {}
        if wanted.stop is not None:
            options["range"] = (wanted.start, wanted.stop)
        elif wanted.start:
            options["range"] = {"offset": wanted.start}
        version = wanted.version or (wanted.token if self._by_version else None)
        if version:
            options["version"] = version
        elif wanted.token:
            options["if_match"] = f'"{wanted.token}"'
        answer = await self._store.get_async(wanted.key, options=options)
        data = bytes(await answer.bytes_async())
        start, stop = answer.range
        if len(data) != stop - start:
            raise ConnectionError(f"{len(data)} bytes came of {stop - start}")
        meta = answer.meta
        token = meta["version"] if self._by_version else (meta["e_tag"] or "").strip('"')
        return Got(data, token or "", meta["size"])

    async def head(self, key: str) -> Stat:
        return await self._exact.head(key)

    async def page(self, ask: Ask) -> Page:
        return await self._exact.page(ask)

    async def create(self, key: str, data: bytes) -> bool:
        return await self._exact.create(key, data)

    async def put(self, key: str, data: bytes | memoryview) -> Stat:
        return await self._exact.put(key, data)

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        return await self._exact.put_parts(key, parts, tried)

    async def delete(self, keys: Sequence[str]) -> None:
        await self._exact.delete(keys)

    async def close(self) -> None:
        self._store = None
        await self._exact.close()

    def explain(self, error: BaseException) -> Failure | None:
        return self._exact.explain(error)


def over_s3(bucket: str, exact: S3Wire, options: Options) -> Any:
    from obstore.store import S3Store

    secrets: dict[str, Any] = {"credential_provider": exact.credentials}
    if options.anon:
        secrets = {"skip_signature": True}
    return S3Store(
        bucket,
        endpoint=exact.endpoint,
        region=exact.region,
        virtual_hosted_style_request=False,
        request_payer=bool(options.requester_pays),
        **secrets,
        **_client(options, exact.endpoint),
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
            "timeout": timedelta(seconds=max(timeout, 60.0)),  # of a whole answer
            "pool_max_idle_per_host": str(CONNECTIONS),
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=timeout)},
    }
