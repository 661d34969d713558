"""`label-studio`: tasks as Label Studio imports and exports them, a list of them in a file.

A whole task is one annotation. `data.data-object-info` in it says which data object it is for:
`md5`, its id, and `path_key`, where in the task the data file's URL stands. So tasks find their
objects again after they were labelled, whatever Label Studio adds to them; matched by id, then
by URL, never by position. One that comes back as it went out says nothing: the annotation of its
object stays. docs/formats/labels.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from datetime import datetime, timezone
from functools import partial
from hashlib import blake2b
from itertools import islice
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from ldb.errors import BadInput
from ldb.formats.annotations import write_list
from ldb.formats.base import (
    BaseReader,
    BaseWriter,
    Files,
    Folder,
    Item,
    Labelled,
    Listing,
    Losses,
    Peek,
    Read,
    State,
    Trouble,
    Values,
    read_each,
)
from ldb.formats.jsonfiles import json_values
from ldb.formats.keys import key_path, put_at, taken_at
from ldb.storage.location import has_scheme, is_local, local_path, to_uri, uri_of

INFO = "data-object-info"
SERVED = "/data/local-files/?d="
"""What Label Studio puts before the path of a file below its document root."""

UPLOADED = "/data/upload/"


def reader(params: Values) -> Tasks:
    """Reads every `.json` file of the location."""
    return Tasks(params["path-key"], params["document-root"])


def writer(params: Values) -> TaskFiles:
    """Writes tasks, ready to be imported."""
    return TaskFiles(params["path-key"], params["document-root"], params["tasks-per-file"])


def recognise(peek: Peek) -> str:
    """A `.json` file that is a list of tasks."""
    for name in [each for each in peek.names if each[-5:].lower() == ".json"][:3]:
        head = peek.head(name)
        told = any(f'"{word}"'.encode() in head for word in ("annotations", "predictions", INFO))
        if head.lstrip()[:1] == b"[" and b'"data"' in head and told:
            return f"{name} is a list of tasks with `data`"
    return ""


class Tasks(BaseReader):
    """Reads tasks."""

    def __init__(self, path_key: str, root: str) -> None:
        self._path_key = path_key
        self._root = root

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if name[-5:].lower() == ".json"], ())

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        return read_each(listing, labels, self._of_file)

    def _of_file(self, name: str, file: BinaryIO) -> Iterator[Read]:
        for each in json_values(name, file):
            if isinstance(each, Trouble):
                yield each
                continue
            record, task = each
            try:
                yield self._labelled(name, record, task)
            except BadInput as error:
                yield Trouble(name, f"{error.where}: {error.why}", record)

    def _labelled(self, name: str, record: str, task: Any) -> Labelled:
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict):
            raise BadInput("task", "has no `data`; export as JSON, not as JSON-MIN")
        info = data.get(INFO, {})
        if not isinstance(info, dict):
            raise BadInput(f"data.{INFO}", "is no object")
        digits = info.get("md5", "")
        if not isinstance(digits, str):
            raise BadInput(f"data.{INFO}.md5", "is no text")
        path_key = self._key_of(data, info)
        if not digits and not path_key:
            why = "holds neither an id nor a single URL; -p path-key=data.KEY says which"
            raise BadInput("data", why)
        url = taken_at(key_path("path_key", path_key), task) if path_key else None
        try:
            path = self._path(url, path_key)
        except BadInput:
            if not digits:
                raise
            path = ""  # the id will do
        data[INFO] = {**info, "path_key": path_key} if path_key else info
        sent = bool(digits and info.get("path_key"))
        stays = partial(_says_already, task, path_key) if sent else None
        at = ("data", INFO, "md5")
        return Labelled(task, name, record, path, digits, at, stays, _state_of)

    def _key_of(self, data: dict[str, Any], info: dict[str, Any]) -> str:
        """Where the URL is: as the task says, as the user says, or the only key there is."""
        given = info.get("path_key", "")
        if not isinstance(given, str):
            raise BadInput(f"data.{INFO}.path_key", "is no text")
        if given or self._path_key:
            return given or self._path_key
        others = [key for key, value in data.items() if key != INFO and isinstance(value, str)]
        if len(others) > 1:
            others = [key for key in others if _is_url(data[key])]
        return f"data.{others[0]}" if len(others) == 1 and "." not in others[0] else ""

    def _path(self, url: Any, path_key: str) -> str:
        """What the index may know the data file by."""
        if not isinstance(url, str) or not url:
            raise BadInput(path_key, "is no URL")
        if url.startswith(UPLOADED):
            why = "was uploaded into Label Studio, so where it came from is not known"
            raise BadInput(path_key, why)
        if url.startswith(SERVED):
            return f"{self._root.rstrip('/')}/{unquote(url[len(SERVED) :])}"
        return to_uri(url, "/") if has_scheme(url) else url


def _says_already(task: dict[str, Any], path_key: str, current: Any) -> bool:
    """Whether a task that LDB wrote out for an object has nothing that its annotation has not:
    the same labels, or, where that is no task or there is none, no labels."""
    said = _said(task)
    if isinstance(taken_at(["data"], current), dict):
        return said == _said(current)
    labels, data, meta = said
    as_sent = data.keys() <= {*path_key.split(".")[1:2]} and {*meta} <= {"annotation"}
    return as_sent and not any(labels)


def _state_of(task: Any) -> State | None:
    """Which task of a project this is, and when it, or a label in it, was touched last.

    Label Studio sets the `updated_at` of a task when it is labelled, or labels are taken away;
    not when predictions come, and its first versions did not have it.
    """
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        return None
    if task.get("id") is None:
        return None
    labels = [task]
    for name in ("annotations", "predictions"):
        found = task.get(name)
        labels += (
            [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        )
    times = [_time(each.get(key)) for each in labels for key in ("updated_at", "created_at")]
    known = [time for time in times if time is not None]
    if not known:
        return None
    which = [task.get(key) for key in ("project", "id", "created_at")]
    said = json.dumps(_said(task), sort_keys=True).encode()
    return State(json.dumps(which), max(known), blake2b(said, digest_size=16).digest())


def _time(text: Any) -> datetime | None:
    """A time as Label Studio spells it, `2026-01-02T03:04:05.678901Z`; None for anything else."""
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _said(task: dict[str, Any]) -> tuple[tuple[list[Any], list[Any]], dict[str, Any], Any]:
    """What people and models said in a task, and what they were shown; without the numbers and
    times that Label Studio gives to tasks and to those who label them."""
    labels = (
        _picked(task, "annotations", ("result", "was_cancelled", "ground_truth")),
        _picked(task, "predictions", ("result", "model_version", "score")),
    )
    data = {key: value for key, value in task["data"].items() if key != INFO}
    return labels, data, task.get("meta") or {}


def _picked(task: dict[str, Any], name: str, keys: Sequence[str]) -> list[Any]:
    """These keys of each label, falsy ones left out, as tools do as well."""
    found = task.get(name) or []
    if not isinstance(found, list):
        return [found]
    return [
        {key: each[key] for key in keys if each.get(key)} if isinstance(each, dict) else each
        for each in found
    ]


def _is_url(text: str) -> bool:
    return has_scheme(text) or text.startswith("/data/")


class TaskFiles(BaseWriter):
    """Writes tasks, and no data files."""

    with_data = False

    def __init__(self, path_key: str, root: str, most: int) -> None:
        self._keys = key_path("-p path-key", path_key or "data.image")
        if self._keys[0] != "data" or len(self._keys) < 2:
            raise BadInput("-p path-key", f"{path_key!r} is not below `data`", "data.image")
        self._root = root
        self._most = most

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        tasks = (self._task(item, losses) for item in items)
        number = 0
        while True:
            some = list(islice(tasks, 1))
            if not some and number:
                return losses
            number += 1
            rest = islice(tasks, self._most - 1) if self._most else tasks
            name = f"label-studio-{number}.json" if self._most else "label-studio.json"
            with folder.create(name) as file:
                write_list(file, _both(some, rest))

    def _task(self, item: Item, losses: Losses) -> dict[str, Any]:
        """The annotation, where it is a task; else a new one that holds it."""
        is_task = isinstance(taken_at(["data"], item.annotation), dict)
        if is_task:
            task: dict[str, Any] = deepcopy(item.annotation)
        else:
            task = put_at(self._keys, self._url(item, losses))
            if item.annotated:
                task["meta"] = {"annotation": item.annotation}
                losses.add("an annotation that is no task: put under `meta.annotation`", item.path)
        info = task["data"].get(INFO)
        kept = info if isinstance(info, dict) else {}
        path_key = kept.get("path_key") or ".".join(self._keys)
        if is_task and taken_at(path_key.split("."), task) is None:
            task = _merged(task, put_at(path_key.split("."), self._url(item, losses)))
        task["data"][INFO] = {**kept, "md5": item.id, "path_key": path_key}
        return task

    def _url(self, item: Item, losses: Losses) -> str:
        """The URL that Label Studio is to load the data file from."""
        if not is_local(item.source):
            if not item.source:
                losses.add("no path is known: an empty URL", item.path)
            return item.source
        path = local_path(item.source)
        root = self._root.rstrip("/") + "/"
        if self._root and path.startswith(root):
            return SERVED + quote(path[len(root) :])
        losses.add(
            "a local file, which Label Studio serves only below its document root:"
            " -p document-root=DIR",
            item.path,
        )
        return uri_of(path)


def _both(some: list[dict[str, Any]], rest: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from some
    yield from rest


def _merged(one: Any, other: Any) -> Any:
    """`other` put into `one`, objects inside one another united."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}
