"""Two people split one dataset at the same moment: never two parts that do not fit together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ldb import instance as instances
from ldb.backends.base import Buffer, Outcome
from ldb.backends.memory import MemoryBackend
from ldb.errors import Conflict
from ldb.history import head
from ldb.instance import Instance
from ldb.porcelain.place import Place
from ldb.porcelain.split import SplitDone, SplitSpec, parse_shares, split
from ldb.refs.name import dataset_ref, parse_version
from tests.porcelain.contents import content_of, saved

EVERYTHING = dict.fromkeys(range(300), 0)


class Jealous(MemoryBackend):
    """Somebody else splits in another way right before a version of this part is made."""

    part = ""

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        if self.part and key.startswith(f"refs/datasets/{self.part}/"):
            self.part = ""
            cut(instances.open_instance(self), seed=2)
        return super().create(key, data, unconditional=unconditional)


def cut(instance: Instance, seed: int) -> SplitDone:
    spec = SplitSpec(parse_shares(["a=.5", "b=.5"]), seed=seed)
    return split(Place(instance, "/nowhere", "ann"), parse_version("x"), spec)


def parts(instance: Instance) -> list[set[int]]:
    found = [head(instance, dataset_ref(f"x-{name}")) for name in "ab"]
    return [set(content_of(instance, each)) for each in found if each is not None]


def test_who_comes_second_is_told() -> None:
    backend = Jealous()
    instance = instances.create(backend)
    saved(instance, "x", EVERYTHING)
    backend.part = "x-a"
    with pytest.raises(Conflict, match="x-a"):
        cut(instance, seed=1)
    one, other = parts(instance)
    assert not one & other
    assert one | other == set(EVERYTHING)


def test_told_at_a_later_part_and_mended_by_running_again() -> None:
    backend = Jealous()
    instance = instances.create(backend)
    saved(instance, "x", EVERYTHING)
    backend.part = "x-b"
    with pytest.raises(Conflict, match=r"x-[ab]"):
        cut(instance, seed=1)
    cut(instance, seed=1)
    one, other = parts(instance)
    assert not one & other
    assert one | other == set(EVERYTHING)


def test_the_same_split_at_once_is_one() -> None:
    instance = instances.create(MemoryBackend())
    saved(instance, "x", EVERYTHING)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: cut(instance, seed=0), range(4)))
    assert {str(part.version) for each in done for part in each.parts} == {"ds:x-a.v1", "ds:x-b.v1"}
