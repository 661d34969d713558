"""The list of files made: read back as written, and bearable whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import StoreFailed
from ldb.instantiate.manifest import HEADER, Entry, Journal, instantiated_files, line_of, parse
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
        first = Journal(target)
        assert first.plan("a", one) is None
        assert first.plan("b", two) is None
        first.undo("b")
        first.finish()
        first.close()
        (tmp_path / "a").write_text("")
        (tmp_path / "mine").write_text("")
        second = Journal(target)
        assert second.plan("a", two) == one
        assert second.plan("mine", three) is None
        assert second.plan("c", three) is None
        second.undo("a")
        second.finish()
        second.close()
    assert instantiated_files(str(tmp_path)) == {"a": one, "c": three}
    assert instantiated_files(str(tmp_path / "none")) == {}
