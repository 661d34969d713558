"""The data every tool is measured on: N small images, each with a JSON annotation.

Everything is a pure function of (position, revision), so a data set is the same on every
machine, single files can be changed and put back, and the answer of every query is known.
Layout: `<root>/<size>/files/<folder>/<position>.png` and `.json`, 1,000 pairs a folder;
`<root>/<size>/stamp.json` says what is there, and is written before files are changed.

    python -m bench.generate 10k            # makes it, or says that it is there
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any

from bench.queries import QUERIES, Query

VERSION = 1
"""Part of the stamp: data made by another version is made again."""

PER_FOLDER = 1000
MILLION = 1_000_000
CHANGES = 100
"""How many annotations `DataSet.change` rewrites."""

CLASSES = ("cat", "dog", "horse", "bird", "car", "bus", "tree", "boat", "person", "bicycle")
SITES = ("north gate", "harbour", "old market", "river bank", "hill station")
WORDS = (
    "slightly blurred at the left edge, otherwise sharp; sun low behind the camera; "
    "second reviewer agrees with the first; lens cleaned the day before; light rain; "
    "taken during the morning round, kept for the night set as well; no people asked "
    "to be removed; checked against the map of the site; object partly behind a fence; "
    "colour balance corrected; frame taken from the middle of the burst; nothing else "
    "of note; distance measured with the second sensor and found to agree with the first; "
    "see the log of the day for the weather; the fence was rebuilt in the week after that"
)
_SUFFIXES = {"k": 1_000, "M": MILLION}


def parse_size(text: str) -> int:
    """`10k` → 10000, `1M` → 1000000, `250` → 250."""
    factor = _SUFFIXES.get(text[-1:], 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdigit() or int(digits) == 0:
        raise ValueError(f"not a size: {text!r} (write 500, 10k or 1M)")
    return int(digits) * factor


def show_size(count: int) -> str:
    """The short name of a size: 10000 → `10k`."""
    for suffix, factor in reversed(_SUFFIXES.items()):
        if count % factor == 0:
            return f"{count // factor}{suffix}"
    return str(count)


def image_bytes(position: int) -> bytes:
    """A valid greyscale PNG of 1 to 3 KB of noise, different for every position."""
    noise = random.Random(position)
    width, height = 32, noise.randrange(31, 91)
    pixels = noise.randbytes(width * height)
    rows = b"".join(b"\0" + pixels[i : i + width] for i in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    # Level 0: noise does not shrink, and trying would dominate the time to generate.
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def annotation(position: int, revision: int = 0) -> dict[str, Any]:
    """The annotation of one image: 650 to 800 bytes as JSON, with 0 to 4 nested boxes."""
    draw = random.Random(position * 1_000_003 + revision)
    value: dict[str, Any] = {
        "position": position,
        "class": draw.choice(CLASSES),
        "confidence": round(draw.random(), 4),
        "reviewed": draw.random() < 0.5,
        "boxes": [_box(draw) for _ in range(draw.randrange(5))],
        "camera": {
            "model": f"C-{draw.randrange(20):02d}",
            "serial": f"{draw.getrandbits(40):010x}",
            "iso": 100 * draw.randrange(1, 33),
            "exposure": round(draw.random() / 50, 5),
            "site": draw.choice(SITES),
        },
        "time": f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}T"
        f"{draw.randrange(24):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d}Z",
        "revision": revision,
        "note": "",
    }
    missing = draw.randrange(650, 801) - len(json.dumps(value))
    value["note"] = WORDS[: max(0, missing)]
    return value


def _box(draw: random.Random) -> dict[str, Any]:
    return {
        "label": draw.choice(CLASSES),
        "score": round(draw.random(), 4),
        "bbox": [draw.randrange(32) for _ in range(4)],
    }


def annotation_bytes(position: int, revision: int = 0) -> bytes:
    """The annotation as it stands in its file."""
    return json.dumps(annotation(position, revision)).encode()


def _write_folder(folder: str, first: int, last: int) -> None:
    os.mkdir(folder)
    for position in range(first, last):
        stem = f"{folder}/{position:08d}"
        with open(f"{stem}.png", "wb", buffering=0) as image:
            image.write(image_bytes(position))
        with open(f"{stem}.json", "wb", buffering=0) as text:
            text.write(annotation_bytes(position))


def _answers_of(start: int, stop: int) -> list[int]:
    values = [annotation(position) for position in range(start, stop)]
    return [sum(map(query.holds, values)) for query in QUERIES]


@cache
def _answers(count: int) -> dict[str, int]:
    """How many of the first `count` annotations pass each query, unchanged as they are made."""
    starts = range(0, count, PER_FOLDER)
    stops = [min(start + PER_FOLDER, count) for start in starts]
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(_answers_of, starts, stops, chunksize=16))
    return {query.name: sum(part[at] for part in parts) for at, query in enumerate(QUERIES)}


def _read_folder(folder: str) -> int:
    size = 0
    for entry in os.scandir(folder):
        with open(entry.path, "rb", buffering=0) as file:
            size += len(file.read())
    return size


@dataclass(frozen=True, slots=True)
class DataSet:
    """A generated data set: `root` holds `files/` and the stamp."""

    root: Path
    count: int

    @property
    def files(self) -> Path:
        """The folder with the images and annotations, and nothing else."""
        return self.root / "files"

    def path(self, position: int, suffix: str) -> Path:
        """Where the image (`.png`) or annotation (`.json`) of a position is."""
        return self.files / f"{position // PER_FOLDER:05d}" / f"{position:08d}{suffix}"

    def annotations(self) -> Iterator[Path]:
        """All annotation files, in order."""
        return (self.path(position, ".json") for position in range(self.count))

    def object_id(self, position: int) -> str:
        """MD5 of the image, which is the id of the data object."""
        return md5(image_bytes(position)).hexdigest()

    def changed_positions(self) -> list[int]:
        """The positions that `change` touches, spread over all folders."""
        changes = min(CHANGES, self.count)
        return [k * self.count // changes for k in range(changes)]

    def matching(self, query: Query) -> int:
        """How many annotations, as their files are now, pass the query."""
        revision, changed = self.revision(), self.changed_positions()
        before = sum(query.holds(annotation(position)) for position in changed)
        after = sum(query.holds(annotation(position, revision)) for position in changed)
        return _answers(self.count)[query.name] - before + after

    def json_bytes(self) -> int:
        """Sum of the sizes of all annotation files."""
        return sum(path.stat().st_size for path in self.annotations())

    def only(self, suffix: str) -> Path:
        """A folder with the images (`.png`) or annotations (`.json`) alone, as hard links.

        Made when it is not there yet; the system knows all its names when this returns.
        """
        folder = self.root / f"only-{suffix[1:]}"
        made = folder.with_name(f"{folder.name}-unfinished")
        if not folder.exists():
            shutil.rmtree(made, ignore_errors=True)
            for above in sorted(self.files.iterdir()):
                (made / above.name).mkdir(parents=True)
                for path in above.glob(f"*{suffix}"):
                    os.link(path, made / above.name / path.name)
            made.rename(folder)
        for above in folder.iterdir():
            for entry in os.scandir(above):
                entry.stat()
        return folder

    def warm(self) -> None:
        """Read every file, so that whoever is timed next finds all of them in memory.

        A shared machine drops cached files whenever it likes; without this the first to be
        timed pays for all.
        """
        folders = sorted(entry.path for entry in os.scandir(self.files))
        with ProcessPoolExecutor(2) as pool:
            sum(pool.map(_read_folder, folders))

    def revision(self) -> int:
        """The revision of the changed annotations; 0 is the original state."""
        return int(json.loads((self.root / "stamp.json").read_text())["revision"])

    def change(self, revision: int) -> list[Path]:
        """Rewrite `CHANGES` annotations to `revision` (0 restores); returns their paths."""
        _stamp(self.root, self.count, revision)
        paths = []
        for position in self.changed_positions():
            path = self.path(position, ".json")
            path.write_bytes(annotation_bytes(position, revision))
            paths.append(path)
        return paths

    def restore(self) -> None:
        """Back to the original state; touches nothing that is in it already."""
        if self.revision():
            self.change(0)


def _stamp(root: Path, count: int, revision: int) -> None:
    record = {"version": VERSION, "count": count, "revision": revision}
    (root / "stamp.json").write_text(json.dumps(record))


def _is_current(root: Path, count: int) -> bool:
    try:
        stamp = json.loads((root / "stamp.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(stamp["version"] == VERSION and stamp["count"] == count)


def exists(home: Path, count: int) -> bool:
    """Whether the data set is there, whole."""
    return _is_current(home / show_size(count), count)


def make(home: Path, count: int, workers: int = 2) -> DataSet:
    """The data set of `count` pairs under `home`, made when it is not there yet."""
    data = DataSet(home / show_size(count), count)
    if _is_current(data.root, count):
        data.restore()
        return data
    shutil.rmtree(data.root, ignore_errors=True)
    data.files.mkdir(parents=True)
    starts = range(0, count, PER_FOLDER)
    folders = [str(data.files / f"{start // PER_FOLDER:05d}") for start in starts]
    stops = [min(start + PER_FOLDER, count) for start in starts]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_write_folder, folders, starts, stops))
    _stamp(data.root, count, 0)  # last: a half-made data set has no stamp
    return data


def main() -> None:
    """Make the sizes named on the command line under the folder in BENCH_HOME."""
    home = Path(os.environ.get("BENCH_HOME", Path.home() / ".cache/ldb-bench")) / "data"
    for text in sys.argv[1:]:
        print(make(home, parse_size(text)).files)


if __name__ == "__main__":
    main()
