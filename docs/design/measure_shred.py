"""Time the making of columns; figures of 008-columns.md.

Run from the project's root: python docs/design/measure_shred.py [folder of JSON files]
Without a folder it makes annotations as the benchmarks do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from bench.generate import annotation_bytes
from ldb.catalog import record_payload
from ldb.columns.build import from_values
from ldb.columns.shred import Shredder
from ldb.objects.codec import annotation_payload, decode

ROWS = 100_000
PLAIN_ROWS = 5_000
TIMES = 5


def annotated() -> list[bytes]:
    """Payloads of the first `ROWS` annotations."""
    if len(sys.argv) > 1:
        paths = sorted(Path(sys.argv[1]).rglob("*.json"))[:ROWS]
        return [annotation_payload(path.read_bytes(), path) for path in paths]
    return [annotation_payload(annotation_bytes(at), at) for at in range(ROWS)]


def records(count: int) -> list[bytes]:
    """Object records of images in folders of 1,000, one annotation and one path each."""
    return [
        record_payload(
            annotations=[sha256(b"%d" % at).digest()],
            first_indexed=1_790_000_000_000_000 + at // 1000,
            last_indexed=1_790_000_000_000_000 + at // 1000,
            paths=[
                {
                    "gid": 0,
                    "mode": 33188,
                    "mtime": 1_780_000_000_000_000_000 + at * 1_234_567,
                    "path": f"file:///data/files/{at // 1000:05d}/{at:08d}.png",
                    "uid": 0,
                }
            ],
            size=1100 + at * 7919 % 2000,
            tags=[],
            type="image",
        )
        for at in range(count)
    ]


def shredded(payloads: Sequence[bytes]) -> Callable[[], object]:
    """All payloads, added by the hundred as indexing does."""

    def run() -> object:
        shredder = Shredder()
        for at in range(0, len(payloads), 100):
            shredder.add(payloads[at : at + 100])
        return shredder.finish()

    return run


def decoded(payloads: Sequence[bytes]) -> Callable[[], object]:
    """The slow way, by Python values."""
    return lambda: from_values([decode(each) for each in payloads])


def microseconds(run: Callable[[], object], count: int) -> float:
    """Best CPU time of several runs, a row."""
    best = float("inf")
    for _ in range(TIMES):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best / count * 1e6


def main() -> None:
    rows = annotated()
    kinds = {
        "annotations": rows,
        "the first 10,000": rows[:10_000],
        "the first 1,000": rows[:1_000],
        "records": records(ROWS),
    }
    for name, payloads in kinds.items():
        size = sum(map(len, payloads)) / len(payloads)
        took = microseconds(shredded(payloads), len(payloads))
        plain = payloads[:PLAIN_ROWS]
        slow = microseconds(decoded(plain), len(plain))
        print(f"{name:<20} {len(payloads):>7} of {size:.0f} bytes: {took:.2f} us a row", end="")
        print(f" (decoded, from values: {slow:.1f})")


if __name__ == "__main__":
    main()
