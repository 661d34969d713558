"""Damage of every kind in every file of an instance: it is found, and named.

What cannot matter, and why:

- bits of a loose blob's zstd frame that decompression does not use (one of the frame's
  first byte, weights of symbols that do not occur): the content is proven by its hash;
- a missing pack or loose blob that nothing refers to;
- the newest version's ref file missing: the version before is the newest then, which no
  reader can tell from the truth; the commit without a ref is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ldb.backends.base import Backend
from ldb.catalog import Catalog, fill, load_records
from ldb.dataset import dataset_schema
from ldb.errors import Corrupt, LdbError
from ldb.history import Version, load_commit
from ldb.instance import INSTANCE_KEY, Instance, open_instance
from ldb.maps import scan
from ldb.objects.loose import oid_of_key, parse_loose
from ldb.objects.model import BlobType
from ldb.objects.packcheck import entries
from ldb.objects.packformat import pack_name
from ldb.objects.packread import PackReader
from ldb.porcelain.fsck import Report, fsck
from ldb.porcelain.fsck.files import ref_file
from ldb.refs.name import INDEX, RefKind
from ldb.refs.store import Ref, decode
from tests.porcelain.fsck.samples import in_memory, make_instance, store_of

Values = dict[str, bytes]

POSITIONS = 24
"""About so many bytes of each file are flipped under the whole check."""


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Values:
    place = make_instance(tmp_path_factory.mktemp("fuzz"))
    return in_memory(place.instance.backend)


def flipped(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def names(report: Report, key: str) -> bool:
    """Whether a problem names a file, or the blob in it."""
    oid = oid_of_key(key)
    return any(each.name == key or (oid and each.name == str(oid)) for each in report.problems)


def checked(values: Values) -> Report:
    return fsck(store_of(values))


def is_harmless(key: str, data: bytes) -> bool:
    """The exemption for loose blobs."""
    oid = oid_of_key(key)
    try:
        return oid is not None and parse_loose(data, oid).oid == oid
    except Corrupt:
        return False


def test_sound(values: Values) -> None:
    report = checked(values)
    assert report.sound, report.problems
    assert report.checked.files == len(values)
    assert report.checked.bytes == sum(map(len, values.values()))
    assert report.checked.versions == 7
    assert not any("not LDB's" in note for note in report.notes)


# -- every bit ---------------------------------------------------------------------------


def test_every_bit_of_the_instance_file(values: Values) -> None:
    data = values[INSTANCE_KEY]
    for at in range(8 * len(data)):
        with pytest.raises(Corrupt):
            open_instance(store_of({INSTANCE_KEY: flipped(data, at // 8, at % 8)}))


def test_every_bit_of_a_ref(values: Values) -> None:
    for key in [key for key in values if key.startswith("refs/")]:
        file = ref_file(key)
        assert file is not None
        for at in range(8 * len(values[key])):
            with pytest.raises(Corrupt):
                decode(file.name, file.number, flipped(values[key], at // 8, at % 8), key)


def test_bits_of_loose_blobs(values: Values) -> None:
    """Those that go unnoticed leave the blob as it was, and are few."""
    for key in filter(oid_of_key, values):
        bits = range(8 * len(values[key]))
        unnoticed = [at for at in bits if is_harmless(key, flipped(values[key], at // 8, at % 8))]
        assert len(unnoticed) < 20


def _positions(data: bytes) -> Iterator[tuple[int, int]]:
    step = max(1, len(data) // POSITIONS)
    for turn, position in enumerate(range(0, len(data), step)):
        yield position, (position + turn) % 8
    for position in range(len(data) - 12, len(data)):
        yield position, position % 8


def test_bits_of_all_files(values: Values) -> None:
    for key, data in values.items():
        for position, bit in _positions(data):
            changed = flipped(data, position, bit)
            if not is_harmless(key, changed):
                report = checked({**values, key: changed})
                assert names(report, key), (key, position, bit)


# -- other damage ------------------------------------------------------------------------


def test_truncated(values: Values) -> None:
    for key, data in values.items():
        for size in {0, 1, len(data) // 2, len(data) - 1}:
            assert names(checked({**values, key: data[:size]}), key), (key, size)


def test_extended(values: Values) -> None:
    for key, data in values.items():
        for more in (b"\0", b"\n", b" ", data):
            assert names(checked({**values, key: data + more}), key), (key, more)


def test_overwritten_with_zeros(values: Values) -> None:
    """What file systems leave of a file whose blocks were never written."""
    for key, data in values.items():
        assert names(checked({**values, key: bytes(len(data))}), key), key


def test_swapped(values: Values) -> None:
    for one, other in combinations(values, 2):
        report = checked({**values, one: values[other], other: values[one]})
        assert names(report, one), (one, other)
        assert names(report, other), (one, other)


def test_deleted(values: Values) -> None:
    before = everything(store_of(values))
    for key in values:
        rest = {name: data for name, data in values.items() if name != key}
        if key == INSTANCE_KEY:
            with pytest.raises(LdbError):
                checked(rest)
            continue
        report = checked(rest)
        file = ref_file(key)
        if file is not None:
            said = " ".join(report.notes)
            newer = file.name.key(file.number + 1) in values
            target = decode(file.name, file.number, values[key], key).target
            if newer:
                assert key in said
            elif target is not None and file.name.kind is not RefKind.SETTINGS:
                assert f"commit {target} is named by no ref" in said
        elif report.sound:
            assert everything(store_of(rest)) == before, key
        else:
            missing = {str(oid) for oid in oids_of(values, key)}
            assert {each.name for each in report.problems} <= missing


def oids_of(values: Values, key: str) -> list[bytes]:
    oid = oid_of_key(key)
    if oid:
        return [oid]
    assert pack_name(key)
    pack = PackReader(store_of(values), key, len(values[key]))
    return [entry.oid for entry in entries(pack)]


# -- who needs it ------------------------------------------------------------------------


def test_versions_that_need_what_is_damaged(values: Values) -> None:
    """Those that fsck lists are those that cannot be read."""
    found = set()
    for key, data in values.items():
        if pack_name(key):
            for position in range(8, len(data), len(data) // 6):
                broken = {**values, key: flipped(data, position, position % 8)}
                listed = {name for each in checked(broken).problems for name in each.needed_by}
                unreadable = {
                    name for name, content in everything(store_of(broken)).items() if not content
                }
                assert unreadable <= listed, (key, position)
                found |= unreadable
    assert {"ds:cats.v1", "ds:cats.v2", "ds:dogs.v1", "ds:root.v2"} <= found


def everything(backend: Backend) -> dict[str, object]:
    """What each version holds, read as commands do; None for one that cannot be read."""
    instance = open_instance(backend)
    found: dict[str, object] = {}
    for kind in (RefKind.DATASET, RefKind.INDEX):
        for name in instance.refs.names(kind):
            for ref in instance.refs.history(name):
                if ref.target is not None:
                    try:
                        found[str(ref)] = _content(instance, ref)
                    except LdbError:
                        found[str(ref)] = None
    return found


def _content(instance: Instance, ref: Ref) -> object:
    assert ref.target is not None
    commit = load_commit(instance, ref.target)
    if ref.name != INDEX:
        rows = scan(instance.objects, dataset_schema(instance), commit.maps["dataset"].root)
        return [(part.keys.tobytes(), _annotations(instance, part.fields[0])) for part in rows]
    catalog = Catalog(instance, Version(ref.name, ref.number, ref.target, commit))
    paths = [part.keys.tobytes() for part in catalog.paths_under()]
    return paths, [_records(instance, part.fields[0]) for part in catalog.rows()]


def _records(instance: Instance, oids: NDArray[np.uint8]) -> list[Any]:
    return fill(load_records(instance, oids), len(oids))


def _annotations(instance: Instance, oids: NDArray[np.uint8]) -> list[Any]:
    some = oids[oids.any(axis=1)]
    return fill(instance.objects.scan(some, BlobType.ANNOTATION), len(some))
