"""What names a blob or a ref on the command line of plumbing.

| text                          | names                                                |
|-------------------------------|------------------------------------------------------|
| `ds:cats`, `ds:cats.v3`       | the commit of a dataset, the newest or of a version  |
| `ds:root`, `ds:root.v3`       | the same of the index                                |
| 6 to 64 hex digits            | the blob whose oid starts with them                  |
| `NAME~2`                      | the commit two first parents back from either        |
| `NAME:dataset`                | the root of a commit's map of that name              |
"""

from __future__ import annotations

import re

from ldb.errors import BadName, NotFound
from ldb.history import Commit, load_commit, resolve
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.refs.name import RefName, parse_version

_DIGITS = re.compile(r"(?P<digits>[0-9a-fA-F]+)(?P<back>(?:~[0-9]{0,9})*)")
_SHOWN = 100
"""Characters of a wrong name that an error repeats."""


def rev_parse(instance: Instance, text: str) -> Oid:
    """The oid that `text` names; raises `BadName`, `BadInput`, `NotFound` or `Ambiguous`."""
    start = 3 if text.startswith("ds:") else 0
    body, colon, map_name = text[start:].partition(":")
    oid = _oid(instance, text[:start] + body)
    if not colon:
        return oid
    maps = load_commit(instance, oid).maps
    if map_name not in maps:
        raise NotFound("map", shown(text), f"{body} has: {', '.join(sorted(maps))}")
    return maps[map_name].root


def _oid(instance: Instance, text: str) -> Oid:
    if text.startswith("ds:"):
        return resolve(instance, parse_version(text)).oid
    found = _DIGITS.fullmatch(text)
    if found is None:
        raise BadName(
            shown(text), "neither ds:NAME nor hex digits of an oid", "datasets are named ds:NAME"
        )
    oid = instance.objects.expand(found["digits"])
    steps = sum(int(step) if step else 1 for step in found["back"].split("~")[1:])
    for _ in range(steps):
        parents = load_commit(instance, oid).parents
        if not parents:
            raise NotFound("commit", f"{shown(text)} (history ends at {oid})")
        oid = parents[0]
    return oid


def commit_named(instance: Instance, text: str) -> tuple[Oid, Commit]:
    """The commit that `text` names; raises `BadInput` where it names another type of blob."""
    oid = rev_parse(instance, text)
    return oid, load_commit(instance, oid)


def ref_named(text: str) -> RefName:
    """The ref `ds:NAME`, without a version; raises `BadName`."""
    if not text.startswith("ds:"):
        raise BadName(shown(text), "not a ref", "refs are named ds:NAME; the index is ds:root")
    spec = parse_version(text)
    if spec.number is not None or spec.back:
        raise BadName(shown(text), "a version, where a ref is needed", f"its ref is {spec.ref}")
    return spec.ref


def shown(text: str) -> str:
    """A name as errors repeat it: quoted where it is not plain, and cut where it is long."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return cut if cut and cut.isprintable() else repr(cut)
