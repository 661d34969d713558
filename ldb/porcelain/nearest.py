"""Sorting by nearness: `--sort 'clip "dog dance"'`, `--sort 'clip-image FILE'`.

What is not known yet is read, checked against its id and encoded, here or by the workers of a
cluster, and kept; then one product tells the order. docs/design/021-encoders.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, key_bytes
from ldb.engines.local import LocalEngine
from ldb.errors import SAME_DISKS, BadInput, NotFound, StoreFailed
from ldb.porcelain.clouds import reach
from ldb.porcelain.localfiles import left_out, local_files, lying, remote_places
from ldb.porcelain.place import Place
from ldb.porcelain.sources import id_rows
from ldb.processes import batches
from ldb.progress import SILENT, Progress
from ldb.query.plugins import Order
from ldb.query.selected import Selected
from ldb.search import encoder as encoders
from ldb.search.encoder import Encoder, TextEncoder
from ldb.search.encoding import EncoderFailed, encode_query, encode_text
from ldb.search.vectors import VectorStore
from ldb.search.workers import Asked, Encoded, EncoderOpener, read_object

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
        return _Nearest(place, catalog, base, encoder, messages, progress).order(rows, query)

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
        entry: str,
        encoder: Encoder,
        messages: list[str],
        progress: Progress,
    ) -> None:
        self._place = place
        self._catalog = catalog
        self._entry = entry
        self._encoder = encoder
        self._messages = messages
        self._progress = progress
        width = catalog.instance.id_bytes
        self._kept = VectorStore(place.own.vectors, encoder.name, encoder.version, width)
        self._ids: list[bytes] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._failed: dict[bytes, str] = {}
        """What could not be encoded in this run."""
        self._doubtful: dict[str, list[bytes]] = {}
        """The same by workers."""
        self._able: set[str] = set()
        """Workers that encoded something."""
        self._away = False
        """Whether workers are in other processes, maybe on other machines."""
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
        self._progress.start(self._encoder.name, len(rows))
        with self._place.own.engine() as engine:
            self._away = not isinstance(engine, LocalEngine)
            if self._away:
                reach(self._place)
                asked = self._where_they_lie(rows)
            else:
                engine = LocalEngine(1)  # a model uses all processors by itself
                asked = self._at_hand(rows)
            opener = EncoderOpener(
                self._entry,
                _settings(self._place, self._entry),
                self._encoder.name,
                self._encoder.version,
                self._catalog.instance.object_hash,
                self._encoder,
            )
            work = engine.run(
                opener, batches(asked, BATCH, BATCH_BYTES), "encoding", together=False
            )
            try:
                with work as results:
                    for result in results:
                        self._take(result)
            finally:
                self._keep()

    def _at_hand(self, rows: Selected) -> Iterator[Asked]:
        """All that is in files here; what is in object stores is fetched into the cache."""
        names = key_bytes(rows.ids)
        for file in local_files(self._place, self._catalog, rows, SILENT):
            if file.path and file.size <= MAX_BYTES:
                yield Asked(names[file.at], file.size, file.path)
            else:
                self._leave_out(names[file.at], file.why)

    def _where_they_lie(self, rows: Selected) -> Iterator[Asked]:
        """The same where others read: what is in object stores stays there."""
        names = key_bytes(rows.ids)
        for file, record in lying(self._catalog, rows):
            places = tuple(remote_places(record)) if record else ()
            if (file.path or places) and file.size <= MAX_BYTES:
                yield Asked(names[file.at], file.size, file.path, places)
            else:
                self._leave_out(names[file.at], file.why)

    def _leave_out(self, name: bytes, why: str) -> None:
        self._progress.advance()
        self._unread[name] = why or f"it is larger than {MAX_BYTES >> 20} MiB"

    def _broken(self) -> EncoderFailed:
        """Of all that was selected nothing could be encoded."""
        name, why = next(iter(self._failed.items()))
        return EncoderFailed(self._encoder.name, f"could encode nothing: id:{name.hex()}: {why}")

    def _take(self, result: Encoded) -> None:
        self._progress.advance(len(result))
        for asked, why in result.unread:
            if self._away and read_object(asked, self._catalog.instance.object_hash)[0] is not None:
                raise StoreFailed("encoding", f"{why}, and can be read here", SAME_DISKS)
            self._unread[asked.id] = why
        self._failed.update(result.failed)
        self._doubtful.setdefault(result.worker, []).extend(result.failed)
        if result.ids:
            self._able.add(result.worker)
            self._ids += result.ids
            self._vectors.append(result.vectors)
            if len(self._ids) >= KEEP_EVERY:
                self._keep()

    def _keep(self) -> None:
        """Keep what there is."""
        if self._ids:
            self._kept.add(self._ids, np.concatenate(self._vectors))
            self._ids, self._vectors = [], []

    def _note_failures(self, dimensions: int) -> None:
        """So that they are not read again, by this version of the encoder.

        A worker elsewhere that encoded nothing may be a broken one, whose word is not kept.
        """
        noted = [
            name
            for worker, names in self._doubtful.items()
            if worker in self._able or not self._away
            for name in names
        ]
        none = np.full((len(noted), dimensions), np.nan, np.float32)
        self._kept.add(noted, none)
