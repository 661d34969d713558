"""The figures of 007-limits.md: what this machine can do, and the least that operations can take.

python -m docs.design.measure_limits [--write] [bench/results/….json …]

Prints two Markdown tables: the limits, and for each operation the sum that no program on this
machine gets below, with LDB's own figure where results of the bench are given; --write puts them
into the page. The limits are the best of several short runs in one process; takes half a minute
and 700 MB of memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard

from bench.generate import annotation_bytes, image_bytes, show_size

PAGE = Path(__file__).parent / "007-limits.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

FILES = 4000
PROCESSES = 2
"""What the bench has; work that can be shared is divided by it, which is the best case."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing the machine does: seconds for one of it, and how people say that."""

    name: str
    seconds: float
    unit: str
    """`GB/s`: seconds are for one byte; `µs`: for one call; `s`: once."""

    def shown(self) -> str:
        if self.unit == "GB/s":
            return f"{1e-9 / self.seconds:.2f} GB/s"
        return f"{self.seconds * 1e6:.1f} µs" if self.unit == "µs" else f"{self.seconds:.3f} s"


def best(run: Callable[[], object], per: float, times: int = 5) -> float:
    """Seconds for one of `per`, in the quickest of several runs."""
    quickest = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        run()
        quickest = min(quickest, time.perf_counter() - begin)
    return quickest / per


def started(code: str) -> float:
    return best(lambda: subprocess.run([sys.executable, "-c", code], check=True), 1, times=7)


def memory() -> Iterator[Limit]:
    source = np.zeros(32_000_000, np.float64)
    source[::7] = 1.0
    target = np.empty_like(source)
    codes = np.zeros(64_000_000, np.uint8)
    found = np.empty(len(codes), np.bool_)
    over = found[: len(source)]
    for name, run, size in (
        ("memory, copied (bytes read)", lambda: np.copyto(target, source), source.nbytes),
        (
            "float64 column compared and counted",
            lambda: np.count_nonzero(np.greater(source, 0.9, out=over)),
            source.nbytes,
        ),
        (
            "one-byte codes compared and counted",
            lambda: np.count_nonzero(np.equal(codes, 3, out=found)),
            len(codes),
        ),
    ):
        yield Limit(name, best(run, size), "GB/s")


def computing() -> Iterator[Limit]:
    long = os.urandom(8_000_000)
    texts = [annotation_bytes(position) for position in range(FILES)]
    images = [image_bytes(position) for position in range(FILES)]
    yield Limit("md5, 8 MB at once", best(partial(hashlib.md5, long), len(long)), "GB/s")
    yield Limit("sha256, 8 MB at once", best(partial(hashlib.sha256, long), len(long)), "GB/s")
    parse, pack = msgspec.json.Decoder().decode, msgspec.msgpack.Encoder(order="sorted").encode
    values = [parse(text) for text in texts]
    for name, each in (
        ("md5 of an image of 2 kB", partial(_all, hashlib.md5, images)),
        ("sha256 of an annotation", partial(_all, hashlib.sha256, texts)),
        ("JSON of an annotation parsed", partial(_all, parse, texts)),
        ("and packed, keys sorted", partial(_all, pack, values)),
    ):
        yield Limit(name, best(each, FILES), "µs")
    size = sum(map(len, texts))
    blocks = [b"".join(texts[at : at + 350]) for at in range(0, FILES, 350)]
    press, unpress = zstandard.ZstdCompressor().compress, zstandard.ZstdDecompressor().decompress
    pressed = [*map(press, blocks)]
    yield Limit("zstd of annotations, in", best(partial(_all, press, blocks), size), "GB/s")
    yield Limit("zstd of annotations, out", best(partial(_all, unpress, pressed), size), "GB/s")


def _all(run: Callable[[Any], object], values: Sequence[Any]) -> None:
    for value in values:
        run(value)


def _read(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    os.fstat(file)
    os.read(file, 65536)
    os.close(file)


def _write(data: bytes, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(file, data)
    os.close(file)


def _link(pair: tuple[str, str]) -> None:
    os.link(*pair)


def _durable(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())


def files() -> Iterator[Limit]:
    small, large = os.urandom(2000), os.urandom(64_000_000)
    with tempfile.TemporaryDirectory() as folder:
        created, linked = [], []
        paths: list[str] = []
        for turn in range(6):
            os.mkdir(f"{folder}/{turn}")
            os.sync()  # what others wrote is not to be waited for
            paths = [f"{folder}/{turn}/{number:06d}" for number in range(FILES)]
            pairs = [(path, f"{path}-link") for path in paths]
            created.append(best(partial(_all, partial(_write, small), paths), FILES, 1))
            linked.append(best(partial(_all, _link, pairs), FILES, 1))
        last = os.path.dirname(paths[0])
        reading = best(partial(_all, _read, paths), FILES)
        yield Limit("file of 2 kB: open, stat, read, close", reading, "µs")
        listing = best(lambda: [*os.scandir(last)], 2 * FILES)
        yield Limit("folder listed, per entry", listing, "µs")
        yield Limit("stat of a file listed", best(partial(_all, os.lstat, paths), FILES), "µs")
        yield Limit("file of 2 kB created", min(created), "µs")
        usual = statistics.median(created)
        yield Limit("the same in the median of six new folders", usual, "µs")
        yield Limit("hard link", min(linked), "µs")
        flushed = best(partial(_durable, f"{folder}/small", small), 1, times=9)
        yield Limit("small file written and flushed to disk", flushed, "µs")
        written = best(partial(_durable, f"{folder}/large", large), len(large), times=3)
        yield Limit("64 MB written and flushed", written, "GB/s")
        again = best(Path(f"{folder}/large").read_bytes, len(large))
        yield Limit("file read that is in memory already", again, "GB/s")


def limits() -> dict[str, Limit]:
    """Everything, by name."""
    bare = started("pass")
    found = [
        Limit("Python started", bare, "s"),
        Limit("numpy imported", started("import numpy") - bare, "s"),
        *memory(),
        *computing(),
        *files(),
    ]
    return {limit.name: limit for limit in found}


@dataclass(frozen=True, slots=True)
class Least:
    """What an operation cannot do without: (how often, limit, whether two can share it)."""

    operation: str
    title: str
    size: int
    parts: tuple[tuple[float, str, bool], ...]

    def seconds(self, found: dict[str, Limit]) -> float:
        return sum(
            count * found[name].seconds / (PROCESSES if shared else 1)
            for count, name, shared in self.parts
        )

    def largest(self, found: dict[str, Limit]) -> str:
        """The part that decides."""
        sums: dict[str, float] = {}
        for count, name, shared in self.parts:
            cost = count * found[name].seconds / (PROCESSES if shared else 1)
            sums[name] = sums.get(name, 0) + cost
        return max(sums, key=lambda name: sums[name])


def _start(parts: tuple[tuple[float, str, bool], ...]) -> tuple[tuple[float, str, bool], ...]:
    return ((1, "Python started", False), (1, "numpy imported", False), *parts)


PAYLOAD, RECORD, MAP_ROW, BOXES = 610, 170, 48, 2
"""Bytes of a canonical annotation, of an object record, of a row of a dataset's map; boxes each."""

HUNDRED_THOUSAND, MILLION = 100_000, 1_000_000


def _hundred_changes() -> tuple[tuple[float, str, bool], ...]:
    """A hundred leaves of 128 rows read, made anew, hashed; a pack and a ref made durable."""
    leaves = 100 * 128 * MAP_ROW
    return (
        (leaves, "zstd of annotations, out", False),
        (leaves, "sha256, 8 MB at once", False),
        (leaves, "zstd of annotations, in", False),
        (2, "small file written and flushed to disk", False),
    )


def least() -> list[Least]:
    """The operations of the bench, each with the arithmetic of its lower bound."""
    n, m = HUNDRED_THOUSAND, MILLION
    stored = n * (PAYLOAD + RECORD)
    rows = m * MAP_ROW
    return [
        Least("startup", "ldb --help", m, ((1, "Python started", False),)),
        Least(
            "index", "index, cold", n,
            _start((
                (2 * n, "folder listed, per entry", False),
                (2 * n, "file of 2 kB: open, stat, read, close", True),
                (n, "md5 of an image of 2 kB", True),
                (n, "JSON of an annotation parsed", True),
                (n, "and packed, keys sorted", True),
                (2 * n, "sha256 of an annotation", True),
                (stored, "zstd of annotations, in", True),
                (0.3 * stored, "64 MB written and flushed", False),
            )),
        ),
        Least(
            "index_again", "index again, nothing changed", m,
            _start((
                (2 * m, "folder listed, per entry", True),
                (2 * m, "stat of a file listed", True),
            )),
        ),
        Least(
            "query-string", "query of a string, count", m,
            _start(((m, "one-byte codes compared and counted", False),)),
        ),
        Least(
            "query-number", "query of a number, count", m,
            _start(((8 * m, "float64 column compared and counted", False),)),
        ),
        Least(
            "query-nested", "query inside lists, count", m,
            _start((
                (BOXES * m, "one-byte codes compared and counted", False),
                (8 * BOXES * m, "float64 column compared and counted", False),
                (m, "one-byte codes compared and counted", False),
            )),
        ),
        Least(
            "list_all", "list all", m,
            _start((
                (m * RECORD, "zstd of annotations, out", False),
                (m * 80, "memory, copied (bytes read)", False),
            )),
        ),
        Least(
            "commit_all", "add all, commit", m,
            _start(_start(_start((
                (rows, "sha256, 8 MB at once", False),
                (rows, "64 MB written and flushed", False),
            )))),
        ),
        Least("commit_100", "commit 100 changes", m, _start(_start(_start(_hundred_changes())))),
        Least(
            "diff", "diff of 100 changes", m,
            _start(((2 * 100 * 128 * MAP_ROW, "zstd of annotations, out", False),)),
        ),
        Least("status", "status", m, ((1, "Python started", False),)),
        Least(
            "link_out", "instantiate, hard links", n,
            _start(((n, "hard link", True), (n, "file of 2 kB created", True))),
        ),
        Least(
            "copy_out", "instantiate, copies", n,
            _start((
                (n, "file of 2 kB: open, stat, read, close", True),
                (2 * n, "file of 2 kB created", True),
            )),
        ),
    ]  # fmt: skip


def measured(paths: Sequence[str]) -> dict[tuple[str, int], float]:
    """Median seconds of `ldb` by operation and size, from results of the bench."""
    walls: dict[tuple[str, int], float] = {}
    for path in paths:
        found = json.loads(Path(path).read_text())
        # Where no file is read it is all the same whether there are any.
        for result in [*found["results"], *found.get("without files", [])]:
            turns = [turn["wall"] for turn in result["turns"]]
            if result["tool"] == "ldb" and turns and not result["failure"]:
                walls[result["operation"], result["size"]] = statistics.median(turns)
    return walls


def tables(found: dict[str, Limit], walls: dict[tuple[str, int], float]) -> str:
    """Both tables, in Markdown."""
    lines = ["| limit | |", "|---|---:|"]
    lines += [f"| {limit.name} | {limit.shown()} |" for limit in found.values()]
    lines += ["", "| operation | at | least s | most of it | ldb s | ratio |"]
    lines += ["|---|---|---:|---|---:|---:|"]
    for each in least():
        bound = each.seconds(found)
        wall = walls.get((each.operation, each.size))
        ours = f"{wall:.2f} | {wall / bound:.1f}" if wall else "not measured | –"
        at, decides = show_size(each.size), each.largest(found)
        lines.append(f"| {each.title} | {at} | {bound:.3f} | {decides} | {ours} |")
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Put the tables between the marks of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def main() -> None:
    """Measure and print, or with --write into the page."""
    paths = [word for word in sys.argv[1:] if word != "--write"]
    text = tables(limits(), measured(paths))
    print(text)
    if len(paths) < len(sys.argv[1:]):
        write(PAGE, text)


if __name__ == "__main__":
    main()
