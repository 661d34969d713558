"""S3 and what speaks like it, by s3fs.

s3fs finds credentials and makes the client (of botocore, on asyncio); requests go to that client
as they are. s3fs' own calls would look into the listings they keep, ask twice, drop the condition
of a large write, and try again behind our back, which makes of a create with a lost answer a
wrong "is there already". docs/design/010-clouds.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ldb.clouds.base import Get, Stat
from ldb.clouds.once import Once
from ldb.clouds.options import Options, check_tls
from ldb.clouds.s3_listing import quicken
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
    md5_of,
    nanoseconds,
)

MIB = 1 << 20
PARTS_AT_ONCE = 4
CONNECTIONS = 128
_MARKS_APART = "\0"
"""Between the two that a listing of versions goes on from; in no key."""
_NO_BUCKET = ("NoSuchBucket",)
_NO_KEY = ("NoSuchKey", "NoSuchVersion")
_NO_DELETE_OF_MANY = (400, 405, 411, 501)
"""Told by stores that lack it, or want a checksum of an older kind with it."""
_BUSY = ("ConditionalRequestConflict", "OperationAborted", "TooManyRequests")
_PASSING = ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling")
_NOTHING_SENT = ("ConnectTimeoutError", "ProxyConnectionError")
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")


class S3Wire:
    """A bucket by s3fs."""

    part_size = 16 * MIB
    deletes = 1000
    by_folder = False

    def __init__(self, bucket: str, options: Options) -> None:
        self._bucket, self._options = bucket, options
        self._paid = {"RequestPayer": "requester"} if options.requester_pays else {}
        self._deletes_many = True

    async def open(self) -> None:
        from aiobotocore.session import AioSession
        from s3fs import S3FileSystem

        options, timeout = self._options, self._options.timeout or 20.0
        client = {"region_name": options.region} if options.region else {}
        self._session = AioSession(profile=options.profile)
        quicken(self._session)
        self._fs = S3FileSystem(
            anon=bool(options.anon),
            key=options.key,
            secret=options.secret,
            token=options.token,
            endpoint_url=options.endpoint_url,
            client_kwargs=client,
            config_kwargs={
                "connect_timeout": min(timeout, 10.0),
                "read_timeout": timeout,
                "max_pool_connections": CONNECTIONS,
                # We try again, and know then what became of a create.
                "retries": {"total_max_attempts": 1, "mode": "standard"},
                "parameter_validation": False,
                **_plain_bodies(),
            },
            session=self._session,
            asynchronous=True,
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        self._s3 = await self._fs.set_session()
        check_tls(options, self.endpoint, f"s3://{self._bucket}")

    async def close(self) -> None:
        await self._s3.close()

    @property
    def endpoint(self) -> str:
        """URL of the server, wherever it was found."""
        return str(self._s3.meta.endpoint_url)

    @property
    def region(self) -> str:
        return str(self._s3.meta.region_name)

    async def credentials(self) -> dict[str, Any]:
        """What requests are signed with, for the next minutes."""
        options = self._options
        if options.key and options.secret:
            keys = (options.key, options.secret, options.token)
        else:
            found = await self._session.get_credentials()
            frozen = await found.get_frozen_credentials()
            keys = (frozen.access_key, frozen.secret_key, frozen.token)
        return {
            "access_key_id": keys[0],
            "secret_access_key": keys[1],
            "token": keys[2],
            "expires_at": datetime.now(timezone.utc) + timedelta(minutes=5),
        }

    # -- reading -----------------------------------------------------------------------

    async def get(self, wanted: Get) -> Got:
        asked: dict[str, Any] = {"Bucket": self._bucket, "Key": wanted.key, **self._paid}
        if wanted.start or wanted.stop is not None:
            last = "" if wanted.stop is None else wanted.stop - 1
            asked["Range"] = f"bytes={wanted.start}-{last}"
        if wanted.version:
            asked["VersionId"] = wanted.version
        elif wanted.token:
            asked["IfMatch"] = f'"{wanted.token}"'
        answer = await self._s3.get_object(**asked)
        async with answer["Body"] as body:
            data: bytes = await body.read()
        if len(data) != answer["ContentLength"]:
            raise ConnectionError(f"{len(data)} bytes came of {answer['ContentLength']}")
        size = str(answer.get("ContentRange", "")).rpartition("/")[2]
        return Got(
            data,
            answer.get("ETag", "").strip('"'),
            int(size) if size.isdigit() else wanted.start + len(data),
        )

    async def head(self, key: str) -> Stat:
        answer = await self._s3.head_object(Bucket=self._bucket, Key=key, **self._paid)
        plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
        plain = plain and "SSECustomerAlgorithm" not in answer
        return _stat(key, answer, answer["ContentLength"], vouched=plain)

    async def page(self, ask: Ask) -> Page:
        asked: dict[str, Any] = {
            "Bucket": self._bucket,
            "Prefix": ask.prefix,
            "MaxKeys": ask.limit,
            **self._paid,
        }
        if ask.folded:
            asked["Delimiter"] = "/"
        return await (self._versions if self._options.versions else self._objects)(ask, asked)

    async def _objects(self, ask: Ask, asked: dict[str, Any]) -> Page:
        if ask.following:
            asked["ContinuationToken"] = ask.following
        elif ask.after:
            asked["StartAfter"] = ask.after
        answer = await self._s3.list_objects_v2(**asked)
        following = answer.get("NextContinuationToken", "") if answer.get("IsTruncated") else ""
        return self._page(answer, answer.get("Contents", ()), following)

    async def _versions(self, ask: Ask, asked: dict[str, Any]) -> Page:
        """The newest of each key; a page of nothing but older ones is empty, and goes on."""
        key, _, version = ask.following.partition(_MARKS_APART)
        if version:
            asked["VersionIdMarker"] = version
        if key or ask.after:
            asked["KeyMarker"] = key or ask.after
        answer = await self._s3.list_object_versions(**asked)
        following = ""
        if answer.get("IsTruncated"):
            marks = answer["NextKeyMarker"], answer.get("NextVersionIdMarker", "")
            following = _MARKS_APART.join(marks)
        newest = [each for each in answer.get("Versions", ()) if each["IsLatest"]]
        return self._page(answer, newest, following)

    def _page(
        self, answer: Mapping[str, Any], found: Iterable[Mapping[str, Any]], following: str
    ) -> Page:
        server = answer["ResponseMetadata"]["HTTPHeaders"].get("server", "")
        self.by_folder = server.startswith("SeaweedFS")
        return Page(
            [_stat(each["Key"], each, each["Size"]) for each in found],
            [each["Prefix"] for each in answer.get("CommonPrefixes", ())],
            following,
        )

    # -- writing -----------------------------------------------------------------------

    async def create(self, key: str, data: bytes) -> bool:
        from botocore.exceptions import ClientError

        once = Once(lambda: self._s3._endpoint.http_session._sessions.values())
        before = once.turned()
        try:
            await self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=data, IfNoneMatch="*", **self._paid
            )
        except ClientError as error:
            if _meaning(error.response).kind is not Kind.CONDITION:
                raise
            if not once.was_kept(before):
                raise Unsure from error
            return False
        return True

    async def put(self, key: str, data: bytes | memoryview) -> Stat:
        answer = await self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=bytes(data), **self._paid
        )
        return _stat(key, answer, len(data), vouched=False)

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        where = {"Bucket": self._bucket, "Key": key, **self._paid}
        started = await tried(lambda: self._s3.create_multipart_upload(**where))
        where["UploadId"] = started["UploadId"]
        permits = asyncio.Semaphore(PARTS_AT_ONCE)

        async def send(number: int) -> dict[str, Any]:
            async with permits:
                body = bytes(parts[number - 1])
                sent = await tried(
                    lambda: self._s3.upload_part(PartNumber=number, Body=body, **where)
                )
            return {"PartNumber": number, "ETag": sent["ETag"]}

        tasks = [asyncio.ensure_future(send(number)) for number in range(1, len(parts) + 1)]
        try:
            done = await asyncio.gather(*tasks)
            answer = await tried(
                lambda: self._s3.complete_multipart_upload(MultipartUpload={"Parts": done}, **where)
            )
        except BaseException:
            for task in tasks:
                task.cancel()
            # Parts of an upload that nobody completes are stored, and billed, unseen.
            await asyncio.gather(self._s3.abort_multipart_upload(**where), return_exceptions=True)
            raise
        return _stat(key, answer, sum(len(part) for part in parts), vouched=False)

    async def delete(self, keys: Sequence[str]) -> None:
        from botocore.exceptions import ClientError

        if len(keys) > 1 and self._deletes_many:
            try:
                return await self._delete_many(keys)
            except ClientError as error:
                about = error.response.get("ResponseMetadata", {})
                if about.get("HTTPStatusCode") not in _NO_DELETE_OF_MANY:
                    raise
                self._deletes_many = False
        for key in keys:
            await self._s3.delete_object(Bucket=self._bucket, Key=key, **self._paid)
        return None

    async def _delete_many(self, keys: Sequence[str]) -> None:
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = await self._s3.delete_objects(Bucket=self._bucket, Delete=wanted, **self._paid)
        for error in answer.get("Errors", ()):
            if error.get("Code") not in _NO_KEY:
                raise _Undeleted(error)

    # -- errors ------------------------------------------------------------------------

    def explain(self, error: BaseException) -> Failure | None:
        from aiohttp import ClientConnectorError
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            return _meaning(error.response)
        if isinstance(error, _Undeleted):
            return _meaning({"Error": error.about, "ResponseMetadata": {"HTTPStatusCode": 403}})
        name, text = type(error).__name__, str(error)
        if name in _NO_CREDENTIALS:
            return Failure(Kind.REFUSED, text, hint="set credentials, or anon = true")
        # botocore says "could not connect" of a connection as well that broke after sending
        inner = getattr(error, "kwargs", {}).get("error")
        if name in _NOTHING_SENT or isinstance(inner, ClientConnectorError):
            return Failure(Kind.BUSY, text, hint=UNREACHED)
        if isinstance(error, ValueError) and "endpoint" in text:
            return Failure(Kind.REFUSED, text, hint="AWS_ENDPOINT_URL is like https://HOST")
        if isinstance(error, (BotoCoreError, OSError, asyncio.TimeoutError)) or _of_aiohttp(error):
            return Failure(Kind.PASSING, text or name)
        return None


def _plain_bodies() -> dict[str, str]:
    """Bodies without checksums behind them, which stores other than Amazon's often refuse."""
    from botocore.config import Config

    names = ("request_checksum_calculation", "response_checksum_validation")
    return {name: "when_required" for name in names if name in Config.OPTION_DEFAULTS}


class _Undeleted(Exception):
    """One key of a delete of many that the store would not remove."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__(about.get("Message", ""))
        self.about = about


def _meaning(answer: Mapping[str, Any]) -> Failure:
    about, more = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code, status = str(about.get("Code", "")), int(more.get("HTTPStatusCode", 0))
    why = ": ".join(part for part in (code, str(about.get("Message", ""))) if part)
    failure = from_status(status, why, more.get("HTTPHeaders", {}))
    kinds = ((_NO_BUCKET, Kind.NO_BUCKET), (_NO_KEY, Kind.NO_KEY), (_BUSY, Kind.BUSY))
    for codes, kind in (*kinds, (_PASSING, Kind.PASSING)):
        if code in codes:
            return Failure(kind, failure.why, failure.pause)
    return failure


def _of_aiohttp(error: BaseException) -> bool:
    from aiohttp import ClientError

    return isinstance(error, ClientError)


def _stat(key: str, about: Mapping[str, Any], size: int, vouched: bool = True) -> Stat:
    token = about.get("ETag", "").strip('"')
    modified = about.get("LastModified")
    return Stat(
        key,
        size,
        nanoseconds(modified) if modified else 0,
        token,
        md5_of(token) if vouched else None,
        None if about.get("VersionId") in (None, "null") else about["VersionId"],
    )
