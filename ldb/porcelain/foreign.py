"""`ws:` of a workspace that belongs to another instance: what its draft needs is brought over.

Everything is checked before anything is written; then annotations and transforms are copied,
and the index takes in the objects' records, as `ldb ds import` does. No data object moves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ldb.backends.opening import open_backend
from ldb.catalog import Catalog, open_catalog
from ldb.errors import Conflict, NotFound, Untrusted
from ldb.ids import NO_OID, ObjectId
from ldb.instance import Instance, open_instance
from ldb.objects.store import ObjectStore
from ldb.porcelain.imports import into_index
from ldb.porcelain.place import Place
from ldb.porcelain.sources import map_rows, plugins_of, read_sources
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters
from ldb.workspace import State, load_state, open_store, stranger


@dataclass(frozen=True, slots=True)
class _Draft:
    """A draft of another instance."""

    text: str
    catalog: Catalog
    store: ObjectStore
    rows: Selected


def bring(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    known: Mapping[str, object],
) -> tuple[Place, dict[str, Selected]]:
    """The place with what workspaces of other instances need, and the rows of each of these.

    Raises before anything is written where one of all sources, or a filter, cannot be used;
    `known` sources are left unread.
    """
    found = {text: _state(place, text) for text in sources if text.startswith("ws:")}
    foreign = {
        text: each for text, each in found.items() if each[1].instance_id != place.instance.id
    }
    if not foreign:
        return place, {}
    nothing, plugins = Selected.empty(place.instance.id_bytes), plugins_of(place, place.catalog, [])
    apply_filters(place.catalog, nothing, filters, None, Warnings(), plugins=plugins)
    read_sources(place, [text for text in sources if text not in foreign and text not in known])
    drafts = [_draft(place, text, *each) for text, each in foreign.items()]
    for each in drafts:
        needed = np.concatenate((each.rows.annotations, each.rows.transforms))
        oids = sorted({row.tobytes() for row in needed} - {NO_OID})
        with place.instance.objects.writer() as writer:
            column = np.frombuffer(b"".join(oids), np.uint8).reshape(-1, len(NO_OID))
            writer.copy(each.store, column)
        into_index(place, each.catalog, each.rows.ids, ("index", each.text))
    return place.refreshed(), {each.text: each.rows for each in drafts}


def _state(place: Place, text: str) -> tuple[str, State]:
    folder = os.path.normpath(os.path.join(place.cwd, text[3:] or "."))
    return folder, load_state(folder)


def _draft(place: Place, text: str, folder: str, state: State) -> _Draft:
    theirs = _instance(place, text, folder, state)
    store = open_store(folder, theirs)
    rows = map_rows(place, store, state.root)
    catalog = open_catalog(theirs)
    known = catalog.find(rows.ids).known
    if not known.all():
        at = int(np.flatnonzero(~known)[0])
        name = ObjectId(rows.ids[at : at + 1].tobytes())
        raise NotFound("data object", f"id:{name}, which {text} holds, in {theirs.url}")
    return _Draft(text, catalog, store, Selected(rows.ids, rows.annotations, rows.transforms))


def _instance(place: Place, text: str, folder: str, state: State) -> Instance:
    owner = stranger(folder)
    if owner is not None:
        raise Untrusted(
            f"{text}, which belongs to another user ({owner})",
            "it says which instance to open: stage its dataset in a folder of your own",
        )
    if "://" in state.instance_url:
        from ldb.clouds.options import configure  # local instances do without

        configure(place.cloud_options)
    theirs = open_instance(open_backend(state.instance_url))
    if theirs.id != state.instance_id:
        raise Conflict(f"instance of {text}", state.instance_id, theirs.id)
    if theirs.object_hash != place.instance.object_hash:
        raise Conflict(
            f"object hash of {text}",
            place.instance.object_hash,
            theirs.object_hash,
            "data objects have other ids there: index the data in this instance",
        )
    return theirs
