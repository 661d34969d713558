"""`ldb rev-parse`."""

from __future__ import annotations

import pytest

from tests.cli.plumbing.conftest import Run, object_id


@pytest.fixture
def three(run: Run) -> list[str]:
    """Three versions of ds:cats, each with a row more."""
    note = run.note("x")
    rows: dict[str, str] = {}
    oids: list[str] = []
    for number in range(3):
        rows[object_id(str(number))] = note
        oids.append(run.save("cats", rows, *oids[-1:], time=1000 + number))
    return oids


def test_names(run: Run, three: list[str]) -> None:
    names = {
        "ds:cats": 2,
        "ds:cats.v1": 0,
        "ds:cats.v3": 2,
        "ds:cats~": 1,
        "ds:cats~~": 0,
        "ds:cats~2": 0,
        "ds:cats.v2~1": 0,
        "ds:cats~0": 2,
        three[1]: 1,
        three[1][:6]: 1,
        three[1].upper(): 1,
        three[2][:10] + "~2": 0,
    }
    assert run("rev-parse", *names).lines == [three[number] for number in names.values()]
    assert run("rev-parse", "--json", "ds:cats").values == [three[2]]


def test_maps(run: Run, three: list[str]) -> None:
    roots = run("rev-parse", "ds:cats:dataset", "ds:cats~1:dataset", f"{three[2]}:dataset").lines
    assert roots[0] == roots[2] != roots[1]
    assert "it has" not in run("rev-parse", f"{roots[0]}:dataset", code=2).err
    assert "cats has: dataset" in run("rev-parse", "ds:cats:paths", code=3).err
    run("rev-parse", "ds:cats:", code=3)


@pytest.mark.parametrize(
    "name",
    ["", "cats", "ds:", "ds:../x", "ds:a/b", "ds:a\nb", "ds:a\0b", "ds:cats.v0", "12345", "~1",
     ":", "xyzxyz", "1" * 65, "ds:" + "x" * 5000, "ds:cats.v" + "9" * 5000,
     "１２３４５６", "ds:e\u0301"],
)  # fmt: skip
def test_no_name(run: Run, three: list[str], name: str) -> None:
    error = run("rev-parse", "--", name, code=2).err
    assert len(error) < 600


@pytest.mark.parametrize(
    "name", ["ds:dogs", "ds:cats.v4", "ds:cats~3", "ds:root", "ds:root~1", "ab" * 32]
)
def test_not_there(run: Run, three: list[str], name: str) -> None:
    assert "not found" in run("rev-parse", name, code=3).err


def test_history_ends(run: Run, three: list[str]) -> None:
    assert "history ends" in run("rev-parse", f"{three[0]}~1", code=3).err
    run("rev-parse", f"{three[0]}~999999999", code=3)
    run("rev-parse", f"{three[0]}~9999999999", code=2)
    run("rev-parse", f"{run.note('x')}~1", code=2)


def test_all_or_nothing(run: Run, three: list[str]) -> None:
    assert run("rev-parse", "ds:cats", "ds:dogs", code=3).out == ""


def test_deleted(run: Run, three: list[str]) -> None:
    run("update-ref", "-d", "ds:cats")
    assert ".v3" in run("rev-parse", "ds:cats", code=3).err
    assert run("rev-parse", "ds:cats.v3").text == three[2]
    assert "deleted here" in run("rev-parse", "ds:cats.v4", code=3).err
