"""Reading objects and listing keys of an S3 bucket: `cloud_ops.py TOOL OPERATION URL`.

Tools: the bare loops that a program without LDB would have, `obstore` and `s3fs`, and LDB's own
client over either, `ldb-obstore` and `ldb-s3fs`. Prints what it cost as JSON: seconds and
processor seconds of the loop alone, without imports; megabytes that the process has had at most;
how many objects there were and how many bytes. Credentials come from the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

CONCURRENCY = 64
Counted = tuple[int, int]
"""Objects, bytes."""


def keys_below(count: int) -> list[str]:
    """The keys that are read: a hundred a folder."""
    return [f"read/{number // 100:04}/{number:06}" for number in range(count)]


def obstore_read(bucket: str, keys: list[str]) -> Counted:
    store = _store(bucket)

    async def read_all() -> list[int]:
        permits = asyncio.Semaphore(CONCURRENCY)

        async def read(key: str) -> int:
            async with permits:
                answer = await store.get_async(key)
                return len(bytes(await answer.bytes_async()))

        return await asyncio.gather(*(read(key) for key in keys))

    sizes = asyncio.run(read_all())
    return len(sizes), sum(sizes)


def obstore_list(bucket: str, prefix: str) -> Counted:
    sizes = [item["size"] for page in _store(bucket).list(prefix) for item in page]
    return len(sizes), sum(sizes)


def s3fs_read(bucket: str, keys: list[str]) -> Counted:
    found = _s3fs().cat([f"{bucket}/{key}" for key in keys], batch_size=CONCURRENCY)
    return len(found), sum(map(len, found.values()))


def s3fs_list(bucket: str, prefix: str) -> Counted:
    found = _s3fs().find(f"{bucket}/{prefix}", detail=True)
    return len(found), sum(each["size"] for each in found.values())


def ldb_read(library: str) -> Callable[[str, list[str]], Counted]:
    def read(bucket: str, keys: list[str]) -> Counted:
        from ldb.clouds.base import Get

        count = size = 0
        wanted = [Get(key) for key in keys]
        for _, data in _client(bucket, library).get_many(wanted, concurrency=CONCURRENCY):
            assert isinstance(data, bytes), data
            count, size = count + 1, size + len(data)
        return count, size

    return read


def ldb_list(library: str) -> Callable[[str, str], Counted]:
    def listed(bucket: str, prefix: str) -> Counted:
        return _count(stat.size for stat in _client(bucket, library).list(prefix))

    return listed


def _count(sizes: Iterator[int]) -> Counted:
    count = size = 0
    for each in sizes:
        count, size = count + 1, size + each
    return count, size


def _client(bucket: str, library: str) -> Any:
    from ldb.clouds.opening import open_client

    return open_client(f"s3://{bucket}", {"library": library, "allow_http": True})


def _store(bucket: str) -> Any:
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def _s3fs() -> Any:
    from s3fs import S3FileSystem

    # Without these it keeps what it has listed, and asks for a size before it reads.
    return S3FileSystem(
        use_listings_cache=False, max_concurrency=1, config_kwargs={"max_pool_connections": 64}
    )


TOOLS: dict[str, dict[str, Callable[[str, Any], Counted]]] = {
    "obstore": {"read": obstore_read, "list": obstore_list},
    "s3fs": {"read": s3fs_read, "list": s3fs_list},
    "ldb-obstore": {"read": ldb_read("obstore"), "list": ldb_list("obstore")},
    "ldb-s3fs": {"read": ldb_read("fsspec"), "list": ldb_list("fsspec")},
}


def main() -> None:
    """Run one operation once, after a small one that loads and connects."""
    tool, operation, bucket, count = sys.argv[1:]
    run = TOOLS[tool][operation]
    wanted: Any = keys_below(int(count)) if operation == "read" else "list/"
    run(bucket, wanted[:1] if operation == "read" else "read/0000/")
    began, used = time.perf_counter(), time.process_time()
    found, size = run(bucket, wanted)
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - used,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "found": found,
        "size": size,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
