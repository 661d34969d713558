"""`ldb diff`: added, removed and annotated anew, from the older to the newer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import PETS, Pets


@pytest.fixture
def changed(cats: Pets) -> Pets:
    """tom annotated anew, kit gone, rex added: nothing saved yet."""
    cats.annotate("tom", {"class": "cat", "score": 1.0, "a key": None})
    cats.ok("add", cats.id("tom"), cats.id("rex"))
    cats.ok("del", cats.id("kit"))
    return cats


def lines(pets: Pets, *args: str) -> dict[str, str]:
    """Name of each pet that differs, and its sign."""
    out = pets.ok("diff", *args).out
    return {Path(line.split()[-1]).stem: line[0] for line in out.splitlines()}


CHANGES = {"tom": "~", "kit": "-", "rex": "+"}


def test_draft(changed: Pets) -> None:
    assert lines(changed) == CHANGES
    for line in changed.ok("diff").out.splitlines():
        sign, name, path = line.split()
        assert name == changed.id(Path(path).stem)
        assert sign in "+-~"
        assert Path(path).relative_to(changed.data).as_posix() in PETS
    ids = [line.split()[1] for line in changed.ok("diff").out.splitlines()]
    assert ids == sorted(ids)


def test_directions(changed: Pets) -> None:
    changed.ok("commit")
    assert lines(changed) == {}
    assert lines(changed, "ds:cats.v1", "ds:cats.v2") == CHANGES
    assert lines(changed, "ds:cats~1", "ds:cats") == CHANGES
    assert lines(changed, "ds:cats.v2", "ds:cats.v1") == {"tom": "~", "kit": "+", "rex": "-"}
    assert lines(changed, "ds:cats.v1") == CHANGES, "a version with the draft"
    assert lines(changed, "ds:cats.v1", "ws:.") == CHANGES


def test_changed_keys(changed: Pets) -> None:
    out = changed.ok("diff", "-v").out.splitlines()
    at = next(at for at, line in enumerate(out) if line.startswith("~"))
    assert out[at + 1 : at + 4] == [
        '    "a key": (none) → null',
        '    boxes: [{"label": "head"}] → (none)',
        "    score: 0.9 → 1.0",
    ]
    assert len(out) == 6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"n": 1}, {"n": 1.0}, "n: 1 → 1.0"),
        ({"n": 1}, {"n": True}, "n: 1 → true"),
        ({"n": [1]}, {"n": [1.0]}, "n: [1] → [1.0]"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, "a.b.c: 1 → 2"),
        ({"a": {"b": 1}}, {"a": 5}, 'a: {"b": 1} → 5'),
        ([1], [2], "(all): [1] → [2]"),
        (None, {"a": 1}, '(all): (none) → {"a": 1}'),
        ({"имя": "кот"}, {"имя": "кіт"}, 'имя: "кот" → "кіт"'),
        ({"t": "\x1b[31m"}, {"t": "\u009b"}, r't: "\u001b[31m" → "\x9b"'),
        ({"t": ""}, {"t": "x" * 100}, 't: "" → "' + "x" * 56 + "…"),
    ],
)
def test_how_a_change_is_said(pets: Pets, old: object, new: object, said: str) -> None:
    pets.new("new", old)
    pets.ok("stage", "ds:one")
    pets.ok("add", "ds:root", "--path", "new")
    pets.ok("commit")
    (pets.data / "new.json").write_text(json.dumps(new))
    pets.ok("index", str(pets.data))
    pets.ok("add", "ds:root", "--path", "new")
    assert pets.ok("diff", "-v").out.splitlines()[1:] == ["    " + said]


def test_changed_transforms(cats: Pets) -> None:
    """Alone, and below the keys of an annotation that changed too."""
    for name, *argv in (("small", "shrink", "50%"), ("grey", "grey")):
        cats.ok("config", "set", f"transform.{name}.run", json.dumps(argv))
    cats.ok("transform", "-a", "small")
    cats.ok("commit")
    cats.ok("config", "set", "transform.small.run", '["shrink", "20%"]')
    cats.ok("transform", "-s", "grey,small", cats.id("tom"))
    cats.annotate("kit", {"class": "cat"})
    cats.ok("add", cats.id("kit"))
    cats.ok("transform", "-s", "self", cats.id("kit"))
    of_tom = [
        'transform grey: (none) → ["grey"]',
        "transform self: the data object → (none)",
        'transform small: ["shrink", "50%"] → ["shrink", "20%"]',
    ]
    found = {Path(row["path"]).stem: row for row in cats.json("diff", "-v")}
    assert (found["tom"]["keys"], found["tom"]["transforms"]) == ([], of_tom)
    assert found["tom"]["old"] == found["tom"]["new"]
    of_kit = ["score: 0.2 → (none)", 'transform small: ["shrink", "50%"] → (none)']
    assert found["kit"]["keys"] + found["kit"]["transforms"] == of_kit
    said = [line.strip() for line in cats.ok("diff", "-v").out.splitlines()]
    assert sorted(line for line in said if line[0] != "~") == sorted(of_tom + of_kit)
    assert len(cats.ok("diff").out.splitlines()) == 2
    assert "transforms" not in cats.json("diff")[0]
    cats.ok("commit")
    again = {Path(row["path"]).stem: row for row in cats.json("diff", "-v", "ds:cats~1", "ds:cats")}
    assert again["tom"]["transforms"] == of_tom


def test_summary(changed: Pets) -> None:
    assert changed.ok("diff", "-s").out == "1 added, 1 removed, 1 changed\n"
    assert changed.json("diff", "-s") == [{"added": 1, "removed": 1, "changed": 1}]


def test_json(changed: Pets) -> None:
    rows = {Path(row["path"]).stem: row for row in changed.json("diff")}
    assert {name: row["change"] for name, row in rows.items()} == {
        "tom": "changed", "kit": "removed", "rex": "added",
    }  # fmt: skip
    assert (rows["kit"]["new"], rows["rex"]["old"]) == (None, None)
    assert len({rows["tom"]["old"], rows["tom"]["new"]}) == 2
    keys = [row["keys"] for row in changed.json("diff", "-v") if row["change"] == "changed"]
    assert keys == [
        ['"a key": (none) → null', 'boxes: [{"label": "head"}] → (none)', "score: 0.9 → 1.0"]
    ]


def test_new_dataset(pets: Pets) -> None:
    pets.ok("stage", "ds:new")
    pets.ok("add", pets.id("tom"))
    assert lines(pets) == {"tom": "+"}


def test_index(changed: Pets) -> None:
    assert lines(changed, "ds:root.v1", "ds:root") == {"tom": "~"}
    changed.new("more")
    assert lines(changed, "ds:root.v2", "ds:root.v3") == {"more": "+"}
    assert "only be compared with the index" in changed.fails(2, "diff", "ds:root", "ds:cats")


def test_outside_a_workspace(cats: Pets, tmp_path: Path) -> None:
    outside = cats.at(tmp_path / "outside")
    assert "compare ds:cats with" in outside.fails(2, "diff", "ds:cats")
    assert "is in no workspace" in outside.fails(2, "diff")
    assert outside.ok("diff", "ds:cats.v1", "ds:cats").out == ""


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("ds:none",), 3, "ds:none"),
        (("ds:cats.v9", "ds:cats"), 3, "the newest version is ds:cats.v1"),
        (("ds:cats.v0",), 2, "count from .v1"),
        (("ds:a", "ds:b", "ds:c"), 2, "at most two"),
        (("ws:elsewhere",), 2, "only this workspace's draft"),
    ],
)
def test_what_cannot_be_compared(
    cats: Pets, args: tuple[str, ...], code: int, message: str
) -> None:
    assert message in cats.fails(code, "diff", *args)


def test_object_that_the_index_forgot(cats: Pets) -> None:
    cats.new("gone")
    cats.ok("add", "ds:root", "--path", "gone")
    cats.ok("index", "--restore", "ds:root.v1")
    (line,) = cats.ok("diff").out.splitlines()
    assert line.startswith("+ id:")
    assert len(line.split()) == 2, "without a path"
