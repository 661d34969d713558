"""Width and height of an image that is written: of its annotation, else of its file's header."""

from __future__ import annotations

from ldb.formats.base import Folder, Item
from ldb.formats.boxes.imagesize import image_size
from ldb.formats.boxes.shape import Size, as_json, size_of


class Sizes:
    """Looks into files of the target folder, and only where an annotation has no size."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def of(self, item: Item) -> Size | None:
        """None where it is not known: no data was written, or the file is none of those read."""
        size = size_of(as_json(item.annotation))
        return size or self._of_file(item.path)

    def _of_file(self, path: str) -> Size | None:
        file = self._folder.open(path)
        if file is None:
            return None
        with file:
            return image_size(file)
