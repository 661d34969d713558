"""`tensorflow-inferred`: the folder that a file lies in is its label.

`cat/tabby/1.jpg` has the annotation `{"label": {"cat": "tabby"}}`, `cat/2.jpg` has
`{"label": "cat"}`: folders inside one another are keys inside one another. There are no label
files; nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ldb.errors import BadInput
from ldb.formats.base import (
    BaseReader,
    BaseWriter,
    Files,
    Folder,
    Item,
    Labelled,
    Listing,
    Losses,
    Placing,
    Read,
    Trouble,
    Values,
)
from ldb.formats.keys import key_path, put_at, taken_at


def reader(params: Values) -> Inferred:
    """Labels from the names of folders."""
    return Inferred(params)


def writer(params: Values) -> Foldered:
    """Folders from labels."""
    return Foldered(params)


class Inferred(BaseReader):
    """Makes annotations of the names of folders."""

    def __init__(self, params: Values) -> None:
        self._base: str = params["base-label"]
        self._keys = key_path("-p label-key", params["label-key"])

    def files(self, listing: Listing) -> Files:
        return Files(labels=(), data=[name for name in listing.names if not _is_json(name)])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        bare, first = 0, ""
        for name in listing.names:
            if _is_json(name):
                continue
            folders = name.split("/")[:-1]
            if folders or self._base:
                value = put_at(self._keys, _nested(folders or [self._base]))
                yield Labelled(value, "", path=name)
            else:
                bare, first = bare + 1, first or name
        if bare:
            yield Trouble("", _why_bare(bare, first))


def _why_bare(count: int, first: str) -> str:
    files = "1 file lies" if count == 1 else f"{count:,} files lie"
    return (
        f"{files} in no folder that would be a label, the first is {first}; "
        "-p base-label=LABEL gives them one"
    )


def _is_json(name: str) -> bool:
    return name[-5:].lower() == ".json"


def _nested(folders: Sequence[str]) -> Any:
    """`["a", "b", "c"]` as `{"a": {"b": "c"}}`."""
    value: Any = folders[-1]
    for name in reversed(folders[:-1]):
        value = {name: value}
    return value


class Foldered(BaseWriter):
    """Puts data files into folders named by their labels."""

    def __init__(self, params: Values) -> None:
        self._base: str = params["base-label"]
        self._keys = key_path("-p label-key", params["label-key"])

    def place(self, placing: Placing) -> Sequence[str]:
        if not placing.annotated:
            return ()
        folders = _folders(taken_at(self._keys, placing.annotation))
        return () if folders == [self._base] else folders

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        for item in items:
            if not item.annotated:
                if not self._base:
                    losses.add("no annotation, so no folder: put beside the folders", item.path)
            elif more := _beside(self._keys, item.annotation):
                losses.add(f"keys beside the label: {more}", item.path)
        return losses


def _folders(label: Any) -> list[str]:
    """The names of folders that a label stands for; raises `BadInput` where it is none."""
    folders = []
    while isinstance(label, dict) and len(label) == 1:
        [(name, label)] = label.items()
        folders.append(name)
    if isinstance(label, bool) or not isinstance(label, (str, int)) or label == "":
        raise BadInput("annotation", "has no label that could name a folder", "-p label-key=KEY")
    return [*folders, str(label)]


def _beside(keys: Sequence[str], value: Any) -> str:
    """Names of what else is in an annotation than the label; empty where there is nothing."""
    if not isinstance(value, dict):
        return ""
    others = sorted(key for key in value if key != keys[0])
    if not others and len(keys) > 1:
        return _beside(keys[1:], value[keys[0]])
    return ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
