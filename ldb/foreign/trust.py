"""What this user trusts: kept in `~/.ldb/trust`, never in an instance.

`[instance.<id>]` holds `made`, the folder of an instance that this user made, and `code`, the
hashes of its code that this user has looked at; `[transforms]` a hash for each program of a
transform. docs/design/020-trust.md has the rules.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ldb.errors import NotFound
from ldb.foreign.files import FOLDER, NO_CODE, Code, read_code
from ldb.foreign.ownership import open_to_others, tree_open_to_others
from ldb.instance import Instance
from ldb.objects.codec import encode
from ldb.objects.model import BlobType, oid_of
from ldb.settings import UserSettings, load, set_value, unset_value

TRANSFORMS = "transforms"


@dataclass(frozen=True, slots=True)
class Judged:
    """The code of an instance, and whether this user trusts it."""

    code: Code
    trusted: bool
    why: str = ""
    """Why it is trusted by itself, or why it is not."""
    known: Mapping[str, str] | None = None
    """Hashes that this user trusted before; None where that was never."""

    def state(self, path: str) -> str:
        """`trusted`, `changed` since it was, or `new`."""
        now = self.code.hashes()[path]
        if self.trusted or (self.known or {}).get(path) == now:
            return "trusted"
        return "changed" if path in (self.known or {}) else "new"


def judge(instance: Instance, trust: UserSettings) -> Judged:
    """Read the code of an instance and look whether this user trusts all of it."""
    code = read_code(instance.backend)
    known = _known(instance, trust)
    if not code.files:
        return Judged(NO_CODE, True, "there is none", known)
    why = not_own(instance, trust)
    if not why:
        return Judged(code, True, "you made this instance, and only you can write to it", known)
    return Judged(code, known == code.hashes(), why, known)


def not_own(instance: Instance, trust: UserSettings) -> str:
    """Why an instance is not trusted by itself; empty where it is.

    It is where this user made it, in this folder, and nobody else can write to it.
    """
    if "://" in instance.url:
        return "others may be able to write to the store that it is in"
    made = trust.get(f"instance.{instance.id}.made")
    if made is None:
        return "you did not make this instance"
    if made != os.path.realpath(instance.url):
        return f"you made an instance of this id at {made}, not here"
    return open_to_others(instance.url) or tree_open_to_others(os.path.join(instance.url, FOLDER))


def _known(instance: Instance, trust: UserSettings) -> dict[str, str] | None:
    text = trust.get(f"instance.{instance.id}.code")
    try:
        found = json.loads(text or "null")
    except ValueError:  # edited by hand into nonsense: trust nothing
        return None
    return found if isinstance(found, dict) else None


def remember_made(path: Path, instance: Instance) -> None:
    """Note in the file at `path` that this user has just made an instance."""
    if "://" not in instance.url:
        set_value(path, f"instance.{instance.id}.made", os.path.realpath(instance.url))


def grant(path: Path, instance: Instance, code: Code) -> None:
    """Trust this code of an instance from now on, until it changes."""
    set_value(path, f"instance.{instance.id}.code", json.dumps(code.hashes(), sort_keys=True))


def revoke(path: Path, instance: Instance) -> bool:
    """Trust the code of an instance no more, whoever made it; False where it was not trusted."""
    found = False
    for name in ("code", "made"):
        try:
            unset_value(path, f"instance.{instance.id}.{name}")
            found = True
        except NotFound:
            pass
    return found


# -- transforms ------------------------------------------------------------------------


def key_of(argv: Sequence[str]) -> str:
    """The setting that says that a transform's program and arguments are trusted."""
    return f"{TRANSFORMS}.oid-{oid_of(BlobType.TRANSFORM, encode(list(argv)))}"


def is_trusted(trust: UserSettings, settings: UserSettings, argv: Sequence[str]) -> bool:
    """Whether this user wrote, or has trusted, a transform that runs this."""
    return trust.get(key_of(argv)) is not None or list(argv) in (
        argv_of(table.get("run", "")) for table in settings.tables("transform").values()
    )


def argv_of(text: str) -> list[str] | None:
    """A program and its arguments as settings hold them, a JSON array; None for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    right = isinstance(found, list) and found and all(isinstance(each, str) for each in found)
    return found if right and found[0] else None


def grant_transforms(path: Path, argvs: Sequence[Sequence[str]]) -> None:
    """Trust these programs with these arguments as transforms from now on."""
    known = load(path)
    for argv in argvs:
        if known.get(key_of(argv)) is None:
            set_value(path, key_of(argv), json.dumps(list(argv)))


def revoke_transforms(path: Path, argvs: Sequence[Sequence[str]]) -> bool:
    """Trust these no more; False where none was."""
    keys = [key for key in map(key_of, argvs) if load(path).get(key) is not None]
    for key in keys:
        unset_value(path, key)
    return bool(keys)
