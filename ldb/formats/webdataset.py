"""`webdataset`: samples in tar files, a sample being the members that share a key.

`a/0001.jpg` and `a/0001.json` are one sample, `a/0001` its key: what stands before the first dot of
the name. A data object cannot lie inside a tar file, so reading unpacks: each member that is
data is copied into the read-add location, as files from outside of all locations are, and
indexed there with its annotation. Members are hostile until proven plain.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast

from ldb.errors import BadInput, LdbError
from ldb.formats.base import BaseWriter, Folder, Item, Losses, Peek, Trouble, Values, why_of
from ldb.formats.jsontext import json_text
from ldb.objects.codec import parse_json
from ldb.objects.model import MAX_PAYLOAD
from ldb.storage.listing import name_objection

LONGEST_READ = 1 << 24
"""Bytes that the tar module may ask for at once: extended headers are no larger."""

TEXTS = ("json", "cls", "txt")
"""Extensions of members that are annotations beside data."""


def reader(_: Values) -> Shards:
    """Unpacks every `.tar` file of the location."""
    return Shards()


def writer(params: Values) -> ShardFiles:
    """Writes shards."""
    return ShardFiles(params["samples"], params["megabytes"], params["prefix"])


def recognise(peek: Peek) -> str:
    """Nothing but tar files, and the first begins with a member that has an extension."""
    if not peek.names or not all(name.endswith(".tar") for name in peek.names):
        return ""
    head = peek.head(peek.names[0])
    first = head[:100].rstrip(b"\0")
    if head[257:262] == b"ustar" and b"." in first:
        return (
            f"there are only tar files, and {peek.names[0]} begins with {first.decode('latin1')!a}"
        )
    return ""


@dataclass(slots=True)
class Sample:
    """Members of one key."""

    key: str
    data: list[tuple[str, Callable[[], IO[bytes]]]] = field(default_factory=list)
    """File name and content, to be read before the next sample is asked for."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Values of annotation members by extension."""

    @property
    def annotation(self) -> Any:
        """The annotation; `parts` is empty where there is none."""
        value = self.parts.get("json")
        if "json" in self.parts and (len(self.parts) == 1 or not isinstance(value, dict)):
            return value if len(self.parts) == 1 else self.parts
        others = {key: each for key, each in self.parts.items() if key != "json"}
        return {**others, **(value or {})}


class Shards:
    """Reads samples."""

    def is_shard(self, name: str) -> bool:
        """Whether a file is to be unpacked, by its name."""
        return name.lower().endswith(".tar")

    def samples(self, name: str, file: BinaryIO) -> Iterator[Sample | Trouble]:
        """The samples of a shard, in its order."""
        try:
            with tarfile.open(fileobj=_Careful(file), mode="r:", errorlevel=1) as tar:
                yield from _samples(name, tar)
        except (tarfile.TarError, EOFError, OverflowError, ValueError) as error:
            yield Trouble(name, f"bad tar file: {str(error) or type(error).__name__}")
        except OSError as error:
            yield Trouble(name, f"cannot be read: {error.strerror or error}")


class _Careful(io.RawIOBase):
    """A file of which nobody reads much at once, whatever a header says."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > LONGEST_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _samples(name: str, tar: tarfile.TarFile) -> Iterator[Sample | Trouble]:
    sample: Sample | None = None
    texts: list[tuple[str, str, tarfile.TarInfo]] = []
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # or it keeps every header
        if member.isdir():
            continue
        why = _objection(member)
        if why:
            yield Trouble(name, why, ascii(member.name))
            continue
        folder, slash, base = member.name.removeprefix("./").rpartition("/")
        stem, _, extension = base.partition(".")
        key = folder + slash + stem
        if sample is None or key != sample.key:
            if sample is not None:
                yield from _done(name, tar, sample, texts)
            sample, texts = Sample(key), []
        if extension.lower() in TEXTS:
            texts.append((base, extension.lower(), member))
        else:
            sample.data.append((base, _opener(tar, member)))
    if sample is not None:
        yield from _done(name, tar, sample, texts)


def _objection(member: tarfile.TarInfo) -> str:
    """Why a member is refused; empty where it is a plain file with a plain name."""
    if not member.isreg():
        return "is a link, a device or the like; refused"
    if member.issparse():
        return "is a sparse file; refused"
    parts = member.name.removeprefix("./").split("/")
    if member.name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        return "has a name that leads out of the shard; refused"
    base = parts[-1]
    if not base or base.startswith(".") or "\\" in base:
        return "has a name that no file can have, or a hidden one; refused"
    if len(base.encode("utf-8", "surrogateescape")) > 255:
        return "has a name of more than 255 bytes; refused"
    return name_objection(base.encode("utf-8", "surrogateescape"))


def _done(
    name: str, tar: tarfile.TarFile, sample: Sample, texts: list[tuple[str, str, tarfile.TarInfo]]
) -> Iterator[Sample | Trouble]:
    """A sample that is complete, with its annotation; a text alone is data."""
    for base, extension, member in texts:
        if extension == "txt" and not sample.data:
            sample.data.append((base, _opener(tar, member)))
            continue
        try:
            sample.parts[extension] = _value(tar, member, extension)
        except LdbError as error:
            yield Trouble(name, why_of(error), ascii(member.name))
    if sample.data:
        yield sample
    else:
        yield Trouble(name, "has no member that is data", ascii(sample.key))


def _opener(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    return lambda: cast("IO[bytes]", tar.extractfile(member))


def _value(tar: tarfile.TarFile, member: tarfile.TarInfo, extension: str) -> Any:
    if member.size > MAX_PAYLOAD:
        raise BadInput("annotation", f"is {member.size} bytes; the limit is {MAX_PAYLOAD}")
    raw = cast("IO[bytes]", tar.extractfile(member)).read()
    if extension == "json":
        return parse_json(raw, "annotation")
    try:
        text = raw.decode().strip() if extension == "cls" else raw.decode()
    except UnicodeDecodeError:
        raise BadInput("annotation", "is not UTF-8") from None
    if extension == "cls" and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return text


class ShardFiles(BaseWriter):
    """Writes data objects and annotations into tar files."""

    with_data = False

    def __init__(self, samples: int, megabytes: int, prefix: str) -> None:
        self._samples = samples
        self._bytes = megabytes << 20
        self._prefix = prefix
        if not prefix or not prefix.replace("-", "").replace("_", "").isalnum():
            raise BadInput("-p prefix", f"{prefix!r} is more than letters, digits, - and _")

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        number = 0
        following = iter(items)
        item = next(following, None)
        while item is not None:
            with _shard(folder, f"{self._prefix}-{number:06d}.tar") as tar:
                count = size = 0
                while item is not None and self._has_room(count, size, item):
                    size += _add(tar, item, folder)
                    count += 1
                    item = next(following, None)
            number += 1
        return Losses()

    def _has_room(self, count: int, size: int, item: Item) -> bool:
        full = self._samples and count >= self._samples
        return not count or not (full or (self._bytes and size + item.size > self._bytes))


@contextmanager
def _shard(folder: Folder, name: str) -> Iterator[tarfile.TarFile]:
    with (
        folder.create(name) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        yield tar


def _add(tar: tarfile.TarFile, item: Item, folder: Folder) -> int:
    """Add an object; bytes that were added, 0 where it cannot be had (which is reported)."""
    key, extension = _key_of(item)
    with folder.data(item) as data:
        if data is None:
            return 0
        tar.addfile(_member(f"{key}.{extension}", item.size), data)
    if not item.annotated:
        return item.size
    text = json_text(item.annotation)
    tar.addfile(_member(f"{key}.json", len(text)), io.BytesIO(text))
    return item.size + len(text)


def _key_of(item: Item) -> tuple[str, str]:
    """A key without dots in its name, and the extension of the data member."""
    above, slash, base = item.path.rpartition("/")
    stem, _, extension = base.rpartition(".")
    if base.endswith(".json.data"):
        stem, extension = base.removesuffix(".json.data"), "json.data"
    stem, extension = (stem, extension) if stem else (base, "bin")
    if "." in stem:
        stem = stem.replace(".", "_")
        stem += "" if item.id in stem else f"-{item.id}"
    data = extension if extension.lower() not in TEXTS[:2] else f"{extension}.data"
    return above + slash + stem, data


def _member(name: str, size: int) -> tarfile.TarInfo:
    """The same bytes for the same object, whoever writes it and when."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member
