"""Azure Blob Storage: adlfs finds credentials, requests go to Azure's own client that it makes.

adlfs' calls would look into the listings they keep, and wait up to a minute and a half for a
server that is not there. docs/design/010-clouds.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ldb.clouds.base import Get, Stat
from ldb.clouds.once import Once
from ldb.clouds.options import Options, check_tls
from ldb.clouds.wire import (
    UNREACHED,
    Ask,
    Failure,
    Got,
    Kind,
    Page,
    Try,
    Unsure,
    from_status,
    nanoseconds,
)

MIB = 1 << 20
ONE_REQUEST = 64 * MIB
"""Bytes that the library sends in one request."""
_TAKEN = ("BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet")
_NO_BUCKET = ("ContainerNotFound", "ResourceNotFound", "ContainerBeingDeleted")


class AzureWire:
    """A container by adlfs."""

    part_size = 0  # Azure's client cuts large values into blocks by itself
    deletes = 1
    by_folder = False

    def __init__(self, bucket: str, options: Options) -> None:
        timeout = options.timeout or 20.0
        self._bucket, self._options = bucket, options
        self._once: dict[str, Any] = {
            "retry_total": 0,  # we try again, and know then what became of a create
            "connection_timeout": min(timeout, 10.0),
            "read_timeout": timeout,
        }

    async def open(self) -> None:
        self._fs = await asyncio.to_thread(self._file_system)
        client = self._fs.service_client
        check_tls(
            self._options, f"{client.scheme}://{client.primary_hostname}", f"az://{self._bucket}"
        )
        self._container = client.get_container_client(self._bucket)

    def _file_system(self) -> Any:
        from adlfs import AzureBlobFileSystem

        options = self._options
        return AzureBlobFileSystem(
            account_name=options.account_name,
            account_key=options.account_key,
            connection_string=options.connection_string,
            sas_token=options.sas_token,
            anon=options.anon,
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    @property
    def account(self) -> dict[str, str] | None:
        """Name, key or signature, and URL of the account; None where it is reached otherwise."""
        filesystem, client = self._fs, self._fs.service_client
        pairs = (part.partition("=") for part in (filesystem.connection_string or "").split(";"))
        given = {name.lower(): value for name, _, value in pairs}
        found = {
            "account_name": str(client.account_name or ""),
            "account_key": given.get("accountkey") or filesystem.account_key or "",
            "sas_key": given.get("sharedaccesssignature") or filesystem.sas_token or "",
            "endpoint": f"{client.scheme}://{client.primary_hostname}",
        }
        return found if found["account_key"] or found["sas_key"] else None

    async def close(self) -> None:
        await self._fs.service_client.close()

    # -- reading -----------------------------------------------------------------------

    async def get(self, wanted: Get) -> Got:
        asked: dict[str, Any] = {"offset": wanted.start}
        if wanted.stop is not None:
            asked["length"] = wanted.stop - wanted.start
        elif not wanted.start:
            asked = {}
        if wanted.version:
            asked["version_id"] = wanted.version
        elif wanted.token:
            asked |= _only(wanted.token)
        answer = await self._container.download_blob(
            wanted.key, max_concurrency=4, **asked, **self._once
        )
        data: bytes = await answer.readall()
        token = (answer.properties.etag or "").strip('"')
        if len(data) != answer.size:
            raise ConnectionError(f"{len(data)} bytes came of {answer.size}")
        size = str(answer.properties.content_range or "").rpartition("/")[2]
        return Got(data, token, int(size) if size.isdigit() else answer.properties.size)

    async def head(self, key: str) -> Stat:
        blob = self._container.get_blob_client(key)
        return _stat(await blob.get_blob_properties(**self._once))

    async def page(self, ask: Ask) -> Page:
        listing = self._container.walk_blobs if ask.folded else self._container.list_blobs
        more = {"start_from": ask.after} if ask.after and not ask.folded else {}
        pages = listing(
            name_starts_with=ask.prefix or None,
            results_per_page=ask.limit,
            **more,
            **self._once,
        ).by_page(ask.following or None)
        stats: list[Stat] = []
        folders: list[str] = []
        async for page in pages:
            async for item in page:
                if ask.folded and item.get("prefix") is not None and item.get("etag") is None:
                    folders.append(item["prefix"])
                else:
                    stats.append(_stat(item))
            break
        stats.sort(key=lambda stat: stat.key)
        return Page(stats, folders, pages.continuation_token or "")

    # -- writing -----------------------------------------------------------------------

    async def create(self, key: str, data: bytes) -> bool:
        from azure.core.exceptions import HttpResponseError

        once = Once(lambda: [self._fs.service_client._pipeline._transport.session])
        before, blob = once.turned(), self._container.get_blob_client(key)
        try:
            await blob.upload_blob(data, overwrite=False, **self._once)
        except HttpResponseError as error:
            if not error.status_code or _meaning(error).kind is not Kind.CONDITION:
                raise
            if not once.was_kept(before):
                raise Unsure from error
            return False
        return True

    async def put(self, key: str, data: bytes | memoryview) -> Stat:
        # What goes out in blocks has them sent again one by one, with pauses of 15 s and more;
        # overwriting twice with the same does no harm.
        retries = 3 if len(data) > ONE_REQUEST else 0
        more = {**self._once, "retry_total": retries, "max_concurrency": 4}
        blob = self._container.get_blob_client(key)
        answer = await blob.upload_blob(bytes(data), overwrite=True, **more)
        modified = answer.get("last_modified")
        token = str(answer.get("etag", "")).strip('"')
        return Stat(key, len(data), nanoseconds(modified) if modified else 0, token)

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        return await tried(lambda: self.put(key, b"".join(parts)))

    async def delete(self, keys: Sequence[str]) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        with suppress(ResourceNotFoundError):
            await self._container.delete_blob(keys[0], **self._once)

    # -- errors ------------------------------------------------------------------------

    def explain(self, error: BaseException) -> Failure | None:
        from azure.core.exceptions import AzureError, HttpResponseError

        if isinstance(error, HttpResponseError) and error.status_code:
            return _meaning(error)
        if isinstance(error, ValueError) and "connect" in str(error):
            return Failure(Kind.REFUSED, str(error), hint="set account_name or connection_string")
        if isinstance(error, (AzureError, OSError, asyncio.TimeoutError)):
            inner = type(getattr(error, "inner_exception", None)).__name__
            refused = "Connector" in inner or "DNS" in inner
            if refused:
                return Failure(Kind.BUSY, str(error), hint=UNREACHED)
            return Failure(Kind.PASSING, str(error))
        return None


def _only(token: str) -> dict[str, Any]:
    from azure.core import MatchConditions

    return {"etag": f'"{token}"', "match_condition": MatchConditions.IfNotModified}


def _meaning(error: Any) -> Failure:
    headers = dict(error.response.headers) if error.response is not None else {}
    code = getattr(error, "error_code", None)
    code = str(getattr(code, "value", code) or headers.get("x-ms-error-code", ""))
    why = str(getattr(error, "reason", "") or error.message).partition("\n")[0]
    failure = from_status(
        error.status_code, ": ".join(part for part in (code, why) if part), headers
    )
    if code in _TAKEN:
        return Failure(Kind.CONDITION, failure.why)
    if code in _NO_BUCKET:
        return Failure(Kind.NO_BUCKET, failure.why)
    return failure


def _stat(item: Any) -> Stat:
    md5 = item.content_settings.content_md5
    return Stat(
        item.name,
        int(item.size),
        nanoseconds(item.last_modified),
        (item.etag or "").strip('"'),
        bytes(md5) if md5 and len(md5) == 16 else None,
        getattr(item, "version_id", None),
    )
