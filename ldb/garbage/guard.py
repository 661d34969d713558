"""Advancing a ref so that `ldb gc`, at work beside us, deletes nothing that it needs.

`advance` looks at the condemned lists right before the ref is created and right after: one
listing each, and nothing more unless a gc has been at work since this process first listed
packs. Then it looks where every blob of the new version lies. Rules and the reasons:
docs/design/011-garbage.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ldb.errors import Conflict, NotFound, StoreFailed
from ldb.garbage.watch import Stopwatch
from ldb.ids import Oid
from ldb.objects.condemned import Lists, read_condemned, read_lists
from ldb.objects.store import ObjectStore
from ldb.refs.name import RefName
from ldb.refs.store import Advanced, Lost, Ref, RefStore

WINDOW = 300.0
"""Seconds that may lie between looking at the lists and creating the ref. gc waits an hour at
least before it deletes what it has condemned."""

MAX_LOOKS = 100
"""Looks in a row that found lists to have changed, or took too long, before giving up."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a new version needs."""

    blobs: tuple[Oid, ...]
    """By name: its commit, say."""
    roots: tuple[Oid, ...] = ()
    """Maps that it needs whole, and whatever their rows name."""
    known: Callable[[], Iterable[Oid]] = tuple
    """Roots of maps of versions that are there already: nobody deletes what those need."""
    restored: Callable[[int], Oid | None] = lambda _: None
    """What goes into the version of this number after one that was withdrawn: what there was
    before; None for nothing."""


def advance(
    store: ObjectStore,
    refs: RefStore,
    name: RefName,
    head: Ref | None,
    needs: Needs,
    author: str,
    *,
    trusting: bool = True,
) -> Advanced | Lost:
    """Make `needs.blobs[0]` the version after `head`; every blob needed is there on return.

    Raises `Conflict` where a blob was deleted, with nothing published; if that shows only
    afterwards, the version is withdrawn. Not `trusting`: blobs may have been relied on before
    this process began.
    """
    guard = _Guard(store, needs, trusting)
    guard.before(name)
    outcome = refs.advance(name, head, needs.blobs[0], author)
    if isinstance(outcome, Advanced):
        try:
            guard.after(name)
        except Conflict:
            refs.advance(name, outcome.ref, needs.restored(outcome.ref.number + 1), author)
            refs.withdraw(outcome.ref)
            raise
        except StoreFailed as error:
            error.hint = f"{outcome.ref} is saved; `ldb fsck` tells whether all it needs is there"
            raise
    return outcome


class _Guard:
    def __init__(self, store: ObjectStore, needs: Needs, trusting: bool) -> None:
        self._store = store
        self._needs = needs
        self._settled = store.lists if trusting else Lists()
        """The lists under which all that is needed is known to be there."""
        if self._settled is not None and self._settled.active:
            self._settled = Lists(frozenset({-1}))  # equal to none

    def before(self, name: RefName) -> None:
        """Return soon after a look at the lists under which everything is there."""
        for _ in range(MAX_LOOKS):
            watch = Stopwatch()
            if self._look(name, "nothing was saved") and watch.elapsed() < WINDOW:
                return
        raise StoreFailed(self._store.backend.url, "it takes too long to answer", "try again")

    def after(self, name: RefName) -> None:
        """The same once the ref is there, however long that took."""
        for _ in range(MAX_LOOKS):
            if self._look(name, "its new version was withdrawn"):
                return
        raise StoreFailed(self._store.backend.url, "condemned lists come and go", "ldb fsck")

    def _look(self, name: RefName, outcome: str) -> bool:
        """Whether all is well; if not, see to it, after which one must look again."""
        lists = read_lists(self._store.backend)
        if self._settled is None and not lists.active:
            self._settled = lists  # nothing was relied on so far
        if lists == self._settled:
            return True
        try:
            condemned = read_condemned(self._store.backend, lists.active)
        except NotFound:  # finished since it was listed
            return False
        from ldb.garbage.securing import secure  # numpy, and rarely needed

        try:
            secure(self._store, self._needs, condemned)
        except NotFound as error:
            raise Conflict(
                f"what the new version of {name} needs",
                "all of it there",
                f"that `ldb gc` has deleted some, {error.kind} {error.name} first",
                f"{outcome}; run the command again",
            ) from error
        self._settled = lists
        return False
