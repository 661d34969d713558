"""A fresh bucket on a test server, and what one needs to reach it: `Bucket`.

`raw` works behind LDB's back with a library that LDB does not use for it, so that a test of a
client does not check the client with itself.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from ldb.clouds.base import Client
from ldb.clouds.opening import open_client
from tests.clouds import servers
from tests.clouds.faultproxy import FaultProxy
from tests.clouds.servers import Server


class Raw(Protocol):
    """A bucket by another library; keys are whole, values bytes."""

    def put(self, key: str, data: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...

    def list(self, prefix: str = "") -> list[str]:
        """Keys in order of their UTF-8 bytes."""
        ...

    def make_bucket(self) -> None: ...

    def remove_bucket(self) -> None: ...


class Bucket:
    """A fresh, empty bucket: how a client and a subprocess reach it."""

    def __init__(self, scheme: str, server: Server, name: str, address: str | None = None) -> None:
        self.scheme, self.server, self.name = scheme, server, name
        self.address = address or server.url
        """The server's, or that of a proxy before it."""
        self.proxy: FaultProxy | None = None
        """Where this is `proxied()`."""
        self._clients: list[Client] = []

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.name}"

    @property
    def options(self) -> Mapping[str, Any]:
        """What `open_client` takes."""
        if self.scheme == "s3":
            keys = {"key": servers.KEY, "secret": servers.SECRET, "region": "us-east-1"}
            return {"endpoint_url": self.address, "allow_http": True, **keys}
        if self.scheme == "gs":
            return {"endpoint_url": self.address, "allow_http": True, "anon": True, "project": "p"}
        return {"connection_string": self._connection_string, "allow_http": True}

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which a subprocess reaches it without any option."""
        if self.scheme == "s3":
            return {
                "AWS_ENDPOINT_URL": self.address,
                "AWS_ACCESS_KEY_ID": servers.KEY,
                "AWS_SECRET_ACCESS_KEY": servers.SECRET,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        if self.scheme == "gs":
            return {"STORAGE_EMULATOR_HOST": self.address, "GOOGLE_CLOUD_PROJECT": "p"}
        return {"AZURE_STORAGE_CONNECTION_STRING": self._connection_string}

    @property
    def _connection_string(self) -> str:
        account, key = servers.AZURE_ACCOUNT, servers.AZURE_KEY
        return (
            f"DefaultEndpointsProtocol={self.address.partition(':')[0]};AccountName={account};AccountKey={key};"
            f"BlobEndpoint={self.address}/{account};"
        )

    def client(self, **options: Any) -> Client:
        """A client with these options besides; closed with the bucket."""
        client = open_client(self.url, {**self.options, **options})
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close all clients that were made here."""
        while self._clients:
            self._clients.pop().close()

    @contextlib.contextmanager
    def proxied(self, tls: ssl.SSLContext | None = None) -> Iterator[Bucket]:
        """The same bucket through a new fault proxy, which is its `proxy`."""
        with FaultProxy(servers.HOST, self.server.port, tls) as proxy:
            other = Bucket(self.scheme, self.server, self.name, proxy.url)
            other.proxy = proxy
            try:
                yield other
            finally:
                other.close()

    @cached_property
    def raw(self) -> Raw:
        kinds: dict[str, type[Raw]] = {"s3": _RawS3, "gs": _RawGoogle, "az": _RawAzure}
        return kinds[self.scheme](self.server, self.name)  # type: ignore[call-arg]

    def fill(self, values: Mapping[str, bytes]) -> None:
        """Store many values, some at a time."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self.raw.put, values.keys(), values.values()))


@contextlib.contextmanager
def fresh_bucket(scheme: str, kind: str, folder: Path) -> Iterator[Bucket]:
    """A new bucket on the session's server of this kind, removed with all it holds at the end."""
    bucket = Bucket(scheme, servers.shared(kind, folder), f"b{uuid.uuid4().hex[:12]}")
    bucket.raw.make_bucket()
    try:
        yield bucket
    finally:
        bucket.close()
        bucket.raw.remove_bucket()


class _RawS3:
    """By botocore without asyncio."""

    def __init__(self, server: Server, name: str) -> None:
        from botocore.config import Config
        from botocore.session import Session

        self._name = name
        self._client = Session().create_client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=servers.KEY,
            aws_secret_access_key=servers.SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        return body

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)

    def list(self, prefix: str = "") -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=prefix
        )
        return _sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def make_bucket(self) -> None:
        self._client.create_bucket(Bucket=self._name)

    def remove_bucket(self) -> None:
        keys = self.list()
        for at in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[at : at + 1000]]
            self._client.delete_objects(Bucket=self._name, Delete={"Objects": objects})
        self._client.delete_bucket(Bucket=self._name)
        self._client.close()


class _RawGoogle:
    """By the JSON API, as it is documented."""

    def __init__(self, server: Server, name: str) -> None:
        self._base, self._name = server.url, name

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        request = urllib.request.Request(self._base + path, body, method=method)
        if body is not None:
            request.add_header("Content-Type", kind or "application/octet-stream")
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: bytes = answer.read()
            return data

    def _path(self, key: str) -> str:
        return f"/storage/v1/b/{self._name}/o/{quote(key, safe='')}"

    def put(self, key: str, data: bytes) -> None:
        # multipart: the one kind that both servers for tests know with any name
        about = json.dumps({"name": key}).encode()
        mark = uuid.uuid4().hex.encode()
        body = b"\r\n".join(
            [
                b"--" + mark,
                b"Content-Type: application/json; charset=UTF-8",
                b"",
                about,
                b"--" + mark,
                b"Content-Type: application/octet-stream",
                b"",
                data,
                b"--" + mark + b"--",
                b"",
            ]
        )
        path = f"/upload/storage/v1/b/{self._name}/o?uploadType=multipart"
        self._ask("POST", path, body, f'multipart/related; boundary="{mark.decode()}"')

    def get(self, key: str) -> bytes:
        return self._ask("GET", f"{self._path(key)}?alt=media")

    def delete(self, key: str) -> None:
        self._ask("DELETE", self._path(key))

    def list(self, prefix: str = "") -> list[str]:
        keys: list[str] = []
        path = f"/storage/v1/b/{self._name}/o?prefix={quote(prefix, safe='')}"
        page: dict[str, Any] = {"nextPageToken": ""}
        while "nextPageToken" in page:
            more = f"&pageToken={quote(page['nextPageToken'])}" if page["nextPageToken"] else ""
            page = json.loads(self._ask("GET", path + more))
            keys += (item["name"] for item in page.get("items", ()))
        return _sorted(keys)

    def make_bucket(self) -> None:
        about = json.dumps({"name": self._name}).encode()
        self._ask("POST", "/storage/v1/b?project=p", about, "application/json")

    def remove_bucket(self) -> None:
        if self._ask("GET", f"/storage/v1/b/{self._name}"):
            for key in self.list():
                self.delete(key)
        self._ask("DELETE", f"/storage/v1/b/{self._name}")


class _RawAzure:
    """By Azure's own library without asyncio."""

    def __init__(self, server: Server, name: str) -> None:
        from azure.storage.blob import ContainerClient

        bucket = Bucket("az", server, name)
        self._client = ContainerClient.from_connection_string(bucket._connection_string, name)

    def put(self, key: str, data: bytes) -> None:
        self._client.upload_blob(key, data, overwrite=True)

    def get(self, key: str) -> bytes:
        data: bytes = self._client.download_blob(key).readall()
        return data

    def delete(self, key: str) -> None:
        self._client.delete_blob(key)

    def list(self, prefix: str = "") -> list[str]:
        return _sorted(self._client.list_blob_names(name_starts_with=prefix))

    def make_bucket(self) -> None:
        self._client.create_container()

    def remove_bucket(self) -> None:
        self._client.delete_container()
        self._client.close()


def _sorted(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=str.encode)
