"""Images among the names of a listing, and which of them a YOLO label file is for."""

from __future__ import annotations

from collections.abc import Sequence

from ldb.formats.boxes.finding import without_extension

_EXTENSIONS = frozenset((
    "avif", "bmp", "dng", "gif", "heic", "jfif", "jp2", "jpeg", "jpg", "mpo", "png", "ppm",
    "pgm", "tif", "tiff", "webp",
))  # fmt: skip


def is_image(name: str) -> bool:
    """Whether a file is an image, by its extension."""
    return name.rpartition(".")[2].lower() in _EXTENSIONS


class Images:
    """Images by the label file that is theirs."""

    def __init__(self, names: Sequence[str]) -> None:
        self._by_stem: dict[str, str] = {}
        for name in names:
            if is_image(name):
                self._by_stem.setdefault(without_extension(name), name)

    def of(self, label: str) -> str:
        """The image of a label file; empty where there is none."""
        stem = without_extension(label)
        parts = stem.split("/")
        for at in range(len(parts) - 2, -1, -1):
            if parts[at] == "labels":
                found = self._by_stem.get("/".join([*parts[:at], "images", *parts[at + 1 :]]))
                if found:
                    return found
        return self._by_stem.get(stem, "")
