"""`ldb commit`: make the draft the next version of its dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ldb.dataset import Draft, commit_dataset
from ldb.errors import BadInput, Conflict, StoreFailed
from ldb.history import (
    Commit,
    Operation,
    SourceUsed,
    Version,
    ancestors,
    dataset_root,
    head,
    now,
    publish,
)
from ldb.porcelain.place import Place
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, RefName, dataset_ref
from ldb.workspace import Workspace, staged


@dataclass(frozen=True, slots=True)
class Committed:
    """Outcome of a commit; `version` is None where there was nothing to commit."""

    version: Version | None
    merged: bool = False
    """Whether others had committed meanwhile, so that their changes are in it too."""
    older: bool = False
    """Nothing to commit, but the draft is of an older version than the newest."""
    head: Version | None = None
    gone: bool = False
    """Nothing to commit, and the dataset that the draft is of has been deleted or renamed."""


def commit(
    place: Place,
    message: str = "",
    name: str = "",
    restore: bool = False,
    auto_pull: bool = False,
    progress: Progress = SILENT,
) -> Committed:
    """Commit the draft, to the dataset `name` if one is given. Raises `Conflict`.

    A dataset that was deleted since the draft was staged is made again only if it is named.
    `restore` makes an unchanged draft of an older version the newest again. `auto_pull` gives
    the draft the newest annotations first.
    """
    with place.changing() as place:
        workspace = place.need_workspace()
        ref = _target(workspace, name)
        if auto_pull and not restore:
            from ldb.porcelain.pull import pull_now  # queries: commits do without

            workspace = pull_now(place, progress=progress).workspace
        before = head(place.instance, ref)
        if restore:
            return _restore(place, workspace, ref, before, message)
        base, root = workspace.state.base, workspace.state.root
        same_name = base is not None and base.name == ref.name
        gone = same_name and before is None
        if not workspace.state.dirty and (same_name or not root.count) and not (gone and name):
            older = base is not None and before is not None and before.oid != base.commit
            return Committed(None, older=older and same_name, head=before, gone=gone)
        _refuse_another(place, workspace, ref, before)
        draft = _draft(workspace)
        version = commit_dataset(
            place.instance, ref, draft, message, place.author, before, bool(name), progress
        )
        newest = version or head(place.instance, ref)
        assert newest is not None
        _stage(place, workspace, newest)
        merged = version is not None and dataset_root(version).root != root.root
        return Committed(version, merged=merged, head=newest)


def _stage(place: Place, workspace: Workspace, version: Version) -> None:
    """Make what was committed the draft; a failure does not undo the commit, and says so."""
    try:
        staged(workspace.folder, place.instance, version.ref.name, version)
    except StoreFailed as error:
        saved = f"{version} is saved all the same; run `ldb commit` again when that is mended"
        error.hint = f"{error.hint}; {saved}" if error.hint else saved
        raise


def _target(workspace: Workspace, name: str) -> RefName:
    chosen = name or workspace.state.dataset
    if not chosen:
        raise BadInput("dataset", "the draft has no name yet", "give one: ldb commit ds:NAME")
    ref = dataset_ref(chosen)
    if ref == INDEX:
        raise BadInput("ds:root", "is the index; only `ldb index` adds to it")
    return ref


def _refuse_another(
    place: Place, workspace: Workspace, ref: RefName, before: Version | None
) -> None:
    """Refuse to save over a dataset that has nothing to do with this draft."""
    base = workspace.state.base
    if before is None or ref.name == workspace.state.dataset:
        return
    if base is not None and any(
        version.oid == base.commit for version in ancestors(place.instance, before)
    ):
        return
    raise Conflict(
        str(ref),
        "a new name",
        f"{before}, which this draft was not staged from",
        f"to add to it: ldb stage {ref} ELSEWHERE, and there ldb add ws:{workspace.folder}",
    )


def _draft(workspace: Workspace) -> Draft:
    state = workspace.state
    operations = state.operations
    if operations:
        # The last operation's map is the draft itself: no need to name it twice.
        operations = (*operations[:-1], replace(operations[-1], result=None))
    merged = tuple(
        source.commit
        for each in operations
        if each.command[:1] == ("merge",)
        for source in each.sources
        if source.commit
    )
    base = workspace.base_version()
    return Draft(workspace.store, state.base_root, state.root, base, operations, merged)


def _restore(
    place: Place, workspace: Workspace, ref: RefName, before: Version | None, message: str
) -> Committed:
    base = workspace.base_version()
    if workspace.state.dirty or base is None:
        raise Conflict(
            "draft", "an unchanged older version", "changes", "commit them without --restore"
        )
    if before is not None and before.commit.maps == base.commit.maps:
        return Committed(None, head=before)

    def make(current: Version | None) -> Commit:
        source = SourceUsed(str(base), base.oid)
        operation = Operation(("restore", str(base)), (source,), time=now())
        return Commit(
            name=ref.name,
            number=0,
            maps=base.commit.maps,
            parents=(current.oid,) if current else (base.oid,),  # deleted: it goes on from there
            operations=(operation,),
            author=place.author,
            message=message or f"Restore {base}",
            time=now(),
        )

    version = publish(place.instance, ref, make, before)
    assert version is not None  # as `make` always gives a commit
    _stage(place, workspace, version)
    return Committed(version, head=version)
