"""Refs advance one number at a time, whoever wants to; nothing is ever replaced."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ldb.backends.base import Backend, Entry
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import BadName, Corrupt, NotFound
from ldb.ids import Oid
from ldb.refs.name import INDEX, MAX_NUMBER, SETTINGS, RefKind, RefName, dataset_ref
from ldb.refs.store import Advanced, Lost, Ref, RefStore, decode, encode

CATS = dataset_ref("cats")
PAGE = Path(__file__).parents[2] / "docs" / "formats" / "refs.md"


def oid(number: int) -> Oid:
    return Oid(number.to_bytes(32, "big"))


@pytest.fixture(params=["memory", "local"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return MemoryBackend() if request.param == "memory" else LocalBackend(tmp_path / "store")


@pytest.fixture
def refs(backend: Backend) -> RefStore:
    return RefStore(backend)


def advance(refs: RefStore, target: int | None, name: RefName = CATS) -> Ref:
    """Advance from wherever the ref is, without a rival."""
    outcome = refs.advance(name, refs.head(name), None if target is None else oid(target), "Ann")
    assert isinstance(outcome, Advanced)
    return outcome.ref


class Far(MemoryBackend):
    """A store far away, that counts listings."""

    far = True
    listings = 0

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        self.listings += 1
        return super().list(prefix, after, limit)


@pytest.mark.parametrize("kept", [1, 3, 7, 1000])
def test_heads_of_all(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """By pages, whatever they end at, as by one listing each; beside what is no version."""
    monkeypatch.setattr("ldb.refs.store.PAGE", kept)
    far = Far()
    refs = RefStore(far)
    for at, versions in enumerate((1, 9, 2, 1, 4)):
        for number in range(versions):
            advance(refs, number + 1, dataset_ref(f"{'Zaä_b'[at]}{at}"))
    advance(refs, None, dataset_ref("Z0"))
    for key in ("a1/-", "b/odd", "c", "%zz/9999999998", "z/9999999998/more", "z/1"):
        far.create(f"refs/datasets/{key}", b"")
    far.create("refs/datas/0000000001", b"")
    near = MemoryBackend()
    near._values = dict(far._values)
    far.listings = 0
    assert refs.heads(RefKind.DATASET) == RefStore(near).heads(RefKind.DATASET)
    assert len(refs.heads(RefKind.DATASET)) == 5
    if kept == 1000:
        assert far.listings == 2, "one each time"


def test_no_ref(refs: RefStore) -> None:
    assert refs.head(CATS) is None
    assert list(refs.history(CATS)) == []
    assert refs.names(RefKind.DATASET) == []
    with pytest.raises(NotFound, match="ds:cats"):
        refs.live(CATS)
    with pytest.raises(NotFound, match=r"ds:cats\.v1"):
        refs.get(CATS, 1)


def test_versions_count_from_one_and_stay(refs: RefStore) -> None:
    made = [advance(refs, number) for number in (11, 12, 13)]
    assert [ref.number for ref in made] == [1, 2, 3]
    assert refs.head(CATS) == refs.live(CATS) == made[2]
    assert [refs.get(CATS, number) for number in (1, 2, 3)] == made
    assert list(refs.history(CATS)) == made[::-1]
    assert [ref.target for ref in made] == [oid(11), oid(12), oid(13)]
    assert len({ref.writer for ref in made}) == 3
    assert str(made[2]) == "ds:cats.v3"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made[0].time)


def test_kinds_and_names_do_not_mix(refs: RefStore) -> None:
    for name in (CATS, INDEX, SETTINGS, dataset_ref("Cats"), dataset_ref("кот")):
        advance(refs, 1, name)
    assert refs.names(RefKind.DATASET) == [
        dataset_ref("Cats"), CATS, dataset_ref("кот"),
    ]  # fmt: skip
    assert refs.names(RefKind.INDEX) == [INDEX]
    assert all(ref.number == 1 for ref in map(refs.live, refs.names(RefKind.DATASET)))


def test_loser_is_told_who_won(refs: RefStore) -> None:
    base = advance(refs, 1)
    won = refs.advance(CATS, base, oid(2), "Ann")
    lost = refs.advance(CATS, base, oid(3), "Bob")
    assert isinstance(won, Advanced)
    assert lost == Lost(won.ref)
    first = refs.advance(CATS, None, oid(4), "Bob")
    assert first == Lost(won.ref), "the name was thought to be free"
    assert [ref.target for ref in refs.history(CATS)] == [oid(2), oid(1)]


def test_tombstone_then_new_version(refs: RefStore) -> None:
    advance(refs, 1)
    stone = advance(refs, None)
    assert (stone.number, stone.target) == (2, None)
    assert refs.head(CATS) == stone
    with pytest.raises(NotFound):
        refs.live(CATS)
    with pytest.raises(NotFound, match="was deleted here"):
        refs.get(CATS, 2)
    assert refs.get(CATS, 1).target == oid(1)
    assert refs.names(RefKind.DATASET) == [CATS]
    assert advance(refs, 3).number == 3, "numbers are never used twice"
    assert [ref.target for ref in refs.history(CATS)] == [oid(3), None, oid(1)]


def test_last_number(refs: RefStore, backend: Backend) -> None:
    last = Ref(CATS, MAX_NUMBER - 1, oid(1), "0" * 32, "", "")
    backend.create(CATS.key(last.number), encode(last))
    assert refs.head(CATS) == last
    with pytest.raises(BadName, match="used up"):
        refs.advance(CATS, last, oid(2), "Ann")


def test_other_files_are_no_versions(refs: RefStore, backend: Backend) -> None:
    made = advance(refs, 1)
    for key in ("refs/datasets/cats/x", "refs/datasets/cats/0", "refs/datasets/%zz/1"):
        backend.create(key, b"junk")
    assert refs.head(CATS) == made
    assert list(refs.history(CATS)) == [made]
    assert refs.names(RefKind.DATASET) == [CATS]


# -- races -----------------------------------------------------------------------------


def test_one_winner_of_each_number(backend: Backend) -> None:
    writers, rounds = 8, 30
    gate = Barrier(writers)

    def race(writer: int) -> list[int]:
        refs, won = RefStore(backend), []
        for number in range(rounds):
            gate.wait()
            base = refs.head(CATS)
            gate.wait()
            outcome = refs.advance(CATS, base, oid(writer * 1000 + number), f"writer {writer}")
            if isinstance(outcome, Advanced):
                won.append(outcome.ref.number)
            else:
                assert outcome.head is not None
                assert outcome.head.number == number + 1
        return won

    with ThreadPoolExecutor(writers) as pool:
        winners = list(pool.map(race, range(writers)))
    assert sorted(number for won in winners for number in won) == list(range(1, rounds + 1))
    assert len(list(RefStore(backend).history(CATS))) == rounds


def _append(folder: str, writer: int, count: int) -> None:
    """Advance `count` times, whatever others do."""
    refs = RefStore(LocalBackend(folder))
    for number in range(count):
        base = refs.head(CATS)
        while isinstance(lost := refs.advance(CATS, base, oid(writer * 1000 + number), ""), Lost):
            base = lost.head


def test_processes_lose_nothing(tmp_path: Path) -> None:
    writers, count = 4, 12
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_append, args=(str(tmp_path), writer, count))
        for writer in range(writers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    history = list(RefStore(LocalBackend(tmp_path)).history(CATS))
    assert [ref.number for ref in history] == list(range(writers * count, 0, -1))
    assert {ref.target for ref in history} == {
        oid(writer * 1000 + number) for writer in range(writers) for number in range(count)
    }
    targets = [int.from_bytes(ref.target or b"", "big") for ref in history]
    for writer in range(writers):
        order = [value for value in targets if value // 1000 == writer]
        assert order == sorted(order, reverse=True), "each writer's own order is kept"


# -- bodies ----------------------------------------------------------------------------

SAMPLE = Ref(CATS, 1, oid(1), "2" * 32, "Ann", "2026-01-02T03:04:05.678Z")


@pytest.mark.parametrize("at", range(0, len(encode(SAMPLE)), 7))
def test_every_flipped_bit_is_seen(refs: RefStore, backend: Backend, at: int) -> None:
    data = bytearray(encode(SAMPLE))
    data[at] ^= 1 << at % 8
    backend.create(CATS.key(1), bytes(data))
    with pytest.raises(Corrupt, match="refs/datasets/cats/9999999998"):
        refs.head(CATS)
    with pytest.raises(Corrupt, match="refs/datasets/cats/9999999998"):
        refs.get(CATS, 1)


@pytest.mark.parametrize("key", [CATS.key(2), dataset_ref("dogs").key(1)])
def test_file_that_was_moved(refs: RefStore, backend: Backend, key: str) -> None:
    advance(refs, 1)
    backend.create(key, backend.read(CATS.key(1)))
    name = CATS if "cats" in key else dataset_ref("dogs")
    with pytest.raises(Corrupt, match="moved here"):
        refs.head(name)


@pytest.mark.parametrize("cut", [0, 1, 10, 50, len(encode(SAMPLE)) - 1])
def test_truncated(cut: int) -> None:
    with pytest.raises(Corrupt):
        decode(CATS, 1, encode(SAMPLE)[:cut], "here")


def signed(text: str) -> bytes:
    """A body with the check that fits."""
    return f"{text}check {hashlib.sha256(text.encode()).hexdigest()}\n".encode()


GOOD = encode(SAMPLE).decode().rpartition("check ")[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("ldb-ref 1", "ldb-ref 2"),
        lambda text: text.replace("commit " + "0" * 63 + "1", "commit zz"),
        lambda text: text.replace("commit ", "comit "),
        lambda text: text.replace("writer ", "wrote "),
        lambda text: text + "renamed ds:a/b\n",
        lambda text: "",
        lambda text: "ldb-ref 1\n",
    ],
)
def test_signed_nonsense(change: Callable[[str], str]) -> None:
    assert signed(GOOD) == encode(SAMPLE)
    with pytest.raises(Corrupt):
        decode(CATS, 1, signed(change(GOOD)), "here")


@pytest.mark.parametrize("more", ["later yes\n", "alone\n", "check this out\n", "\n"])
def test_lines_of_a_later_format_are_ignored(more: str) -> None:
    assert decode(CATS, 1, signed(GOOD + more), "here") == SAMPLE


def test_renamed(refs: RefStore) -> None:
    """A tombstone says the new name, that of a renamed one the newer; rings and ends say none."""
    names = [dataset_ref(name) for name in ("a", "b", "c")]
    heads = {}
    for name in names:
        outcome = refs.advance(name, None, oid(1), "")
        assert isinstance(outcome, Advanced)
        heads[name] = outcome.ref

    def rename(old: RefName, new: RefName | None) -> Ref:
        outcome = refs.advance(old, heads[old], None, "", new)
        assert isinstance(outcome, Advanced)
        assert refs.head(old) == outcome.ref
        return outcome.ref

    first = rename(names[0], names[1])
    assert refs.called_now(first) == names[1]
    second = rename(names[1], names[2])
    assert refs.called_now(first) == refs.called_now(second) == names[2]
    rename(names[2], names[0])
    assert refs.called_now(first) is None
    refs.advance(names[0], first, oid(2), "")
    assert refs.called_now(second) == names[0]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ann <ann@example.org>", "Ann <ann@example.org>"),
        ("  two\nlines\r\n\ttab ", "two lines tab"),
        ("Zoë 猫", "Zoë 猫"),
        ("a\u2028b\x85c\x1b[31m", "a b c [31m"),
        ("a\x00b\ud800", "a b "),
        ("", ""),
        ("commit -", "commit -"),
    ],
)
def test_authors(refs: RefStore, given: str, kept: str) -> None:
    outcome = refs.advance(CATS, None, oid(1), given)
    assert isinstance(outcome, Advanced)
    read = refs.live(CATS)
    assert (read.author, read.target) == (kept, oid(1))


def test_worked_example_of_the_page() -> None:
    block = PAGE.read_text("utf-8").partition("## Worked example")[2].split("## History")[0]
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")]
    body = ("\n".join(lines) + "\n").encode()
    ref = Ref(CATS, 1, Oid(b"\x11" * 32), "2" * 32, "Ann", "2026-01-02T03:04:05.678Z")
    assert encode(ref) == body
    assert decode(CATS, 1, body, "page") == ref
    assert f"`{CATS.key(1)}`" in block
