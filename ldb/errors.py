"""Every error LDB raises on purpose, as values with attributes.

    LdbError
    ├── BadInput(where, why)            what the user or a file gave is wrong
    │   └── BadName(name, why)          a dataset or ref name that cannot be one
    ├── NotFound(kind, name)            an id, dataset, version, path, key … is not there
    │   └── Ambiguous(prefix, matches)  an abbreviated id fits several
    ├── Conflict(what, expected, actual)  somebody else was first, or two edits clash
    ├── Corrupt(oid, where)             stored bytes are not what was written
    ├── Untrusted(what)                 code that this user has not trusted
    ├── Unsupported(what)               this build, platform or store cannot do it
    └── StoreFailed(where, why)         the store refused: full disk, read-only, no rights

`cli/main.py` alone turns them into a message, a hint and an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence

SAME_DISKS = "workers need the same disks mounted in the same places, or buckets"
"""The hint where a worker of a cluster does not find what its driver does."""


class LdbError(Exception):
    """Base of all errors raised on purpose; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Subclasses take attributes, not the message: worker processes send errors back.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[LdbError], args: tuple[object, ...], state: dict[str, object]) -> LdbError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class BadInput(LdbError):
    """`where` (an option, a path, a line) holds something wrong: `why`."""

    def __init__(self, where: object, why: str, hint: str = "") -> None:
        super().__init__(f"{where}: {why}", hint)
        self.where = where
        self.why = why


class BadName(BadInput):
    """A name that cannot be a dataset's, a ref's or a key's."""


class NotFound(LdbError):
    """Nothing of this `kind` has this `name`."""

    def __init__(self, kind: str, name: object, hint: str = "") -> None:
        super().__init__(f"{kind} not found: {name}", hint)
        self.kind = kind
        self.name = name


class Ambiguous(NotFound):
    """An abbreviated id fits several; `matches` lists some of them."""

    def __init__(self, kind: str, prefix: str, matches: Sequence[str]) -> None:
        super().__init__(kind, prefix, "give more digits")
        self.args = (f"{kind} prefix {prefix} is ambiguous: {', '.join(matches)}",)
        self.matches = tuple(matches)


class Conflict(LdbError):
    """`what` was expected to be `expected` and is `actual`."""

    def __init__(self, what: str, expected: object, actual: object, hint: str = "") -> None:
        super().__init__(f"{what}: expected {expected}, found {actual}", hint)
        self.what = what
        self.expected = expected
        self.actual = actual


class Corrupt(LdbError):
    """Stored bytes named `oid` (or a file's name), found at `where`, are damaged."""

    def __init__(self, oid: object, where: str) -> None:
        super().__init__(
            f"corrupt: {oid} ({where})", "run `ldb fsck`; restore the file from a copy"
        )
        self.oid = oid
        self.where = where


class Untrusted(LdbError):
    """Running `what` needs the user's trust first."""

    def __init__(self, what: str, hint: str = "look at it, then `ldb trust`") -> None:
        super().__init__(f"not trusted: {what}", hint)
        self.what = what


class Unsupported(LdbError):
    """This build, platform or store cannot do `what`."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"not supported: {what}", hint)
        self.what = what


class StoreFailed(LdbError):
    """The store at `where` refused: full, read-only, unreachable."""

    def __init__(self, where: object, why: str, hint: str = "") -> None:
        super().__init__(f"{where}: {why}", hint)
        self.where = where
        self.why = why
