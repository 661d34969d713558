"""Rows of synthetic maps: ascending, distinct, and the same every time."""

from __future__ import annotations

from pathlib import Path

from bench.synthetic import chosen_ids, object_id, write_rows


def test_rows_are_ascending_distinct_and_wide(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows", 3000)
    rows = [line.split("\t") for line in (tmp_path / "rows").read_text().splitlines()]
    ids = [row[0] for row in rows]
    assert ids == sorted(set(ids)) == [object_id(row, 3000) for row in range(3000)]
    assert {tuple(map(len, row)) for row in rows} == {(32, 64, 64)}
    assert len({row[1] for row in rows}) == 3000


def test_every_turn_chooses_other_ids_of_the_map() -> None:
    known = {object_id(row, 3000) for row in range(3000)}
    turns = [set(chosen_ids(3000, turn)) for turn in range(3)]
    assert all(len(ids) == 100 and ids <= known for ids in turns)
    assert len(set.union(*turns)) == 300
