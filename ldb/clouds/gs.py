"""Google Cloud Storage, with the credentials that gcsfs finds, by the JSON API.

gcsfs' own calls repeat a create whose answer got lost and then say that the object was there
already, ignore a generation to compare with, and hide how long the store asks to wait. So they are
not used: requests are made here, one for one. docs/design/010-clouds.md
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from ldb.clouds import web
from ldb.clouds.base import Get, Stat
from ldb.clouds.options import Options, check_tls, from_environment
from ldb.clouds.wire import Ask, Failure, Got, Kind, Page, Try, nanoseconds

MIB = 1 << 20
_FIELDS = "name,size,timeCreated,generation,md5Hash"


class GoogleWire:
    """A bucket by gcsfs' credentials."""

    part_size = 32 * MIB  # a multiple of 256 KiB, as the API wants
    deletes = 1
    by_folder = False

    def __init__(self, bucket: str, options: Options) -> None:
        self._bucket, self._options = bucket, options

    async def open(self) -> None:
        self._web = web.Web(self._options.timeout or 20.0)
        # Looking for credentials reads files and may ask a server of the machine's.
        self._fs = await asyncio.to_thread(self._file_system)
        check_tls(self._options, self.endpoint, f"gs://{self._bucket}")

    def _file_system(self) -> Any:
        from gcsfs.core import GCSFileSystem

        options = self._options
        emulated = from_environment("STORAGE_EMULATOR_HOST") and not options.endpoint_url
        anon = options.anon or (emulated and not options.token)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no project is set: buckets are not made here
            return GCSFileSystem(
                project=options.project or from_environment("GOOGLE_CLOUD_PROJECT") or "",
                token="anon" if anon else options.token,
                endpoint_url=options.endpoint_url,
                asynchronous=True,
                skip_instance_cache=True,
                use_listings_cache=False,
            )

    @property
    def endpoint(self) -> str:
        """URL of the server, wherever it was found."""
        return str(self._fs._location)

    def authorization(self) -> str:
        """The token that requests carry; empty: none, data that anybody may read."""
        headers: dict[str, str] = {}
        self._fs.credentials.apply(headers)
        return headers.get("Authorization", "").partition(" ")[2]

    async def close(self) -> None:
        await self._web.close()

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> web.Answer:
        sent, asked = dict(headers or {}), dict(query)
        self._fs.credentials.apply(sent)
        if self._options.requester_pays:
            asked["userProject"] = self._fs.project
        url = path if "://" in path else f"{self._fs._location}/{path}"
        mark = "&" if "?" in url else "?"
        url += mark + urlencode(asked, quote_via=quote, safe="") if asked else ""
        return await self._web.ask(method, url, headers=sent, data=data)

    def _path(self, key: str) -> str:
        return f"storage/v1/b/{self._bucket}/o/{quote(key, safe='')}"

    # -- reading -----------------------------------------------------------------------

    async def get(self, wanted: Get) -> Got:
        query = {"alt": "media"}
        if wanted.version:
            query["generation"] = wanted.version
        elif wanted.token:
            query["ifGenerationMatch"] = wanted.token
        # gzip is named so that the server does not unpack what is stored so
        headers = {"Accept-Encoding": "gzip", **web.range_header(wanted)}
        answer = await self._ask("GET", self._path(wanted.key), query, headers)
        token = answer.headers.get("x-goog-generation", wanted.token)
        return Got(answer.body, token, answer.size(wanted))

    async def head(self, key: str) -> Stat:
        return _stat(json.loads((await self._ask("GET", self._path(key), {})).body))

    async def page(self, ask: Ask) -> Page:
        query = {"maxResults": str(ask.limit)}
        query["fields"] = f"items({_FIELDS}),prefixes,nextPageToken"
        for name, value in (
            ("prefix", ask.prefix),
            ("delimiter", "/" if ask.folded else ""),
            ("startOffset", ask.after),
            ("pageToken", ask.following),
        ):
            if value:
                query[name] = value
        page = json.loads((await self._ask("GET", f"storage/v1/b/{self._bucket}/o", query)).body)
        return Page(
            [_stat(item) for item in page.get("items", ())],
            page.get("prefixes", ()),
            page.get("nextPageToken", ""),
        )

    # -- writing -----------------------------------------------------------------------

    async def create(self, key: str, data: bytes) -> bool:
        try:  # a POST, which aiohttp never repeats
            await self._upload(key, data, {"ifGenerationMatch": "0"})
        except web.Unwelcome as error:
            if error.answer.status != 412:
                raise
            return False
        return True

    async def put(self, key: str, data: bytes | memoryview) -> Stat:
        return await self._upload(key, data, {})

    async def _upload(
        self, key: str, data: bytes | memoryview, condition: Mapping[str, str]
    ) -> Stat:
        mark = uuid.uuid4().hex
        about = json.dumps({"name": key}).encode()
        body = b"\r\n".join(
            (
                f"--{mark}\r\nContent-Type: application/json; charset=UTF-8\r\n".encode(),
                about,
                f"--{mark}\r\nContent-Type: application/octet-stream\r\n".encode(),
                data,
                f"--{mark}--\r\n".encode(),
            )
        )
        headers = {"Content-Type": f'multipart/related; boundary="{mark}"'}
        path = f"upload/storage/v1/b/{self._bucket}/o"
        query = {"uploadType": "multipart", **condition}
        return _stat(json.loads((await self._ask("POST", path, query, headers, body)).body))

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        query = {"uploadType": "resumable", "name": key}
        path = f"upload/storage/v1/b/{self._bucket}/o"
        kind = {"X-Upload-Content-Type": "application/octet-stream"}
        started = await tried(lambda: self._ask("POST", path, query, kind, b""))
        session, at, whole = started.headers["location"], 0, sum(len(part) for part in parts)
        answer = started
        for part in parts:
            span = {"Content-Range": f"bytes {at}-{at + len(part) - 1}/{whole}"}
            body = bytes(part)
            answer = await tried(
                lambda span=span, body=body: self._ask("PUT", session, {}, span, body)  # type: ignore[misc]
            )
            at += len(part)
        return _stat(json.loads(answer.body))

    async def delete(self, keys: Sequence[str]) -> None:
        try:
            await self._ask("DELETE", self._path(keys[0]), {})
        except web.Unwelcome as error:
            if error.answer.status != 404:
                raise

    # -- errors ------------------------------------------------------------------------

    def explain(self, error: BaseException) -> Failure | None:
        if not isinstance(error, web.Unwelcome):
            return web.explain(error) or _of_google(error)
        why = _message(error.why)
        failure = web.explain(error, why)
        if failure is not None and failure.kind is Kind.NO_KEY and "bucket" in why.lower():
            return Failure(Kind.NO_BUCKET, failure.why)
        return failure


def _message(text: str) -> str:
    """What the store said, out of its JSON."""
    try:
        about = json.loads(text)["error"]
        return str(about.get("message", "") if isinstance(about, dict) else about)
    except (ValueError, KeyError, TypeError):
        return text


def _of_google(error: BaseException) -> Failure | None:
    from google.auth.exceptions import GoogleAuthError, TransportError

    if isinstance(error, TransportError):
        return Failure(Kind.BUSY, str(error))
    if isinstance(error, GoogleAuthError) or type(error).__module__.startswith("gcsfs"):
        return Failure(Kind.REFUSED, str(error), hint="log in with gcloud, or anon = true")
    return None


def _stat(item: Mapping[str, Any]) -> Stat:
    text = item.get("timeCreated", "")
    stored = datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    return Stat(
        item["name"],
        int(item.get("size", 0)),
        nanoseconds(stored) if stored else 0,
        item.get("generation", ""),
        base64.b64decode(item["md5Hash"]) if item.get("md5Hash") else None,
        item.get("generation"),
    )
