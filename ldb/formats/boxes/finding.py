"""Which file of a listing a label file means: they say it by name, by stem, or by half a path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ldb.formats.base import joined

SUBSETS = ("train", "val", "valid", "validation", "test", "trainval", "minival", "testdev")
"""Names of subsets in use; numbers may follow (`train2017`)."""


class Finder:
    """Data files by base name and by stem."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_base: dict[str, str | list[str]] = {}
        self._by_stem: dict[str, str | list[str]] = {}
        for name in names:
            base = name.rpartition("/")[2]
            _put(self._by_base, base, name)
            _put(self._by_stem, stem_of(base), name)

    def find(self, path: str, near: Sequence[str] = (), subset: str = "") -> str:
        """The file that `path` ends like; empty where there is none, or several as good.

        Of several files with this ending: one in a folder of `near` (in order, relative to the
        location), else the only one below a folder named as the subset.
        """
        path = joined(path.replace("\\", "/").split("/"))
        return _pick(_listed(self._by_base, path.rpartition("/")[2]), path, near, subset)

    def stem(self, path: str, near: Sequence[str] = (), subset: str = "") -> str:
        """The same for a path without its extension."""
        path = joined(path.replace("\\", "/").split("/"))
        found = _listed(self._by_stem, path.rpartition("/")[2])
        by_stem = {without_extension(name): name for name in reversed(found)}
        return by_stem.get(_pick(list(by_stem), path, near, subset), "")


def _put(table: dict[str, str | list[str]], key: str, name: str) -> None:
    known = table.get(key)
    if known is None:
        table[key] = name
    elif isinstance(known, list):
        known.append(name)
    else:
        table[key] = [known, name]


def _listed(table: dict[str, str | list[str]], key: str) -> list[str]:
    found = table.get(key, [])
    return found if isinstance(found, list) else [found]


def _pick(found: list[str], path: str, near: Sequence[str], subset: str) -> str:
    known = set(found)
    for folder in near:
        name = f"{folder}/{path}" if folder else path
        if name in known:
            return name
    fitting = [name for name in found if name == path or name.endswith("/" + path)]
    if not fitting and "/" in path:
        # A path from another machine: data/obj_train/1.jpg of a folder that is called otherwise.
        return _pick(found, path.partition("/")[2], near, subset)
    if len(fitting) > 1 and subset:
        fitting = [name for name in fitting if subset in name.split("/")[:-1]]
    return fitting[0] if len(fitting) == 1 else ""


def stem_of(base: str) -> str:
    return base.rpartition(".")[0] or base


def without_extension(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + stem_of(base)


def is_subset(text: str) -> bool:
    """Whether a folder or a file so named stands for a part of a dataset."""
    return text.rstrip("0123456789").rstrip("_-").lower() in SUBSETS
