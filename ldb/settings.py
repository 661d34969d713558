"""The user's settings, `~/.ldb/config`, and which instance they lead to.

The file is INI as git users know it: `section.key` is `key = value` under `[section]`;
everything before the last dot names the section. Changing a value leaves comments and
order alone. The file may hold secrets, so it is made readable by its owner only; a change
replaces it whole, so that a crash leaves the old or the new one. docs/commands/config.md.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ldb.errors import BadInput, BadName, NotFound, StoreFailed
from ldb.system import lock_folder

KNOWN = MappingProxyType(
    {
        "core.author": "who commits, for example `Ann <ann@example.org>`",
        "core.auto_index": "whether `add PATH` indexes files that the index does not know",
        "core.auto_pull": "whether `commit` gives the draft the newest annotations first",
        "core.cache_dir": "folder in which data objects from object stores are kept",
        "core.cache_local": "whether data objects from local files are kept there too",
        "core.cache_size": "how large that folder may grow, for example `20GB`",
        "core.encoder": "the encoder that `--near` goes by, for example clip",
        "core.engine": "where `index`, `instantiate` and encoders work: local, dask or dask://HOST:PORT",
        "core.instance": "path or URL of the instance to use where nothing nearer names one",
        "core.object_cache_dir": "folder that keeps what was read of instances in buckets",
        "core.object_cache_size": "how large that folder may grow; 0: nothing is kept",
        "core.vector_cache_dir": "folder that keeps the vectors which encoders gave",
        "clip.model": "folder of a CLIP model, or the name of one in the hub's cache",
    }
)
"""Every setting that LDB reads, and what it means."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_SECTION_LINE = re.compile(r"\[(?P<name>[^\]]+)\]")
_TRUE = ("1", "on", "true", "yes")
_FALSE = ("0", "off", "false", "no")


@dataclass(frozen=True, slots=True)
class UserSettings:
    """The settings found in the file at `path`, which need not exist."""

    path: Path
    values: Mapping[str, str]

    def get(self, key: str, default: str | None = None) -> str | None:
        """The value of `section.key`, or `default` where it is not set."""
        return self.values.get(key, default)

    def tables(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        """What sections `kind.<name>` say, by name."""
        found: dict[str, dict[str, str]] = {}
        for key, value in self.values.items():
            if key.startswith(f"{kind}."):
                section, _, name = key[len(kind) + 1 :].rpartition(".")
                if section:
                    found.setdefault(section, {})[name] = value
        return found

    def flag(self, key: str, default: bool) -> bool:
        """The value as yes or no; raises `BadInput` where it is neither."""
        value = self.values.get(key)
        if value is None:
            return default
        word = value.strip().lower()
        if word not in _TRUE + _FALSE:
            raise BadInput(f"{key} in {self.path}", f"{value!r} is neither true nor false")
        return word in _TRUE


@dataclass(frozen=True, slots=True)
class InstanceChoice:
    """An instance to use: `where` it is, and `why` it was chosen (for messages)."""

    where: str
    why: str


def config_path(home: Path) -> Path:
    """Where the settings of the user with this home folder are."""
    return home / ".ldb" / "config"


def trust_path(home: Path) -> Path:
    """Where it is noted which code that user trusts; spelt like the settings."""
    return home / ".ldb" / "trust"


def load(path: Path) -> UserSettings:
    """Read the settings; a missing file has none. Raises `BadInput` on a broken file."""
    return UserSettings(path, MappingProxyType(_parse(path, _read(path))))


def set_value(path: Path, key: str, value: str, private: bool = False) -> None:
    """Set `section.key`, making file and folder where they are missing.

    With `private` (the value is a secret) nobody but the owner can read the file from now on.
    """
    section, name = split_key(key)
    if value != value.strip() or not value.isprintable():
        raise BadInput(key, "a value cannot hold line breaks, nor begin or end with a space")
    with _locked(path):
        text = _read(path)
        _parse(path, text)  # a broken file is refused, not patched
        _replace(path, _with_value(text, section, name, value), private)


def unset_value(path: Path, key: str) -> None:
    """Remove `section.key`; raises `NotFound` where it is not set."""
    section, name = split_key(key)
    if not path.exists():
        raise NotFound("setting", key)
    with _locked(path):
        text = _read(path)
        if key not in _parse(path, text):
            raise NotFound("setting", key)
        _replace(path, _with_value(text, section, name, None))


def split_key(key: str) -> tuple[str, str]:
    """`section.key` in its two parts; raises `BadName`."""
    section, dot, name = key.rpartition(".")
    if not dot or not _KEY.fullmatch(name):
        raise BadName(key, "not a setting's name, which looks like core.instance")
    if section != section.strip() or not section.isprintable() or "]" in section or not section:
        raise BadName(key, "not a section's name before the last dot")
    return section, name


def choose_instance(
    *, option: str | None, env: str | None, workspace: str | None, settings: UserSettings
) -> InstanceChoice | None:
    """The nearest of: `--instance`, `LDB_DIR`, the workspace's own, `core.instance`."""
    ways = (
        ("--instance", option),
        ("LDB_DIR", env),
        ("this workspace", workspace),
        (f"core.instance in {settings.path}", settings.get("core.instance")),
    )
    for why, where in ways:
        if where:
            return InstanceChoice(where, why)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise BadInput(path, f"not UTF-8 text at byte {error.start}") from error
    except OSError as error:
        raise StoreFailed(path, error.strerror or str(error)) from error


def _parse(path: Path, text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(
        interpolation=None,
        delimiters=("=",),
        default_section="",
        empty_lines_in_values=False,
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        raise BadInput(path, str(error).replace("\n", " "), "mend or remove the line") from error
    return {
        f"{section}.{name}": value
        for section in parser.sections()
        for name, value in parser.items(section)
    }


def _with_value(text: str, section: str, name: str, value: str | None) -> str:
    """The same text with one value set, or taken out where it is None."""
    lines = text.splitlines()
    start, end = _section_span(lines, section)
    wanted = [] if value is None else [f"{name} = {value}".rstrip()]
    if start is None:
        lines += [*([""] if lines else []), f"[{section}]", *wanted]
    else:
        first, last = _value_span(lines, name, start, end)
        lines[first:last] = wanted
    return "".join(line + "\n" for line in lines)


def _section_span(lines: list[str], section: str) -> tuple[int | None, int]:
    """First line after the section's heading, and the line at which it ends."""
    start = None
    for number, line in enumerate(lines):
        heading = _SECTION_LINE.match(line)
        if heading and start is not None:
            return start, number
        if heading and heading["name"] == section:
            start = number + 1
    return start, len(lines)


def _value_span(lines: list[str], name: str, start: int, end: int) -> tuple[int, int]:
    """Lines that hold the value; an empty span after the last text where none does."""
    last_text = start
    for number in range(start, end):
        line = lines[number]
        if line.strip():
            last_text = number + 1
        if line[:1].isspace() or line.partition("=")[0].strip() != name:
            continue
        stop = number + 1
        while stop < end and lines[stop][:1].isspace() and lines[stop].strip():
            stop += 1
        return number, stop
    return last_text, last_text


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold off other writers of this file; a killed process leaves no lock behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = lock_folder(str(path.parent))
    except OSError as error:
        raise StoreFailed(path.parent, error.strerror or str(error)) from error
    try:
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str, private: bool = False) -> None:
    """Write the whole file; call it with the lock held, which makes the name ours."""
    target = Path(os.path.realpath(path))  # a linked file (dotfiles) stays a link
    temporary = target.with_name(f".{target.name}.new")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() and not private else 0o600
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreFailed(path, error.strerror or str(error)) from error
