"""Sorting by nearness: `--sort 'clip "dog dance"'`, `--sort 'clip-image FILE'`.

What is not known yet is read, checked against its id, encoded and kept; then one product
tells the order. docs/design/021-encoders.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, key_bytes
from ldb.errors import BadInput, NotFound
from ldb.porcelain.localfiles import left_out, local_files
from ldb.porcelain.place import Place
from ldb.porcelain.sources import id_rows
from ldb.progress import SILENT, Progress
from ldb.query.plugins import Order
from ldb.query.selected import Selected
from ldb.search import encoder as encoders
from ldb.search.encoder import Encoder, TextEncoder
from ldb.search.encoding import EncoderFailed, encode, encode_query, encode_text
from ldb.search.vectors import VectorStore
from ldb.storage.reading import HASHES

BATCH = 64
BATCH_BYTES = 64 << 20
MAX_BYTES = 256 << 20
"""Larger data objects are not encoded."""
KEEP_EVERY = 4096
"""Vectors after which they are kept, so that little is lost where a run is stopped."""


def by_nearness(
    place: Place,
    catalog: Catalog,
    messages: list[str],
    progress: Progress,
    name: str,
    words: Sequence[str],
) -> Order | None:
    """The order that an encoder gives; None where `name` is none. Raises `BadInput`."""
    found = encoders.find(name)
    if found is None:
        return None
    base, suffix = found
    if not words:
        raise BadInput(f"--sort {name}", "near to what?", f"name it: --sort '{name} …'")

    def order(rows: Selected) -> NDArray[np.intp]:
        encoder = encoders.load(base, _settings(place, base))
        query = _query(place, catalog, encoder, suffix, words)
        return _Nearest(place, catalog, encoder, messages, progress).order(rows, query)

    return order


def _settings(place: Place, name: str) -> dict[str, str]:
    """What the user's settings say under the encoder's name; paths start at the home folder."""
    own = place.own
    start = f"{name}."
    found = {key[len(start) :]: text for key, text in own.settings.values.items()
             if key.startswith(start)}  # fmt: skip
    model = found.get("model", "")
    if model.startswith(("~/", "./", "../")):
        found["model"] = os.path.normpath(os.path.join(own.home, model.removeprefix("~/")))
    return found


def _query(
    place: Place, catalog: Catalog, encoder: Encoder, suffix: str, words: Sequence[str]
) -> NDArray[np.float32]:
    """The vector of what is asked with: words, a file, or a data object."""
    can = isinstance(encoder, TextEncoder)
    if suffix not in ("", "text", "file", encoder.modality):
        raise BadInput(f"{encoder.name}-{suffix}", f"it encodes {encoder.modality}s")
    if suffix == "text" and not can:
        hint = f"give it a file: {encoder.name} FILE"
        raise BadInput(f"{encoder.name}-text", "it knows no words", hint)
    if isinstance(encoder, TextEncoder) and suffix in ("", "text"):
        return encode_text(encoder, " ".join(words))
    if len(words) != 1:
        raise BadInput(encoder.name, f"wants one file or id:, not {len(words)} words")
    return encode_query(encoder, _bytes_of(place, catalog, words[0]), words[0])


def _bytes_of(place: Place, catalog: Catalog, word: str) -> bytes:
    """The content of a file, or of a data object."""
    path = os.path.join(place.cwd, word)
    if word.startswith("id:"):
        rows = id_rows(catalog, [catalog.expand(word[3:])])
        if not len(rows):
            raise NotFound("data object", word, "is it indexed? `ldb list ds:root`")
        (file,) = local_files(place, catalog, rows, SILENT)
        if not file.path:
            raise NotFound("data object", word, file.why)
        path = file.path
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise BadInput(word, f"is larger than {MAX_BYTES >> 20} MiB")
        with open(path, "rb") as opened:
            return opened.read()
    except FileNotFoundError:
        raise NotFound("file", word) from None
    except OSError as error:
        raise BadInput(word, f"cannot be read: {error.strerror}") from None


class _Nearest:
    def __init__(
        self,
        place: Place,
        catalog: Catalog,
        encoder: Encoder,
        messages: list[str],
        progress: Progress,
    ) -> None:
        self._place = place
        self._catalog = catalog
        self._encoder = encoder
        self._messages = messages
        self._progress = progress
        width = catalog.instance.id_bytes
        self._kept = VectorStore(place.own.vectors, encoder.name, encoder.version, width)
        self._ids: list[bytes] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._failed: dict[bytes, str] = {}
        """What could not be encoded in this run."""
        self._unread: dict[bytes, str] = {}

    def order(self, rows: Selected, query: NDArray[np.float32]) -> NDArray[np.intp]:
        """Positions, nearest first; those without a vector last."""
        missing = np.flatnonzero(~self._kept.known(rows.ids))
        if len(missing):
            self._encode(rows.take(missing))
            if len(self._failed) + len(self._unread) == len(rows) and self._failed:
                raise self._broken()
            self._note_failures(len(query))
        scores = self._kept.scores(rows.ids, query)
        without = np.flatnonzero(np.isnan(scores.values))
        if len(without):
            self._tell(key_bytes(rows.ids[without]))
        return np.argsort(-scores.values, kind="stable")  # NaN sorts last

    def _tell(self, names: list[bytes]) -> None:
        first = names[0]
        why = self._failed.get(first) or self._unread.get(first) or "it cannot be encoded"
        text = left_out(self._encoder.name, len(names), f"id:{first.hex()} ({why})")
        self._messages.append(text.replace("leaves out", "puts last"))

    def _encode(self, rows: Selected) -> None:
        names = key_bytes(rows.ids)
        self._progress.start(self._encoder.name, len(rows))
        batch: list[tuple[bytes, bytes]] = []
        size = 0
        try:
            for file in local_files(self._place, self._catalog, rows, SILENT):
                self._progress.advance()
                data = self._read(names[file.at], file.path, file.size, file.why)
                if data is None:
                    continue
                batch.append((names[file.at], data))
                size += len(data)
                if len(batch) >= BATCH or size >= BATCH_BYTES:
                    self._take(batch)
                    batch, size = [], 0
                    if len(self._ids) >= KEEP_EVERY:
                        self._keep()
            if batch:
                self._take(batch)
        finally:
            self._keep()

    def _broken(self) -> EncoderFailed:
        """Of all that was selected nothing could be encoded."""
        name, why = next(iter(self._failed.items()))
        return EncoderFailed(self._encoder.name, f"could encode nothing: id:{name.hex()}: {why}")

    def _read(self, name: bytes, path: str, size: int, why: str) -> bytes | None:
        """The content of a data object, which its id proves; None where it cannot be had."""
        if path and size <= MAX_BYTES:
            try:
                with open(path, "rb") as file:
                    data = file.read(size + 1)
            except OSError as error:
                why = f"{path} cannot be read: {error.strerror}"
            else:
                if HASHES[self._catalog.instance.object_hash](data).digest() == name:
                    return data
                why = f"{path} has changed since it was indexed"
        self._unread[name] = why or f"it is larger than {MAX_BYTES >> 20} MiB"
        return None

    def _take(self, batch: list[tuple[bytes, bytes]]) -> None:
        vectors, failed = encode(self._encoder, [data for _, data in batch])
        for at, (name, _) in enumerate(batch):
            if at in failed:
                self._failed[name] = failed[at]
            else:
                self._ids.append(name)
                self._vectors.append(vectors[at])

    def _keep(self) -> None:
        """Keep what there is."""
        if self._ids:
            self._kept.add(self._ids, np.stack(self._vectors))
            self._ids, self._vectors = [], []

    def _note_failures(self, dimensions: int) -> None:
        """So that they are not read again, by this version of the encoder."""
        none = np.full((len(self._failed), dimensions), np.nan, np.float32)
        self._kept.add(list(self._failed), none)
