"""CLIP, for images and words, by the `transformers` library: extra `ldb[clip]`.

The model is the setting `clip.model`: a folder, or the name of one that is in the user's hub
cache. Nothing is downloaded, no code of a model is run.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ldb.errors import NotFound, Unsupported

DEFAULT = "openai/clip-vit-base-patch32"
_KINDS = (".json", ".txt", ".safetensors", ".bin", ".model")
_PIECE = 1 << 20


def make(settings: Mapping[str, str]) -> Clip:
    """The encoder; raises `Unsupported` without the libraries, `NotFound` without the model."""
    try:
        import PIL  # noqa: F401
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise Unsupported(f"clip without {error.name}", "pip install 'ldb[clip]'") from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folder, version = _find(settings.get("model", DEFAULT))
    return Clip(folder, version)


def _find(model: str) -> tuple[str, str]:
    """The folder of a model, and what tells it from others."""
    if os.path.isdir(model):
        return model, _digest(model)
    hint = "set clip.model to a folder, or fetch it into the hub's cache: hf download NAME"
    if os.path.isabs(model) or model.startswith(".") or model.count("/") > 1:
        raise NotFound("CLIP model", model, hint)
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(model, local_files_only=True)
    except Exception as error:  # its errors are many
        raise NotFound("CLIP model", model, hint) from error
    return folder, os.path.basename(folder)  # the commit


def _digest(folder: str) -> str:
    """SHA-256 over the files of a model."""
    digest = hashlib.sha256()
    for name in sorted(each for each in os.listdir(folder) if each.endswith(_KINDS)):
        digest.update(name.encode() + b"\0")
        with open(os.path.join(folder, name), "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


class Clip:
    """A CLIP model; loaded when the first vector is asked for."""

    name = "clip"
    modality = "image"

    def __init__(self, folder: str, version: str) -> None:
        self.version = f"1 {version}"  # 1: how it is asked, below
        self._folder = folder
        self._loaded: tuple[Any, Any] | None = None

    def _model(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoModel, AutoProcessor

            given = {"local_files_only": True, "trust_remote_code": False}
            model = AutoModel.from_pretrained(self._folder, **given)
            self._loaded = model.eval(), AutoProcessor.from_pretrained(self._folder, **given)
        return self._loaded

    def encode(self, data: Sequence[bytes]) -> Any:
        """Vectors of images."""
        from PIL import Image

        model, processor = self._model()
        images = [Image.open(io.BytesIO(each)).convert("RGB") for each in data]
        return _vectors(model.get_image_features, processor(images=images, return_tensors="pt"))

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """Vectors of texts; what is too long for the model is cut."""
        model, processor = self._model()
        longest = model.config.text_config.max_position_embeddings
        given = processor(
            text=list(texts), return_tensors="pt", padding=True, truncation=True, max_length=longest
        )
        return _vectors(model.get_text_features, given)


def _vectors(ask: Any, given: Mapping[str, Any]) -> Any:
    import torch

    with torch.inference_mode():
        found = ask(**given)
    return getattr(found, "pooler_output", found).float().numpy()  # a tensor before transformers 5
