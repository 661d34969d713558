"""Trains the CLIP of the tests, `tests/search/tiny_clip`: scikit-learn's digits and captions.

    python -m tests.search.train_tiny_clip [FOLDER]

Half a minute on one processor; wants torch, transformers 5, pillow and scikit-learn. The tests only
load what it wrote, so that they need no scikit-learn. Beside the model it writes `digits.png`:
digits that it was not trained on, a row for each of ten, six columns. Licence of the data:
README.md in that folder.
"""

from __future__ import annotations

import json
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

FOLDER = Path(__file__).with_name("tiny_clip")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CAPTIONS = ("a photo of a {}", "the digit {}", "a handwritten {}", "number {}", "{}")
HELD_OUT = 297
"""Of 1797 images; `digits.png` is made of the first of each digit among them."""
EACH = 6
EPOCHS = 40
BATCH = 100
IDS = [*string.ascii_lowercase, *string.digits]


def digits() -> tuple[Images, NDArray[np.int64]]:
    """Grey images, 8 by 8, in an order of chance, and which digit each shows."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return (found.images * 15.9).astype(np.uint8)[order], found.target[order]


def untrained(folder: Path) -> tuple[Any, Any]:
    """A CLIP of two small layers that reads letter by letter, and its processor."""
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    tokens = [*IDS, *(f"{each}</w>" for each in IDS), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({each: at for at, each in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.model_max_length = 32
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
              "num_attention_heads": 2}  # fmt: skip
    end = len(tokens) - 1
    text = {"vocab_size": len(tokens), "max_position_embeddings": 32,
            "bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}  # fmt: skip
    vision = {"image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config=layers | text, vision_config=layers | vision, projection_dim=16)
    edge = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return CLIPModel(config), CLIPProcessor(CLIPImageProcessorPil(**edge), tokenizer)


def train(model: Any, processor: Any, images: Images, labels: NDArray[np.int64]) -> None:
    """Bring images and their captions together; a caption fits every image of its digit."""
    import torch

    pixels = processor(images=pictures(images), return_tensors="pt")["pixel_values"]
    chance = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    model.train()
    for epoch in range(EPOCHS):
        lost = 0.0
        order = chance.permutation(len(images))
        for at in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            captions = [chance.choice(CAPTIONS).format(WORDS[each]) for each in labels[chosen]]
            words = processor(text=captions, return_tensors="pt", padding=True)
            scores = model(pixel_values=pixels[chosen], **words).logits_per_image
            same = torch.tensor(labels[chosen][:, None] == labels[chosen][None, :]).float()
            fits = same / same.sum(1, keepdim=True)
            loss = torch.nn.functional.cross_entropy(scores, fits)
            loss = loss + torch.nn.functional.cross_entropy(scores.T, fits)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            lost += loss.item()
        print(f"epoch {epoch + 1}: loss {lost * BATCH / len(images):.3f}", flush=True)
    model.eval()


def pictures(images: Images) -> list[Any]:
    """Pillow's images, RGB as LDB gives them to a model."""
    from PIL import Image

    return [Image.fromarray(each).convert("RGB") for each in images]


def accuracy(model: Any, processor: Any, images: Images, labels: NDArray[np.int64]) -> float:
    """How often "a photo of a …" of the right digit is the nearest of the ten."""
    import torch

    captions = [CAPTIONS[0].format(each) for each in WORDS]
    given = processor(text=captions, images=pictures(images), return_tensors="pt", padding=True)
    with torch.inference_mode():
        nearest = model(**given).logits_per_image.argmax(1).numpy()
    return float((nearest == labels).mean())


def sheet(images: Images, labels: NDArray[np.int64]) -> Images:
    """The first images of each digit, side by side."""
    rows = [np.hstack(list(images[labels == each][:EACH])) for each in range(len(WORDS))]
    return np.vstack(rows)


def main(folder: Path) -> None:
    """Train, say how good it is, save."""
    import torch
    from PIL import Image

    torch.manual_seed(0)
    torch.set_num_threads(1)  # layers this small gain nothing from more
    folder.mkdir(exist_ok=True)
    images, labels = digits()
    model, processor = untrained(folder)
    train(model, processor, images[HELD_OUT:], labels[HELD_OUT:])
    right = accuracy(model, processor, images[:HELD_OUT], labels[:HELD_OUT])
    print(f"of {HELD_OUT} images that it was not trained on, {right:.2f} get the right caption")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)  # a file that transformers 4 looks for
    Image.fromarray(sheet(images[:HELD_OUT], labels[:HELD_OUT])).save(folder / "digits.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
