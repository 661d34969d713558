"""`ldb index --ephemeral-remote`: cloud files that lie in no storage location.

They are fetched into a temporary folder, laid out as in the bucket, and go on from there as
local files from outside of all locations do: into the read-add location, to be indexed there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ldb.clouds.base import Client, Get, Stat
from ldb.clouds.opening import open_client
from ldb.errors import BadInput, LdbError, NotFound
from ldb.formats.pairs import stem_of
from ldb.indexing.read import Problem
from ldb.instance import Settings
from ldb.porcelain.cloudpaths import is_object
from ldb.porcelain.clouds import location_of, reach
from ldb.porcelain.index import Indexed, index
from ldb.porcelain.place import Place
from ldb.progress import SILENT, Progress
from ldb.storage.globs import fits, fixed_folder, parts_of
from ldb.storage.location import is_glob, is_remote, is_web, to_uri
from ldb.storage.remote import key_of
from ldb.threads import pool

AT_ONCE = 16
"""Files that are fetched at the same time."""


def index_fetching(
    place: Place, paths: Sequence[str], *, progress: Progress = SILENT, **options: Any
) -> Indexed:
    """`index`, but cloud paths in no location are copied to the read-add location first."""
    with tempfile.TemporaryDirectory(prefix="ldb-") as folder:
        fetched = Fetched(folder)
        settings = place.instance.settings()
        given = [_fetch(place, settings, text, fetched, progress) for text in paths]
        done = index(place, given, progress=progress, **options)
        return fetched.named_as_given(done)


@dataclass
class Fetched:
    """What was fetched, and where it came from."""

    folder: str
    texts: dict[str, str] = field(default_factory=dict)
    """What the user typed, by the local path that stands for it."""
    roots: dict[str, str] = field(default_factory=dict)
    """URL of a bucket, by the folder that stands for it."""
    problems: list[Problem] = field(default_factory=list)

    def named_as_given(self, done: Indexed) -> Indexed:
        """The same with the paths that the user knows."""
        report = done.report
        report.problems[:] = [
            *self.problems,
            *(replace(each, path=self._remote(each.path)) for each in report.problems),
        ]
        ids = {self.texts.get(path, path): found for path, found in done.ids.items()}
        layouts = tuple(replace(each, path=self._remote(each.path)) for each in done.layouts)
        return replace(done, ids=ids, layouts=layouts)

    def _remote(self, path: str) -> str:
        root = next((each for each in self.roots if (path + "/").startswith(each + "/")), None)
        return path if root is None else self.roots[root] + path[len(root) :]


def _fetch(
    place: Place, settings: Settings, text: str, fetched: Fetched, progress: Progress
) -> str:
    """The local path that stands for a path: itself, unless it is of a cloud and in no location."""
    uri = to_uri(text, place.cwd)
    if not is_remote(uri) or location_of(settings, fixed_folder(uri) if is_glob(uri) else uri):
        return text
    inside = [each.url for each in settings.locations if each.url.startswith(uri + "/")]
    if inside:
        raise BadInput(
            text, "holds a storage location but lies in none", f"index that one: {inside[0]}"
        )
    if not any(each.read_add for each in settings.locations):
        hint = "give copies a place: ldb add-storage -a true DIR"
        raise BadInput(text, "lies in no storage location", hint)
    reach(place, [uri])
    client, key = open_client(uri), key_of(uri)
    root = os.path.join(fetched.folder, str(len(fetched.roots)))
    os.mkdir(root)
    fetched.roots[root] = uri[: len(uri) - len(key)].rstrip("/")
    wanted = _wanted(client, uri, text)
    progress.start("fetching", len(wanted))
    with pool(AT_ONCE) as threads:
        for stat, why in threads.map(lambda stat: (stat, download(client, stat, root)), wanted):
            if why:
                fetched.problems.append(Problem(fetched.roots[root] + "/" + stat.key, why))
            progress.advance()
    local = os.path.join(root, *key.split("/")) if key else root
    fetched.texts[local] = text
    return local


def _wanted(client: Client, uri: str, text: str) -> list[Stat]:
    """The objects that a URI stands for, annotations beside them among these."""
    key = key_of(uri)
    if is_web(uri):
        return [client.head(key)]
    if is_glob(uri) and not is_object(client, key):
        fixed = key_of(fixed_folder(uri))
        parts = parts_of(key[len(fixed) :])
        found = list(client.list(fixed))
        fitting = [
            each for each in found if fits(parts, each.key[len(fixed) :].split("/"), below=True)
        ]
        stems = {_stem(each.key) for each in fitting}
        wanted = [each for each in found if _stem(each.key) in stems]
    elif key and not text.endswith("/") and is_object(client, key):
        stem = _stem(key)
        wanted = [each for each in client.list(stem) if _stem(each.key) == stem]
    else:
        wanted = list(client.list(key and key.rstrip("/") + "/"))
    if not wanted:
        raise NotFound("path", text)
    return [each for each in wanted if not _passed_over(each.key)]


def _stem(key: str) -> str:
    folder, slash, name = key.rpartition("/")
    return folder + slash + os.fsdecode(stem_of(os.fsencode(name)))


def _passed_over(key: str) -> bool:
    """Whether an object is hidden, or stands for a folder."""
    return key.endswith("/") or any(
        part.startswith(".") and part not in (".", "..") for part in key.split("/")
    )


def download(client: Client, stat: Stat, root: str) -> str:
    """Write an object below `root`; what kept it from that, if anything did."""
    parts = stat.key.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return "cannot be the name of a file"
    path = os.path.join(root, *parts)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            for piece in client.stream(Get(stat.key, token=stat.token)):
                file.write(piece)
    except OSError as error:
        return f"cannot be fetched: {error.strerror}"
    except LdbError as error:
        return f"cannot be fetched: {error}"
    return ""
