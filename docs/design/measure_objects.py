"""The figures of 001-codec.md: codec, zstd, packs, store. Prints µs a blob, processor time.

python docs/design/measure_objects.py [number of annotations]
"""

from __future__ import annotations

import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgpack
import msgspec
import orjson
import zstandard

from ldb.backends.local import LocalBackend
from ldb.objects import codec
from ldb.objects.model import BlobType, hash_many
from ldb.objects.oidtable import as_oids
from ldb.objects.pack import PackWriter
from ldb.objects.store import ObjectStore

KIND = BlobType.ANNOTATION


def annotation(dice: random.Random, number: int) -> dict[str, Any]:
    """One of about 500 bytes of JSON."""
    return {
        "class": dice.choice(["cat", "dog", "bird"]),
        "conf": dice.random(),
        "boxes": [
            {
                "x": dice.randint(0, 640),
                "y": dice.randint(0, 480),
                "w": dice.random() * 100,
                "h": dice.random() * 100,
                "label": dice.choice("abcdef"),
            }
            for _ in range(4)
        ],
        "meta": {
            "camera": f"cam{dice.randint(0, 20)}",
            "time": f"2024-05-{dice.randint(1, 28):02d}T10:{dice.randint(0, 59):02d}:00Z",
            "weather": dice.choice(["sunny", "rain"]),
            "id": number,
        },
        "tags": ["a", "b", dice.choice(["x", "y"])],
    }


def best(name: str, count: int, run: Callable[[], object], times: int = 5) -> None:
    """Print the quickest of several runs."""
    quickest = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        quickest = min(quickest, time.process_time() - start)
    print(f"{name:45} {quickest / count * 1e6:8.2f}")


def run_all(call: Callable[[Any], object], rows: list[Any]) -> None:
    """Keep no result: what is kept is looked at by the garbage collector again and again."""
    for row in rows:
        call(row)


def measure_codec(texts: list[bytes], payloads: list[bytes]) -> None:
    values = [codec.decode(payload) for payload in payloads]
    gc.freeze()
    json_decode = msgspec.json.Decoder().decode
    encode = msgspec.msgpack.Encoder(order="sorted").encode
    decode = msgspec.msgpack.Decoder().decode
    skip = msgspec.msgpack.Decoder(msgspec.Raw).decode

    def by_orjson(text: bytes) -> bytes:
        ordered = orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
        return bytes(msgpack.packb(orjson.loads(ordered)))

    cases: list[tuple[str, Callable[[Any], object], list[Any]]] = [
        ("msgspec: JSON to value", json_decode, texts),
        ("msgspec: value to sorted MessagePack", encode, values),
        ("annotation_payload", lambda text: codec.annotation_payload(text, "x"), texts),
        ("orjson, sort, orjson, msgpack", by_orjson, texts),
        ("walk", lambda value: codec._check(value, "x"), values),
        ("msgspec: payload to value", decode, payloads),
        ("msgspec: pass over a payload", skip, payloads),
        ("msgpack: payload to value", msgpack.unpackb, payloads),
        ("decode", codec.decode, payloads),
        ("encode", codec.encode, values),
    ]
    for name, call, rows in cases:
        best(name, len(rows), partial(run_all, call, rows))


def measure_zstd(payloads: list[bytes]) -> None:
    whole = b"".join(payloads)
    blocks = [whole[at : at + 262_144] for at in range(0, len(whole), 262_144)]
    for level in (1, 2, 3, 4, 6):
        compress = zstandard.ZstdCompressor(level=level).compress
        decompress = zstandard.ZstdDecompressor().decompress
        frames = [compress(block) for block in blocks]
        size = sum(map(len, frames)) / len(whole)
        best(f"zstd {level}, {size:.1%}", len(payloads), partial(run_all, compress, blocks))
        best("  and back", len(payloads), partial(run_all, decompress, frames))
    compress = zstandard.ZstdCompressor(level=3).compress
    size = sum(len(compress(payload)) for payload in payloads) / len(whole)
    best(f"zstd 3 of single blobs, {size:.1%}", len(payloads), lambda: [*map(compress, payloads)])


def measure_store(payloads: list[bytes], root: str) -> None:
    count = len(payloads)
    oids = hash_many(KIND, payloads)
    best("hash_many", count, lambda: hash_many(KIND, payloads))
    best("PackWriter.add_many", count, lambda: PackWriter().add_many(KIND, payloads))
    writer = PackWriter()
    best("PackWriter.add", count, lambda: [writer.add(KIND, each) for each in payloads], 1)
    best("PackWriter.finish", count, writer.finish, 1)
    store = ObjectStore(LocalBackend(root))

    def write() -> None:
        with store.writer() as batch:
            for at in range(0, count, 1000):
                batch.add_many(KIND, payloads[at : at + 1000])

    best("BatchWriter.add_many", count, write, 1)
    best("BatchWriter.add_many, known", count, write)
    array = as_oids(b"".join(oids))
    best("ObjectStore.scan", count, lambda: [len(found) for _, found in store.scan(array, KIND)])
    few = oids[:5000]
    best("ObjectStore.get, neighbours", len(few), lambda: [*map(store.get, few)])
    pack = store.packs()[0]
    blocks = list(pack.blocks())
    best("a whole block, read and decompressed", len(blocks), lambda: [*map(pack.payloads, blocks)])


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    dice = random.Random(3)
    texts = [json.dumps(annotation(dice, number)).encode() for number in range(count)]
    payloads = [codec.annotation_payload(text, "x") for text in texts]
    mean = sum(map(len, texts)) / count, sum(map(len, payloads)) / count
    print(f"{count} annotations of {mean[0]:.0f} bytes of JSON, {mean[1]:.0f} of MessagePack")
    measure_codec(texts, payloads)
    measure_zstd(payloads)
    with tempfile.TemporaryDirectory() as root:
        measure_store(payloads, root)


if __name__ == "__main__":
    main()
