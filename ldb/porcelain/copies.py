"""Copies of what lies in no storage location, made in the read-add location.

Files from outside of all locations, and data objects inside of files (`webdataset`). Copies are
named by their content, so copying again changes nothing; they are indexed where they are then.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ldb.errors import BadInput
from ldb.formats.base import Trouble
from ldb.formats.pairs import pair
from ldb.indexing.read import Problem
from ldb.indexing.run import own_folder
from ldb.indexing.targets import Target, targets_of
from ldb.instance import Settings
from ldb.porcelain.place import Place
from ldb.progress import Progress
from ldb.storage.importing import Imported, import_file
from ldb.storage.listing import Folder, read_folder, walk
from ldb.storage.location import is_remote, local_path, shown, uri_of

if TYPE_CHECKING:
    from ldb.formats.webdataset import Sample, Shards


class Copies:
    """Copies of files that lie in no storage location, made in the read-add location."""

    def __init__(
        self, place: Place, strict: bool, problems: list[Problem], progress: Progress
    ) -> None:
        self._place = place
        self._instance = place.instance
        self._strict = strict
        self._problems = problems
        self._progress = progress
        self._ids: dict[str, set[bytes]] = {}
        self._import: Callable[[bytes, bytes, bytes, str], Imported] = import_file
        self.root = ""
        """Where the copies are; empty where none was needed."""
        self.stored: list[str] = []
        """URIs of those copies that are in an object store."""
        self.count = 0

    def targets_for(self, paths: Sequence[str]) -> list[Target]:
        """What to index for these: themselves, or their copies."""
        settings = self._instance.settings()
        known = [each for each in paths if _in_location(settings, uri_of(each))]
        others = sorted(set(paths) - set(known))
        if others:
            self._open(_read_add(settings, others))
        return targets_of(
            [*known, *self._local(copy for each in others for copy in self._copy(each))]
        )

    def _open(self, url: str) -> None:
        """From now on copies go to this read-add location."""
        self.root = shown(url)
        self._progress.start("copying")
        if is_remote(url):
            self._import = self._into_store(url)

    def _local(self, copies: Iterable[str]) -> list[str]:
        """Those of the copies that are local; the others are `stored`."""
        if not is_remote(self.root):
            return list(copies)
        self.stored += copies
        return []

    def unpacked(self, paths: Sequence[str], shards: Shards) -> list[Target]:
        """What to index of the data objects inside of files: copies of them all."""
        if not paths:
            return []
        url = next((each.url for each in self._instance.settings().locations if each.read_add), "")
        if not url:
            why = "holds data objects inside of files, which are copied to be indexed"
            hint = "give them a place: ldb add-storage -a true DIR"
            raise BadInput(paths[0], why, hint)
        self._open(url)
        return targets_of(
            self._local(copy for path in paths for copy in self._unpack(path, shards))
        )

    def _unpack(self, path: str, shards: Shards) -> Iterator[str]:
        self._ids[path] = set()
        for target in targets_of([path]):
            for folder in self._folders(target):
                for name in folder.names:
                    wanted = target.names is None or name in target.names
                    if wanted and shards.is_shard(os.fsdecode(name)):
                        for done in self._unpack_shard(folder.path + name, shards):
                            self._ids[path].add(done.id)
                            yield os.fsdecode(done.path)

    def _unpack_shard(self, path: bytes, shards: Shards) -> Iterator[Imported]:
        try:
            file = open(path, "rb")  # noqa: SIM115  (closed below)
        except OSError as error:
            self._report(path, f"cannot be read: {error.strerror}")
            return
        with file, tempfile.TemporaryDirectory(prefix="ldb-") as folder:
            for sample in shards.samples("", file):
                if isinstance(sample, Trouble):
                    why = f"{sample.record}: {sample.why}" if sample.record else sample.why
                    self._report(path, why)
                else:
                    yield from self._unpack_sample(path, sample, os.fsencode(folder))

    def _unpack_sample(self, shard: bytes, sample: Sample, folder: bytes) -> Iterator[Imported]:
        """Copies of a sample's data, by way of a temporary folder."""
        from ldb.formats.jsontext import json_text  # orjson: pairs do without

        note = b""
        if sample.parts:
            from ldb.formats.jsontext import json_text  # orjson, which pairs do without

            note = os.path.join(folder, b"annotation")
            with open(note, "wb") as file:
                file.write(json_text(sample.annotation))
        for name, content in sample.data:
            source = os.path.join(folder, b"data", os.fsencode(name))
            os.makedirs(os.path.dirname(source), exist_ok=True)
            try:
                with open(source, "wb") as file:
                    shutil.copyfileobj(content(), file, 1 << 20)
                root, algorithm = os.fsencode(self.root), self._instance.object_hash
                yield self._import(source, note, root, algorithm)
                self.count += 1
                self._progress.advance()
            except (OSError, tarfile.TarError, BadInput) as error:
                why = error.why if isinstance(error, BadInput) else str(error)
                self._report(shard, f"{name!a}: cannot be unpacked: {why}")
            finally:
                with suppress(OSError):
                    os.unlink(source)

    def _into_store(self, url: str) -> Callable[[bytes, bytes, bytes, str], Imported]:
        from ldb.clouds.opening import open_client
        from ldb.porcelain.clouds import reach
        from ldb.storage.storing import store_file

        reach(self._place, [url])
        return partial(store_file, open_client(url))

    def ids_of(self, found: Mapping[str, Sequence[str]]) -> dict[str, frozenset[bytes]]:
        """The ids of copied files, by what the user called them."""
        given = {text: set(paths) & self._ids.keys() for text, paths in found.items()}
        return {
            text: frozenset(name for path in paths for name in self._ids[path])
            for text, paths in given.items()
            if paths
        }

    def _copy(self, path: str) -> list[str]:
        """Paths of the copies of a file, or of all files in a folder."""
        copies = []
        self._ids[path] = set()
        for target in targets_of([path]):
            for folder in self._folders(target):
                for done in self._copy_folder(folder, target.names):
                    self._ids[path].add(done.id)
                    copies.append(os.fsdecode(done.path))
        return copies

    def _folders(self, target: Target) -> Iterator[Folder]:
        if target.names is None:
            yield from walk(target.folder, self._report, own_folder(self._instance))
        else:
            yield read_folder(target.folder, target.about(self._report))[0]

    def _copy_folder(self, folder: Folder, names: frozenset[bytes] | None) -> Iterator[Imported]:
        for at, note in pair(folder.names, self._strict).data:
            if names is not None and folder.names[at] not in names:
                continue
            source = folder.path + folder.names[at]
            annotation = folder.path + folder.names[note] if note >= 0 else b""
            try:
                yield self._import(
                    source, annotation, os.fsencode(self.root), self._instance.object_hash
                )
            except OSError as error:
                self._report(source, f"cannot be read: {error.strerror}")
            except BadInput as error:
                self._report(source, error.why)
            else:
                self.count += 1
                self._progress.advance()

    def _report(self, path: bytes, why: str) -> None:
        self._problems.append(Problem(os.fsdecode(path), why))


def _read_add(settings: Settings, paths: Sequence[str]) -> str:
    """Where files from outside all locations are copied to: its URL; raises `BadInput`."""
    for path in paths:
        inside = [
            each.url for each in settings.locations if each.url.startswith(uri_of(path) + "/")
        ]
        if inside:
            raise BadInput(
                path,
                "holds a storage location but lies in none",
                f"index that one: {local_path(inside[0])}",
            )
    found = next((each for each in settings.locations if each.read_add), None)
    if found is None:
        folder = paths[0] if os.path.isdir(paths[0]) else os.path.dirname(paths[0])
        raise BadInput(
            paths[0], "lies in no storage location", f"register it: ldb add-storage {folder}"
        )
    return found.url


def _in_location(settings: Settings, uri: str) -> bool:
    return any(each.holds(uri) for each in settings.locations)
