"""Tests of object records that need no expression: tags and paths, column-wise.

Each gives a truth for every record of a column; None where a field is not what it usually
is, which sends the records to be read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from ldb.columns.model import Column, Kind, Mask


def tags_any(records: Column, wanted: Collection[str]) -> Mask | None:
    """Whether a record has at least one of the tags."""
    tags = _texts_in(records.fields.get("tags"))
    if tags is None:
        return None
    owner, items = tags
    hit = np.zeros(items.size, np.bool_)
    for tag in wanted:
        hit |= _is(items, tag)
    return _any(owner, hit)


def tags_lack(records: Column, wanted: Collection[str]) -> Mask | None:
    """Whether a record lacks at least one of the tags."""
    tags = _texts_in(records.fields.get("tags"))
    if tags is None:
        return None
    owner, items = tags
    lacks = np.zeros(records.size, np.bool_)
    for tag in wanted:
        lacks |= ~_any(owner, _is(items, tag))
    return lacks


def paths_match(records: Column, matches: Callable[[str], bool]) -> Mask | None:
    """Whether one of a record's paths passes a test of its text."""
    paths = records.fields.get("paths")
    if paths is None or paths.kind is not Kind.LIST:
        return None
    if not paths.items.size:
        return np.zeros(records.size, np.bool_)
    texts = paths.items.fields.get("path")
    if texts is None or texts.kind is not Kind.TEXT:
        return None
    passed = np.fromiter(map(matches, texts.words.strings), np.bool_, len(texts.words))
    return _any(paths, passed[texts.codes])


def _texts_in(lists: Column | None) -> tuple[Column, Column] | None:
    """A column of lists and the texts that are their items; None for anything else."""
    if lists is None or lists.kind is not Kind.LIST:
        return None
    items = lists.items
    return (lists, items) if not items.size or items.kind is Kind.TEXT else None


def _is(texts: Column, wanted: str) -> Mask:
    if not texts.size:
        return np.zeros(0, np.bool_)
    mask: Mask = texts.words.equal_to(wanted)[texts.codes]
    return mask


def _any(lists: Column, hit: Mask) -> Mask:
    """Whether an item of each list is a hit."""
    hits = np.concatenate((np.zeros(1, np.intp), np.cumsum(hit)))
    return np.diff(hits[lists.offsets]) > 0
