"""Files made from packs: every flipped byte is found, and content that is not the pack's."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ldb.backends.local import LocalBackend
from ldb.columns.build import from_values
from ldb.columns.model import Column, Kind
from ldb.columns.read import open_columns
from ldb.columns.write import encode_columns
from ldb.instance import create
from ldb.objects.codec import decode
from ldb.objects.columnfiles import shred_pack
from ldb.objects.model import BlobType
from ldb.objects.packformat import derived_from, pack_key, pack_name
from ldb.objects.packread import PackReader
from ldb.places.file import PlaceFile, Section, encode_places, parse_places
from ldb.places.model import NO_BLOB, UNKNOWN
from ldb.places.write import write_places
from ldb.porcelain.draft import add
from ldb.porcelain.fsck import fsck
from ldb.porcelain.fsck.derived import Store, check_derived
from ldb.porcelain.fsck.report import Findings
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.porcelain.storage import add_storage
from ldb.progress import SILENT
from ldb.query.selection import FilterSpec
from ldb.refs.name import parse_version
from ldb.workspace import open_store
from tests.porcelain.fsck.samples import in_memory, store_of

Values = dict[str, bytes]

OBJECTS = 600
FLIPS = 400
"""So many bytes of each file are flipped, besides those at both ends."""


def note(number: int) -> object:
    if number == 77:
        return {"deep": json.loads("[" * 40 + "]" * 40), "large": 1 << 63, "number": number}
    label = "cat" if number % 2 else "dog"
    box = [number, number / 4] if number % 3 else None
    return {"label": label, "number": number, "box": box, "name": f"é{number}"}


def index_alone(place: Place, data: Path) -> None:
    """By one process, so that all blobs come into one pack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ldb.indexing.run.default_processes", lambda: 1)
        index(place, [str(data)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An instance with columns, and with places of the index; a draft in `base/cats`."""
    base = tmp_path_factory.mktemp("derived")
    data = base / "data"
    data.mkdir()
    for number in range(OBJECTS):
        (data / f"{number:04}.jpg").write_bytes(b"image %d" % number)
        if number % 5:
            (data / f"{number:04}.json").write_text(json.dumps(note(number)))
    instance = create(LocalBackend(base / "instance"))
    outside = Place(instance, str(base), "Ann")
    add_storage(outside, str(data))
    index_alone(outside, data)
    cats = Place(instance, str(base / "cats"))
    stage(outside.refreshed(), parse_version("ds:cats"), cats.cwd)
    add(cats.refreshed(), [], [FilterSpec("query", "number > `2`")])
    return cats


@pytest.fixture(scope="module")
def values(place: Place) -> Values:
    return in_memory(place.instance.backend)


@pytest.fixture(scope="module")
def derived(values: Values) -> dict[str, str]:
    """Keys of the three files by what follows the pack's name."""
    found = {suffix: key for key in values for _, suffix in [derived_from(key) or ("", "")]}
    del found[""]
    assert found.keys() == {"annotation.arrow", "record.arrow", "places"}
    return found


def only(values: Values, key: str) -> str:
    """The reason of the one problem there is, which names `key`."""
    report = fsck(store_of(values))
    assert [problem.name for problem in report.problems] == [key], report.problems
    assert not report.problems[0].needed_by
    assert report.problems[0].why.endswith(
        "nothing is lost: delete the file, it is made again from its pack"
    )
    return report.problems[0].why


def pack_of(values: Values, key: str) -> PackReader:
    name, _ = derived_from(key) or ("", "")
    return PackReader(store_of(values), pack_key(name), len(values[pack_key(name)]))


def test_sound(values: Values, derived: dict[str, str]) -> None:
    report = fsck(store_of(values))
    assert report.sound, report.problems
    assert report.checked.files == len(values)
    assert report.checked.bytes == sum(map(len, values.values()))
    assert not any("LDB" in text for text in report.notes)


def test_a_missing_one_is_no_finding(values: Values, derived: dict[str, str]) -> None:
    rest = {key: data for key, data in values.items() if key not in derived.values()}
    report = fsck(store_of(rest))
    assert (report.problems, report.notes) == ((), fsck(store_of(values)).notes)


@pytest.mark.parametrize("suffix", ["annotation.arrow", "record.arrow", "places"])
def test_flipped_bytes(values: Values, derived: dict[str, str], suffix: str) -> None:
    """All at both ends, some between; two of them under the whole check."""
    key = derived[suffix]
    data = values[key]
    between = random.Random(7).sample(range(len(data)), FLIPS)
    for at in {*range(40), *range(len(data) - 80, len(data)), *between}:
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        findings = Findings()
        store = store_of({**pack_and(values, key), key: bytes(changed)})
        check_derived([Store(store)], findings, SILENT)
        assert [problem.name for problem in findings.report().problems] == [key], at
        if at in between[:2]:
            only({**values, key: bytes(changed)}, key)


def pack_and(values: Values, key: str) -> Values:
    """The pack that a file lies beside."""
    name = pack_key((derived_from(key) or ("", ""))[0])
    return {name: values[name]}


@pytest.mark.parametrize("suffix", ["annotation.arrow", "record.arrow", "places"])
def test_cut_longer_or_empty(values: Values, derived: dict[str, str], suffix: str) -> None:
    key = derived[suffix]
    data = values[key]
    for changed in (b"", data[:1], data[: len(data) // 2], data[:-1], data + b"\0", bytes(99)):
        only({**values, key: changed}, key)


def test_without_a_pack(values: Values, derived: dict[str, str]) -> None:
    odd = f"objects/pack/{'ab' * 32}.record.arrow"
    stray = "objects/pack/some.places"
    report = fsck(store_of({**values, odd: b"junk", stray: b"junk"}))
    assert report.sound
    assert any(odd in text and "not there" in text for text in report.notes)
    assert f"{stray} is not a file of LDB's" in report.notes
    assert report.checked.files == len(values) + 1


def test_beside_a_damaged_pack(values: Values, derived: dict[str, str]) -> None:
    """Its own files are not blamed for it, and yet their sums are looked at."""
    key = pack_of(values, derived["record.arrow"]).key
    broken = {**values, key: b"l" + values[key][1:]}
    assert [problem.name for problem in fsck(store_of(broken)).problems] == [key]
    beside = {name for name in derived.values() if name.startswith(key[: -len(".pack")])}
    assert not beside & {problem.name for problem in fsck(store_of(broken)).problems}
    for name in beside:
        changed = {**broken, name: values[name][:-1]}
        assert name in {problem.name for problem in fsck(store_of(changed)).problems}


# -- columns ---------------------------------------------------------------------------


def test_columns_of_another_pack(values: Values, derived: dict[str, str], tmp_path: Path) -> None:
    """With as many rows, and sound by themselves."""
    data = tmp_path / "data"
    data.mkdir()
    for number in range(OBJECTS):
        (data / f"{number:04}.jpg").write_bytes(b"picture %d" % number)
        if number % 5:
            (data / f"{number:04}.json").write_text(json.dumps({"label": number}))
    instance = create(LocalBackend(tmp_path / "instance"))
    other = Place(instance, str(tmp_path), "Ann")
    add_storage(other, str(data))
    index_alone(other, data)
    found = in_memory(instance.backend)
    for suffix in ("annotation.arrow", "record.arrow"):
        swapped = next(data for key, data in found.items() if key.endswith(suffix))
        assert "rows are not what its pack holds" in only(
            {**values, derived[suffix]: swapped}, derived[suffix]
        )


def test_one_value_in_one_row(values: Values, derived: dict[str, str]) -> None:
    key = derived["annotation.arrow"]
    column = shred_pack(pack_of(values, key), BlobType.ANNOTATION)
    numbers = column.fields["number"].ints
    numbers[200] += 1
    assert "1 rows are not what" in only({**values, key: encode_columns(column)}, key)
    numbers[200] -= 1
    assert fsck(store_of({**values, key: encode_columns(column)})).sound


def test_rows_in_another_order_and_fewer(values: Values, derived: dict[str, str]) -> None:
    key = derived["record.arrow"]
    column = shred_pack(pack_of(values, key), BlobType.RECORD)
    rows = np.arange(column.size)
    rows[[3, 4]] = [4, 3]
    assert "2 rows are not" in only({**values, key: encode_columns(column.take(rows))}, key)
    fewer = encode_columns(column.take(rows[:-1]))
    why = f"{column.size - 1} rows where its pack has {column.size} records"
    assert why in only({**values, key: fewer}, key)


def test_columns_of_the_other_type(values: Values, derived: dict[str, str]) -> None:
    one, other = derived["record.arrow"], derived["annotation.arrow"]
    only({**values, one: values[other]}, one)


def test_a_file_may_hold_more_than_shredding_gives(values: Values, derived: dict[str, str]) -> None:
    """Limits may change: what shredding gives up is compared by value."""
    key = derived["annotation.arrow"]
    pack = pack_of(values, key)
    with_all = _from_payloads(pack, lambda value: value)
    data = encode_columns(with_all)
    held = open_columns(lambda start, stop: data[start:stop], len(data), key)
    row = with_all.fields["number"].ints.tolist().index(77)
    assert not held.fields["deep"].opaque()[row]
    assert shred_pack(pack, BlobType.ANNOTATION).fields["deep"].opaque()[row]
    assert fsck(store_of({**values, key: data})).sound
    odd = _from_payloads(
        pack, lambda value: {**value, "deep": [[[]]]} if "deep" in value else value
    )
    assert "1 rows are not what" in only({**values, key: encode_columns(odd)}, key)


def _from_payloads(pack: PackReader, change: Callable[[dict[str, object]], object]) -> Column:
    blocks = pack.read_blocks(each for each in pack.blocks() if each.type is BlobType.ANNOTATION)
    values = [change(decode(payload)) for block in blocks for payload in block.all()]
    column = from_values(values)
    return Column(column.size, Kind.OBJECT, fields=dict(sorted(column.fields.items())))


# -- places ----------------------------------------------------------------------------


def with_places(values: Values, key: str, change: Callable[[PlaceFile], PlaceFile]) -> Values:
    file = change(parse_places(values[key], key))
    return {**values, key: encode_places(file.packs, file.sections)}


def changed_section(
    field: str, change: Callable[[Section], Section]
) -> Callable[[PlaceFile], PlaceFile]:
    def of(file: PlaceFile) -> PlaceFile:
        sections = tuple(change(each) if each.field == field else each for each in file.sections)
        return replace(file, sections=sections)

    return of


def renumbered(row: int, number: int) -> Callable[[Section], Section]:
    def of(section: Section) -> Section:
        numbers = section.numbers.copy()
        numbers[row] = number
        return replace(section, numbers=numbers)

    return of


def test_places_of_other_blobs(values: Values, derived: dict[str, str]) -> None:
    key = derived["places"]
    file = parse_places(values[key], key)
    for section in file.sections:
        numbers = section.numbers
        none, known = np.flatnonzero(numbers == NO_BLOB), np.flatnonzero(numbers < NO_BLOB)
        assert len(none) == (OBJECTS // 5 if section.field == "annotation" else 0)
        row, other = known[:2].tolist()
        cases = [(row, int(numbers[other])), (row, 1 << 20), (row, int(NO_BLOB)), (row, 0xFFFFFFF5)]
        cases += [(int(none[0]), int(numbers[row]))] if len(none) else []
        for at, number in cases:
            change = changed_section(section.field, renumbered(at, number))
            why = only(with_places(values, key, change), key)
            assert f"{section.field}: 1 rows lead to other blobs" in why
        change = changed_section(section.field, renumbered(row, int(UNKNOWN)))
        assert fsck(store_of(with_places(values, key, change))).sound


def test_places_of_leaves_that_are_not_there(values: Values, derived: dict[str, str]) -> None:
    key = derived["places"]

    def shifted(section: Section) -> Section:
        return replace(section, leaves=section.leaves + np.uint32(1 << 20))

    def turned(section: Section) -> Section:
        return replace(section, leaves=section.leaves[::-1])

    def uneven(section: Section) -> Section:
        starts = section.starts.copy()
        starts[np.flatnonzero(np.diff(starts)[:-1])[0] + 1] -= 1
        return replace(section, starts=starts)

    for change, why in (
        (shifted, "leaves that its pack has not"),
        (turned, "not in order"),
        (uneven, "of other sizes"),
    ):
        assert why in only(with_places(values, key, changed_section("record", change)), key)
    twice = with_places(values, key, lambda file: replace(file, sections=file.sections[:1] * 2))
    assert "two sections" in only(twice, key)


def test_packs_that_places_name(values: Values, derived: dict[str, str]) -> None:
    key = derived["places"]

    def more(file: PlaceFile) -> PlaceFile:
        first = replace(file.packs[0], records=file.packs[0].records + 1)
        return replace(file, packs=(first, *file.packs[1:]))

    assert "records in pack" in only(with_places(values, key, more), key)

    def gone(file: PlaceFile) -> PlaceFile:
        return replace(file, packs=tuple(replace(each, name="ab" * 32) for each in file.packs))

    report = fsck(store_of(with_places(values, key, gone)))
    assert report.sound
    assert any("not there any more" in text for text in report.notes)


# -- a workspace -----------------------------------------------------------------------


def test_in_a_workspace(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of the draft lead into packs of the instance."""
    monkeypatch.setattr("ldb.places.write.FEWEST_ROWS", 1)
    instance = place.refreshed().instance
    own = open_store(place.cwd, instance)
    inside = Path(place.cwd, ".ldb_workspace")
    before = fsck(instance.backend, place.cwd)
    written = [pack for pack in own.packs() if write_places(own, pack)]
    report = fsck(instance.backend, place.cwd)
    assert (report.problems, report.notes) == ((), before.notes)
    assert report.checked.files == before.checked.files + len(written) > before.checked.files
    name = pack_name(written[0].key)
    path = inside / f"objects/pack/{name}.places"
    data = path.read_bytes()
    path.chmod(0o644)
    file = parse_places(data, "")
    row = int(np.flatnonzero(file.sections[0].numbers < NO_BLOB)[0])
    wrong = renumbered(row, 0 if file.sections[0].numbers[row] else 1)(file.sections[0])
    path.write_bytes(encode_places(file.packs, [wrong]))
    columns = inside / f"objects/pack/{name}.record.arrow"
    columns.write_bytes(encode_columns(Column(1, Kind.NULL)))
    found = {each.name: each.why for each in fsck(instance.backend, place.cwd).problems}
    assert found.keys() == {str(path), str(columns)}
    assert "1 rows lead to other blobs" in found[str(path)]
    assert "1 rows where its pack has 0 records" in found[str(columns)]
    path.unlink()
    columns.unlink()
