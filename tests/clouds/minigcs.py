"""A small Google Cloud Storage server for tests, in memory, for hundreds of thousands of objects.

    python minigcs.py PORT

The JSON API as gcsfs and Google's own library speak it, and the XML API as obstore does. Every
`ifGenerationMatch` is honoured, and all is done on one event loop, so a create-if-absent is
atomic; the other server for tests, fake-gcs-server, honours one kind of upload only. Old
generations are not kept: asking for one is asking for a missing object.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import itertools
import json
import re
import struct
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from aiohttp import web

PLAIN = "application/octet-stream"
_generations = itertools.count(int(time.time() * 1e6))


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


@dataclass(frozen=True, slots=True)
class Value:
    """One stored object."""

    data: bytes
    content_type: str
    metadata: dict[str, str]
    md5: str
    generation: int = field(default_factory=lambda: next(_generations))
    stored: float = field(default_factory=time.time)

    @property
    def etag(self) -> str:
        return base64.b64encode(struct.pack(">Q", self.generation)).decode()


class Bucket:
    """Values by name, and their names in order (of code points, which is that of UTF-8 bytes)."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.names: list[str] = []

    def get(self, name: str, query: Mapping[str, str]) -> Value:
        value = self.values.get(name)
        wanted = query.get("generation")
        if value is None or (wanted and int(wanted) != value.generation):
            raise Refused(404, "notFound", f"No such object: {name}")
        return value

    def check(self, name: str, match: str | None, no_match: str | None = None) -> None:
        value = self.values.get(name)
        generation = value.generation if value else 0
        if any(given is not None and not given.isdigit() for given in (match, no_match)):
            raise Refused(400, "invalidParameter", "Invalid generation")
        wrong = match is not None and int(match) != generation
        if wrong or (no_match is not None and int(no_match) == generation):
            raise Refused(412, "conditionNotMet", "At least one of the conditions did not hold.")

    def put(
        self,
        name: str,
        data: bytes,
        match: str | None,
        content_type: str = PLAIN,
        metadata: dict[str, str] | None = None,
        md5: str | None = None,
    ) -> Value:
        self.check(name, match)
        found = base64.b64encode(hashlib.md5(data).digest()).decode()
        if md5 and md5 != found:
            raise Refused(400, "invalid", "Provided MD5 hash does not match.")
        if name not in self.values:
            bisect.insort(self.names, name)
        self.values[name] = Value(bytes(data), content_type, metadata or {}, found)
        return self.values[name]

    def delete(self, name: str) -> None:
        if self.values.pop(name, None) is None:
            raise Refused(404, "notFound", f"No such object: {name}")
        self.names.pop(bisect.bisect_left(self.names, name))

    def page(
        self, prefix: str, delimiter: str, start: str, size: int, end: str = ""
    ) -> tuple[list[str], list[str], str | None]:
        """Names and common prefixes from `start` on, and where the next page starts."""
        names, found, prefixes = self.names, list[str](), list[str]()
        at = bisect.bisect_left(names, max(prefix, start))
        while at < len(names) and names[at].startswith(prefix) and not (end and names[at] >= end):
            if len(found) + len(prefixes) == size:
                return found, prefixes, names[at]
            cut = names[at].find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                found.append(names[at])
                at += 1
            else:
                prefixes.append(names[at][: cut + len(delimiter)])
                at = bisect.bisect_left(names, prefixes[-1] + chr(sys.maxunicode), at)
        return found, prefixes, None


buckets: dict[str, Bucket] = {}
uploads: dict[str, Any] = {}


def bucket_of(name: str) -> Bucket:
    if name not in buckets:
        raise Refused(404, "notFound", "The specified bucket does not exist.")
    return buckets[name]


def resource(bucket: str, name: str, value: Value, base: str) -> dict[str, Any]:
    """An object as the JSON API describes it."""
    stored = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(value.stored))
    stored += f".{int(value.stored % 1 * 1000):03}Z"
    path = f"/b/{bucket}/o/{quote(name, safe='')}"
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{value.generation}",
        "name": name,
        "bucket": bucket,
        "generation": str(value.generation),
        "metageneration": "1",
        "contentType": value.content_type,
        "size": str(len(value.data)),
        "md5Hash": value.md5,
        "etag": value.etag,
        "timeCreated": stored,
        "updated": stored,
        "storageClass": "STANDARD",
        "metadata": value.metadata,
        "mediaLink": f"{base}/download/storage/v1{path}?alt=media",
    }


def content(request: web.Request, value: Value) -> web.Response:
    """An object's bytes, or the range of them that was asked for."""
    size = len(value.data)
    headers = {
        "ETag": f'"{value.etag}"',
        "x-goog-generation": str(value.generation),
        "x-goog-metageneration": "1",
        "x-goog-hash": f"md5={value.md5}",
        "Last-Modified": formatdate(value.stored, usegmt=True),
        "Content-Type": value.content_type,
        "Accept-Ranges": "bytes",
    }
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    if not match:
        return web.Response(body=value.data, headers=headers)
    if match[1]:
        start, stop = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    else:
        start, stop = max(0, size - int(match[2])), size
    if start >= size:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return web.Response(status=206, body=value.data[start:stop], headers=headers)


def parts_of(body: bytes, content_type: str) -> list[tuple[bytes, bytes]]:
    """Headers and contents of the parts of a multipart body."""
    match = re.search(r'boundary="?([^";]+)', content_type)
    assert match
    mark = rb"(?:^|\r?\n)--" + re.escape(match[1].encode()) + rb"(?:--)?[ \t]*(?:\r?\n|$)"
    parts = [part for part in re.split(mark, body) if part]
    return [tuple(re.split(rb"\r?\n\r?\n", part, maxsplit=1)) for part in parts]  # type: ignore[misc]


class Call:
    """One request, taken apart."""

    def __init__(self, request: web.Request) -> None:
        self.request, self.query = request, request.query
        self.method, self.path = request.method, request.rel_url.raw_path
        self.base = f"{request.scheme}://{request.host}"
        self.match = request.query.get("ifGenerationMatch")

    async def answer(self) -> web.StreamResponse:
        routes: list[tuple[str, Callable[..., Awaitable[web.StreamResponse]]]] = [
            (r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)", self.object),
            (r"/storage/v1/b/([^/]+)/o", self.listing),
            (r"/storage/v1/b(?:/([^/]+))?", self.bucket),
            (r"/upload/storage/v1/b/([^/]+)/o", self.upload),
            (r"/batch/.*", self.batch),
            (r"/([^/]+)/?", self.xml_listing),
            (r"/([^/]+)/(.+)", self.xml_object),
        ]
        for pattern, route in routes:
            if found := re.fullmatch(pattern, self.path):
                return await route(*(unquote(part or "") for part in found.groups()))
        raise Refused(404, "notFound", self.path)

    def shown(self, bucket: str, name: str, value: Value) -> web.Response:
        return web.json_response(resource(bucket, name, value, self.base))

    # -- the JSON API ------------------------------------------------------------------

    async def object(self, bucket_name: str, name: str) -> web.StreamResponse:
        bucket = bucket_of(bucket_name)
        value = bucket.get(name, self.query)
        bucket.check(name, self.match, self.query.get("ifGenerationNotMatch"))
        if self.method == "DELETE":
            bucket.delete(name)
            return web.Response(status=204)
        if self.query.get("alt") == "media" or self.path.startswith("/download"):
            return content(self.request, value)
        return self.shown(bucket_name, name, value)

    async def listing(self, bucket_name: str) -> web.StreamResponse:
        query, bucket = self.query, bucket_of(bucket_name)
        start = unquote(query.get("pageToken", "")) or query.get("startOffset", "")
        size = min(1000, int(query.get("maxResults", 1000)))
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names, prefixes, following = bucket.page(
            prefix, delimiter, start, size, query.get("endOffset", "")
        )
        items = [resource(bucket_name, name, bucket.values[name], self.base) for name in names]
        page: dict[str, Any] = {"kind": "storage#objects", "items": items, "prefixes": prefixes}
        if following:
            page["nextPageToken"] = quote(following)
        return web.json_response(page)

    async def bucket(self, name: str) -> web.StreamResponse:
        if not name and self.method == "GET":
            return web.json_response({"items": [{"name": name} for name in buckets]})
        if not name:
            name = (await self.request.json())["name"]
            if name in buckets:
                raise Refused(409, "conflict", "You already own this bucket.")
            buckets[name] = Bucket()
        bucket_of(name)
        if self.method == "DELETE":
            del buckets[name]
            return web.Response(status=204)
        return web.json_response({"kind": "storage#bucket", "name": name, "location": "US"})

    async def upload(self, bucket_name: str) -> web.StreamResponse:
        bucket, body = bucket_of(bucket_name), await self.request.read()
        session = self.query.get("upload_id")
        if session is not None:
            return self.resumed(session, body)
        if self.query.get("uploadType") == "media":
            name = self.query["name"]
            value = bucket.put(name, body, self.match, self.request.content_type)
            return self.shown(bucket_name, name, value)
        if self.query.get("uploadType") == "multipart":
            content_type = self.request.headers["Content-Type"]
            (_, described), (headers, data) = parts_of(body, content_type)[:2]
            about = json.loads(described)
            kind = re.search(rb"(?i)content-type:\s*([^\r\n]+)", headers)
            name = about.get("name") or self.query["name"]
            value = bucket.put(
                name,
                data,
                self.match,
                kind[1].decode() if kind else PLAIN,
                about.get("metadata"),
                about.get("md5Hash"),
            )
            return self.shown(bucket_name, name, value)
        about, session = json.loads(body or b"{}"), uuid.uuid4().hex
        name = about.get("name") or self.query["name"]
        uploads[session] = (bucket_name, name, bytearray(), self.match)
        here = f"{self.base}{self.path}?uploadType=resumable&upload_id={session}"
        return web.Response(headers={"Location": here})

    def resumed(self, session: str, body: bytes) -> web.Response:
        """A piece of a resumable upload; the last one stores the object."""
        if session not in uploads:
            raise Refused(404, "notFound", "No such upload.")
        bucket_name, name, data, match = uploads[session]
        header = self.request.headers.get("Content-Range", "")
        span = re.match(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", header)
        if span and span[1]:
            data[int(span[1]) :] = body
        elif not span:
            data[:] = body
        if span and (span[3] == "*" or len(data) < int(span[3])):
            headers = {"Range": f"bytes=0-{len(data) - 1}"} if data else {}
            return web.Response(status=308, headers=headers)
        del uploads[session]
        return self.shown(bucket_name, name, bucket_of(bucket_name).put(name, bytes(data), match))

    async def batch(self) -> web.StreamResponse:
        """Many deletes in one request."""
        body, answers = await self.request.read(), []
        for headers, part in parts_of(body, self.request.headers["Content-Type"]):
            asked = re.search(rb"DELETE \S*?/b/([^/\s]+)/o/([^/?\s]+)", part)
            if not asked:
                continue
            line = "HTTP/1.1 204 No Content\r\nContent-Length: 0"
            try:
                bucket_of(unquote(asked[1].decode())).delete(unquote(asked[2].decode()))
            except Refused:
                line = "HTTP/1.1 404 Not Found\r\nContent-Length: 0"
            number = re.search(rb"(?i)content-id:\s*<?([^>\r\n]+)", headers)
            answers.append(
                "--batch_x\r\nContent-Type: application/http\r\nContent-ID: "
                f"<response-{number[1].decode() if number else 1}>\r\n\r\n{line}\r\n\r\n\r\n"
            )
        kind = {"Content-Type": "multipart/mixed; boundary=batch_x"}
        return web.Response(body=("".join(answers) + "--batch_x--").encode(), headers=kind)

    # -- the XML API -------------------------------------------------------------------

    async def xml_listing(self, bucket_name: str) -> web.StreamResponse:
        query, bucket = self.query, bucket_of(bucket_name)
        after, token = query.get("start-after", ""), query.get("continuation-token", "")
        start = unquote(token) or (after and after + "\0")
        size = min(1000, int(query.get("max-keys", 1000)))
        names, prefixes, following = bucket.page(
            query.get("prefix", ""), query.get("delimiter", ""), start, size
        )
        lines = ['<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>']
        for name in names:
            value = bucket.values[name]
            stored = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(value.stored))
            lines.append(
                f"<Contents><Key>{escape(name)}</Key><Generation>{value.generation}</Generation>"
                f'<LastModified>{stored}</LastModified><ETag>"{value.etag}"</ETag>'
                f"<Size>{len(value.data)}</Size></Contents>"
            )
        lines += [
            f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>"
            for prefix in prefixes
        ]
        lines.append(f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>")
        if following:
            lines.append(f"<NextContinuationToken>{quote(following)}</NextContinuationToken>")
        text = "".join([*lines, "</ListBucketResult>"])
        return web.Response(text=text, content_type="application/xml")

    async def xml_object(self, bucket_name: str, name: str) -> web.StreamResponse:
        bucket, query = bucket_of(bucket_name), self.query
        match = self.request.headers.get("x-goog-if-generation-match")
        if self.method == "POST" and "uploads" in query:
            session = uuid.uuid4().hex
            uploads[session] = {}
            return _xml("InitiateMultipartUploadResult", UploadId=session)
        if self.method == "PUT" and "uploadId" in query:
            part = await self.request.read()
            uploads[query["uploadId"]][int(query["partNumber"])] = part
            return web.Response(headers={"ETag": f'"{hashlib.md5(part).hexdigest()}"'})
        if self.method == "POST" and "uploadId" in query:
            parts = uploads.pop(query["uploadId"])
            value = bucket.put(name, b"".join(parts[at] for at in sorted(parts)), match)
            return _xml("CompleteMultipartUploadResult", value, ETag=f'"{value.etag}"')
        if self.method == "PUT":
            body = await self.request.read()
            value = bucket.put(name, body, match, self.request.content_type)
            return web.Response(headers=_made(value))
        value = bucket.get(name, query)
        if self.method == "DELETE":
            bucket.delete(name)
            return web.Response(status=204)
        wanted = self.request.headers.get("If-Match")
        if wanted and wanted.strip('"') != value.etag:
            raise Refused(412, "conditionNotMet", "At least one of the conditions did not hold.")
        return content(self.request, value)


def _made(value: Value) -> dict[str, str]:
    return {"ETag": f'"{value.etag}"', "x-goog-generation": str(value.generation)}


def _xml(root: str, value: Value | None = None, **fields: str) -> web.Response:
    text = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    headers = _made(value) if value else {}
    return web.Response(
        text=f"<{root}>{text}</{root}>", content_type="application/xml", headers=headers
    )


async def answer(request: web.Request) -> web.StreamResponse:
    try:
        return await Call(request).answer()
    except Refused as refused:
        about = {"domain": "global", "reason": refused.reason, "message": refused.message}
        error = {"code": refused.code, "message": refused.message, "errors": [about]}
        return web.json_response({"error": error}, status=refused.code)


def main() -> None:
    app = web.Application(client_max_size=1 << 33)
    app.router.add_route("*", "/{anything:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
