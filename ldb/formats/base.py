"""What a label format is: how a location is read (`Reader`), how a dataset is written (`Writer`).

A format is a module of `ldb/formats/` and an entry in `registry.py`; the module has, as far as
the entry says so, `reader(params)`, `writer(params)` and `recognise(peek)`. Readers and writers see
names relative to the folder that the user named, `/` between the parts; they open label files and
nothing else, and hold nothing that grows with the data objects but what the listing holds anyway.
Rules and reasons: docs/design/018-label-formats.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal, Protocol

from ldb.errors import LdbError

Values = Mapping[str, Any]
"""A format's parameters by name, each with the value that was given or its default."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a format, as `-p NAME=VALUE` gives it."""

    name: str
    help: str
    default: str = ""
    """As it would be typed."""
    kind: Literal["text", "flag", "number"] = "text"
    """`flag`: true or false; `number`: a whole one, 0 or more."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """An entry of the registry: all that can be said without loading the module."""

    name: str
    module: str
    help: str
    aliases: tuple[str, ...] = ()
    reads: tuple[Param, ...] | None = ()
    """Parameters for reading; None: this format cannot be read."""
    writes: tuple[Param, ...] | None = ()
    hints: tuple[str, ...] = ()
    """Patterns (`fnmatch`) of names; where one fits, `auto` loads the module and asks it."""
    has_data: bool = True
    """Whether data files lie among its files. Without any, every annotation is for an object that
    the index knows, and the files may lie outside all storage locations."""
    alone: bool = False
    """Whether label files may lie outside all the same; they are read as if `has_data` were not."""
    unpacks: bool = False
    """Whether data objects are inside of its files: they are copied into the read-add location."""


# -- reading ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """A record of a labelling tool at some time: of two states of one the newer counts."""

    of: str
    """Which record: no two have the same."""
    time: datetime
    """When it was touched last, by the clock of the tool."""
    says: bytes
    """A digest of what it says, without what changes from export to export."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An annotation, and the data object it is for: by `id` if the index has it, else by `path`."""

    value: Any
    """Any JSON value; what cannot be stored (NaN …) is reported by who takes it."""
    source: str
    """The label file it comes from; empty where it is made from names alone."""
    record: str = ""
    """Where in that file, for messages: `line 3`, `images[7]`."""
    path: str = ""
    """A name of the listing; else a path relative to the location, or a URI, which is looked up in
    the index and never opened."""
    id: str = ""
    """Hex digits."""
    id_at: Sequence[str] = ()
    """Keys of objects in `value` that lead to where the id of the data object is to be written,
    once it is known; only for formats without data files."""
    stays: Callable[[Any], bool] | None = None
    """Whether the annotation that the data object has already (None: none) is to stay, because
    nothing was done to it since it was written out; only for formats without data files."""
    state_of: Callable[[Any], State | None] | None = None
    """What `value`, or the annotation that the data object has already, is a state of; None where
    that cannot be told. Only for formats without data files."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that could not be read; the rest goes on. Its file is read again next time."""

    source: str
    why: str
    record: str = ""


Read = Labelled | Trouble


class Listing(Protocol):
    """The files below a location, hidden ones left out, as they were when they were listed."""

    @property
    def uri(self) -> str:
        """The location, with a slash at its end."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Every file, those of a folder together and before those of its sub-folders."""
        ...

    def __contains__(self, name: object) -> bool: ...

    def size(self, name: str) -> int:
        """Bytes."""
        ...

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A label file as it was listed, from its start, in a `with`.

        Raises `LdbError` where it cannot be read, also when the `with` ends: for a file that was
        changed meanwhile. The reader lets that pass: it is reported under the file's name.
        """
        ...

    def read_many(
        self, names: Iterable[str], limit: int = 1 << 24
    ) -> Iterator[tuple[str, bytes | LdbError]]:
        """Small label files whole, many under way at a time, in the order of `names`."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """What the files of a listing are."""

    labels: Sequence[str]
    data: Sequence[str] | None = None
    """None: every file that is no label file. What is in neither is left out, and counted."""


class Reader(Protocol):
    """Reads the labels of one location."""

    def files(self, listing: Listing) -> Files:
        """Which files hold labels and which are data, by names; nothing need be opened."""
        ...

    def needed(
        self, listing: Listing, labels: Sequence[str], changed: Collection[str]
    ) -> list[str]:
        """Which of the label files to read, when just these files are new or changed.

        Asked only when something is. Formats with a label file for each data file give those of
        `changed`; where one file speaks of many, `labels` is the answer.
        """
        ...

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        """What these label files say, or names alone where a format has no label files.

        An `LdbError` that is raised ends the reading of this location and is one more trouble.
        """
        ...


class Peek(Protocol):
    """A quick look at a location: some of its names, and the start of a file."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the first folders and files, some thousand at most."""
        ...

    def head(self, name: str, size: int = 4096) -> bytes:
        """The first bytes of a file; empty where it cannot be read."""
        ...


# -- writing ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placing:
    """What there is to decide by where an object's data file goes."""

    annotation: Any
    annotated: bool
    """False: there is no annotation, and `annotation` is None."""
    type: str
    """Extension of its file name, in lower case; maybe empty."""
    source: str
    """URI of the first place where it was seen; empty where none is known."""


@dataclass(frozen=True, slots=True)
class Item:
    """A data object that is in the target folder now, or, with no data wanted, would be there."""

    id: str
    """Hex digits."""
    path: str
    """Its data file, relative to the target folder; by the usual naming, so unique and safe."""
    annotation: Any
    annotated: bool
    type: str
    size: int
    source: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that the format has no place for."""

    why: str
    count: int
    first: str
    """The first by name that it was met at: a data file's path."""


MOST_LOSSES = 50
"""Reasons that are told apart."""


@dataclass(slots=True)
class Losses:
    """What could not be carried over: counted by what it is, so that memory stays bounded."""

    _found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, why: str, where: str) -> None:
        """One more; `why` says the same of all that is lost for the same reason."""
        if why not in self._found and len(self._found) >= MOST_LOSSES:
            why = "the same for other reasons"
        count, first = self._found.get(why, (0, where))
        # By name: in which order objects come depends on which worker wrote which pack.
        self._found[why] = (count + 1, min(first, where))

    @property
    def found(self) -> list[Loss]:
        return [Loss(why, count, first) for why, (count, first) in self._found.items()]


class Folder(Protocol):
    """The target folder, which no path leaves."""

    def create(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A label file to be written, in a `with`; it gets its name when that ends without error.

        `path` is relative; parts such as `..` are refused. One that is there with another content
        and was not written by LDB stays, and is a problem of the run; nothing is raised for it.
        Binary, from start to end: not to be read or sought.
        """
        ...

    def data(self, item: Item) -> AbstractContextManager[BinaryIO | None]:
        """An object's content, verified, in a `with`; of the item that was given out last.

        For formats that put data into files of their own. None where no place has it, which is a
        problem of the run.
        """
        ...

    def open(self, path: str) -> BinaryIO | None:
        """A data file of this run, to be read and closed; None where there is none.

        For the few formats that need what only the file itself tells: the size of an image.
        """
        ...


class Writer(Protocol):
    """Writes the labels of a dataset; `place` runs in worker processes, so it is sent by pickle."""

    @property
    def with_data(self) -> bool:
        """Whether data files are written, before `write` is called."""
        ...

    def place(self, placing: Placing) -> Sequence[str]:
        """Names of the folders, outermost first, that an object's data file goes into.

        Any text: each becomes one folder with a name that every file system takes. A `BadInput`
        leaves the object out, and is a problem of the run.
        """
        ...

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        """Write label files; what could not be carried over.

        `items` may be gone through more than once, and each time is read anew. They come in any
        order, and in the same one each time.
        """
        ...


class BaseReader:
    """What most readers do: one label file may speak of any data file."""

    def needed(
        self, listing: Listing, labels: Sequence[str], changed: Collection[str]
    ) -> list[str]:
        """All of them."""
        return list(labels)


class BaseWriter:
    """What most writers do: data files right in the target folder."""

    with_data = True

    def place(self, placing: Placing) -> Sequence[str]:
        """The target folder itself."""
        return ()


def found_in(listing: Listing, path: str, beside: str = "") -> str:
    """The name that a path in a label file stands for; empty for none, and for any that leads out.

    Tried as relative to the folder of the label file `beside`, then to the location.
    """
    parts = path.replace("\\", "/").split("/")
    above = beside.split("/")[:-1]
    for start in (above, []) if above else ([],):
        name = joined([*start, *parts])
        if name and name in listing:
            return name
    return ""


def named_in(listing: Listing, path: str, near: str) -> str:
    """The same; else what the path says, seen from the label file `near`, for the index to know."""
    found = found_in(listing, path, near)
    if found or path.startswith("/") or "://" in path:
        return found or path
    return near.rpartition("/")[0] + "/" + path if "/" in near else path


def joined(parts: Sequence[str]) -> str:
    """The relative path of these parts without `.` and `..`; empty where it leads out."""
    kept: list[str] = []
    for part in parts:
        if part == "..":
            if not kept:
                return ""
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    return "/".join(kept)


def read_each(
    listing: Listing, labels: Iterable[str], parse: Callable[[str, BinaryIO], Iterator[Read]]
) -> Iterator[Read]:
    """What `parse` makes of each label file; one that fails is a trouble, the others go on."""
    for name in labels:
        try:
            with listing.open(name) as file:
                yield from parse(name, file)
        except LdbError as error:
            yield Trouble(name, why_of(error))


def why_of(error: LdbError) -> str:
    """What to say of an error after the name of the file it is about."""
    why = getattr(error, "why", "") or str(error)
    return f"{why} ({error.hint})" if error.hint else why


def beside(path: str, suffix: str) -> str:
    """A data file's path with another ending: `a/b.jpg` as `a/b.json`.

    Two objects share the result only where they share the annotation: naming sees to that.
    """
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name) + suffix
