"""The list of files made: read back as written, and bearable whatever is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import StoreFailed
from ldb.instantiate.listing import Before, Listing
from ldb.instantiate.manifest import HEADER, Journal, instantiated_files, line_of, parse
from ldb.instantiate.model import Entry
from ldb.instantiate.target import Target

ENTRIES = st.builds(
    Entry,
    st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32),
    st.just(b"") | st.binary(min_size=32, max_size=32),
)
PATHS = st.text("aé /.-+", min_size=1)


@given(st.dictionaries(PATHS, ENTRIES))
def test_lines_read_back(entries: dict[str, Entry]) -> None:
    text = HEADER + "\n" + "".join(line_of(path, each) for path, each in entries.items())
    assert parse(text).entries == entries
    assert parse(text).unfinished == set(entries)
    assert parse(text + "end\n").unfinished == set()


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert parse(f"{HEADER}\n{text}").entries == {}


def test_a_torn_line_lists_nothing_and_spoils_nothing() -> None:
    one, two = (line_of(name, Entry(bytes(16))) for name in ("one", "two"))
    assert set(parse(f"{HEADER}\n{one}{two[:-1]}").entries) == {"one"}
    assert set(parse(f"{HEADER}\n{one[:20]}\n{two}").entries) == {"two"}


def test_another_file_of_that_name_is_refused() -> None:
    with pytest.raises(StoreFailed, match="not a list"):
        parse("something\n")


def test_a_journal_over_runs(tmp_path: Path) -> None:
    one, two, three = (Entry(bytes([each]) * 16) for each in range(3))
    with Target(str(tmp_path)) as target:
        with _run(target) as (journal, listing):
            assert listing.plan("a", one) is None
            assert listing.plan("b", two) is None
            listing.undo("b")
            listing.flush()
            journal.finish()
        (tmp_path / "a").write_text("")
        (tmp_path / "mine").write_text("")
        with _run(target) as (journal, listing):
            assert listing.plan("a", two) == one
            assert listing.plan("mine", three) is None
            assert listing.plan("c", three) is None
            listing.undo("a")
            listing.flush()
            assert (listing.planned, set(journal.remaining)) == (["a"], {"a"})
            journal.planned(listing.planned)
            assert journal.remaining == {}
            journal.finish()
    assert instantiated_files(str(tmp_path)) == {"a": one, "c": three}
    assert instantiated_files(str(tmp_path / "none")) == {}


def test_a_run_that_changed_nothing_leaves_the_list_as_it_is(tmp_path: Path) -> None:
    one = Entry(bytes(16))
    manifest = tmp_path / ".ldb_instantiated"
    with Target(str(tmp_path)) as target:
        for _ in range(2):
            with _run(target) as (journal, listing):
                listing.plan("a", one)
                listing.flush()
                journal.finish()
            (tmp_path / "a").write_text("")
            os.utime(manifest, ns=(1, 1))
        before = manifest.read_bytes()
        with _run(target) as (journal, listing):
            listing.plan("a", one)
            journal.finish()
        assert (manifest.read_bytes(), manifest.stat().st_mtime_ns) == (before, 1)
        with _run(target) as (journal, listing):
            journal.forget("a")
            journal.finish()
    assert instantiated_files(str(tmp_path)) == {}


def test_a_list_whose_end_is_torn_is_mended(tmp_path: Path) -> None:
    manifest = tmp_path / ".ldb_instantiated"
    manifest.write_text(HEADER + "\n" + line_of("a", Entry(bytes(16))) + "+ 0000")
    with Target(str(tmp_path)) as target, _run(target) as (journal, listing):
        listing.plan("b", Entry(bytes(16)))
        listing.flush()
        journal.finish()
    assert set(instantiated_files(str(tmp_path))) == {"a", "b"}


@contextmanager
def _run(target: Target) -> Iterator[tuple[Journal, Listing]]:
    with closing(Journal(target)) as journal:
        before = Before(journal.listed, journal.has_files)
        with closing(Listing(target, before)) as listing:
            yield journal, listing
