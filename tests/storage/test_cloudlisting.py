"""A listing comes back in the order of the index's keys, in windows that part no pair."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.catalog import path_key
from ldb.clouds.base import Stat
from ldb.formats.pairs import pair
from ldb.storage.cloudlisting import Fact, Sorted, Window, fit

ROOT = b"s3://bucket/"
PARTS = st.text("ab.-_", min_size=1, max_size=4)
KEYS = st.sets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=60)

ENDINGS = st.sampled_from(["", ".json", ".jpg"])


def windows(keys: set[str], run: int, size: int) -> list[Window]:
    with closing(Sorted(run)) as entries:
        for at, key in enumerate(sorted(keys)):
            stat = Stat(key, at, 1000 + at, f"t{at}", bytes([at] * 16), f"v{at}")
            entries.add(ROOT + key.encode(), stat)
        return list(entries.windows(size))


@given(KEYS, st.integers(1, 70), st.integers(1, 10))
def test_order_is_that_of_the_index_whatever_fits_into_memory(
    keys: set[str], run: int, size: int
) -> None:
    found = windows(keys, run, size)
    uris = [each.folder + name for each in found for name in each.names]
    assert uris == sorted((ROOT + key.encode() for key in keys), key=path_key)
    facts = {
        each.folder + name: fact for each in found for name, fact in zip(each.names, each.facts)
    }
    for at, key in enumerate(sorted(keys)):
        wanted = Fact(at, 1000 + at, f"t{at}", bytes([at] * 16), f"v{at}")
        assert facts[ROOT + key.encode()] == wanted


@given(
    st.sets(st.builds("{}{}".format, PARTS, st.sampled_from(["", ".json", ".jpg"])), max_size=60)
)
def test_windows_part_no_pair(names: set[str]) -> None:
    found = windows(names, 1000, 1)
    everything = sorted(name.encode() for name in names)

    def beside(listed: list[bytes]) -> dict[bytes, bytes]:
        pairing = pair(listed, strict=False)
        return {listed[at]: listed[note] if note >= 0 else b"" for at, note in pairing.data}

    apart: dict[bytes, bytes] = {}
    for each in found:
        apart.update(beside(each.names))
    assert apart == beside(everything)


@pytest.mark.parametrize(
    ("below", "size", "good", "said"),
    [
        ("a.jpg", 1, True, ""),
        ("dir/ä b.jpg", 1, True, ""),
        ("…/b...jpg", 1, True, ""),
        (".hidden", 1, False, ""),
        ("dir/.hidden/a.jpg", 1, False, ""),
        ("dir/", 0, False, ""),
        ("", 0, False, ""),
        ("dir/", 1, False, "slash"),
        ("a//b", 1, False, "two slashes"),
        ("/a", 1, False, "two slashes"),
        ("a/./b", 1, False, "`.`"),
        ("../b", 1, False, "`..`"),
        ("a\x01b", 1, False, "control"),
        ("a\n", 1, False, "control"),
        ("x" * 256, 1, False, "255"),
        ("x" * 255, 1, True, ""),
        ("/".join(["x" * 200] * 20), 1, False, "long"),
    ],
)
def test_which_keys_are_file_names(below: str, size: int, good: bool, said: str) -> None:
    problems: list[str] = []
    raw = below.encode()
    assert fit(ROOT + raw, raw, size, lambda _, why: problems.append(why)) is good
    assert bool(problems) is bool(said)
    assert all(said in why for why in problems)
