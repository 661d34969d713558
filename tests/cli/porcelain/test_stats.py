"""`ldb stats`: what is printed, for people and for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ldb.cli.charts import as_many_as_fit, bar, blocks, number, share, value_text
from tests.cli.porcelain.conftest import PETS, Pets, write

SIZES = {Path(path).stem: len(path) for path in PETS}


def stats(pets: Pets, *args: str) -> dict[str, Any]:
    """What `--json` prints."""
    (found,) = pets.json("stats", *args)
    assert isinstance(found, dict)
    return found


def values(pets: Pets, *args: str) -> list[tuple[Any, int]]:
    """The balance."""
    return [(each["value"], each["count"]) for each in stats(pets, *args)["by"]["values"]]


# -- selections ------------------------------------------------------------------------


def test_objects(pets: Pets) -> None:
    found = stats(pets)
    assert (found["objects"], found["annotated"], found["unknown"]) == (6, 5, 0)
    assert found["bytes"] == sum(SIZES.values())
    assert (found["size"]["min"], found["size"]["max"]) == (
        min(SIZES.values()), max(SIZES.values()),
    )  # fmt: skip
    assert found["types"] == {"jpg": 5, "png": 1}
    assert found["tags"] == {}


def test_sources_and_filters(pets: Pets) -> None:
    assert stats(pets, pets.id("kit"), pets.id("owl"))["objects"] == 2
    assert stats(pets, "--query", "class == 'dog'", "--limit", "1")["objects"] == 1
    assert values(pets, "--file", "type == 'png'", "--by", "class") == [("cat", 1)]


def test_draft_is_the_default_in_a_workspace(cats: Pets) -> None:
    assert stats(cats)["objects"] == 2
    assert values(cats, "--by", "class") == [("cat", 2)]
    assert stats(cats, "ds:root")["objects"] == 6


def test_nothing_selected(pets: Pets) -> None:
    result = pets.ok("stats", "--query", "class == 'cow'")
    assert (result.out, result.err) == ("0 data objects, 0 with an annotation\n", "")
    found = stats(pets, "--limit", "0", "--by", "class")
    assert (found["size"], found["by"]["values"]) == (None, [])
    lines = pets.ok("stats", "--limit", "0", "--by", "class").out.splitlines()
    assert lines[1:] == ["class: 0 values in 0 objects, 0 different"]


def test_nothing_annotated(pets: Pets) -> None:
    found = stats(pets, pets.id("owl"))
    assert (found["annotated"], found["keys"]) == (0, [])
    assert pets.ok("stats", pets.id("owl")).out == (
        "1 data object, 0 with an annotation\nsize   13 bytes; 13 each\ntypes  jpg 100%\n"
    )


def test_tags(pets: Pets, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "a.jpg").write_text("a")
    pets.ok("add-storage", str(folder))
    pets.ok("index", "--add-tags", "new,odd one", str(folder))
    assert stats(pets)["tags"] == {"new": 1, "odd one": 1}
    assert "\ntags   new 14%, odd one 14%\n" in pets.ok("stats").out


# -- keys ------------------------------------------------------------------------------


def test_keys(pets: Pets) -> None:
    found = {each.pop("key"): each for each in stats(pets)["keys"]}
    assert list(found) == ["@", "boxes", "boxes[]", "boxes[].label", "class", "score"]
    assert found["class"] == {
        "present": 5, "within": 5, "kinds": {"string": 5},
        "texts": {"count": 5, "distinct": 3, "values": {"cat": 2, "dog": 2, "bird": 1}},
    }  # fmt: skip
    assert (found["score"]["present"], found["score"]["within"]) == (4, 5)
    assert found["score"]["numbers"] == {
        "count": 4, "min": 0.2, "quartiles": [0.2, 0.5, 0.7], "max": 0.9,
        "histogram": [1, 0, 0, 0, 1, 0, 0, 1, 0, 1], "width": found["score"]["numbers"]["width"],
        "exact": True,
    }  # fmt: skip
    assert found["score"]["numbers"]["width"] == pytest.approx(0.07)
    assert found["boxes"]["lengths"]["max"] == 1


def test_mixed_kinds(pets: Pets) -> None:
    pets.new("one", {"class": 7, "ok": True})
    pets.new("two", {"class": None, "ok": False, "no\ttab": [1, 2, 3]})
    pets.new("three", [1])
    out = pets.ok("stats").out
    assert "\n@              object 88%, array 12%" in out
    lines = out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("class "))
    assert lines[at].split() == [
        "class", "string", "71%,", "null", "14%,", "number", "14%", "7",
    ]  # fmt: skip
    assert lines[at + 1 : at + 3] == [
        "    always 7", "    3 different: cat 40%, dog 40%, bird 20%",
    ]  # fmt: skip
    assert "    true 50%, false 50%" in lines
    assert any(line.startswith(r'"no\ttab"[] ') for line in lines)
    found = {each["key"]: each for each in stats(pets)["keys"]}
    assert (found["ok"]["true"], found["ok"]["kinds"]) == (1, {"boolean": 2})


def test_fewer_keys(pets: Pets) -> None:
    lines = pets.ok("stats", "--keys", "2").out.splitlines()
    assert [line.split()[0] for line in lines[4:] if line[0] != " "] == ["boxes", "boxes[]", "and"]
    assert lines[-1] == "and 3 more keys"
    assert pets.ok("stats", "--keys", "0").out.splitlines()[3:] == ["and 5 more keys"]
    assert len(stats(pets, "--keys", "2")["keys"]) == 6, "JSON has everything"


def test_lines_fit_on_a_terminal(pets: Pets) -> None:
    pets.changed.append("many")
    for at in range(30):
        note = {"class": f"class number {at}", "note": "long " * 100 + str(at)}
        write(pets.data / "many" / f"pet {at}.jpg", str(at), note)
    pets.ok("index", str(pets.data))
    lines = pets.ok("stats").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.endswith("…") for line in lines)


# -- balance ---------------------------------------------------------------------------


def test_balance(pets: Pets) -> None:
    assert stats(pets, "--by", "class")["by"] == {
        "expression": "class", "objects": 5, "without": 1, "failed": 0,
        "values": [
            {"value": "cat", "count": 2},
            {"value": "dog", "count": 2},
            {"value": "bird", "count": 1},
        ],
    }  # fmt: skip
    assert "keys" not in stats(pets, "--by", "class")


def test_items_of_arrays_count_each(pets: Pets) -> None:
    pets.new("one", {"class": ["cat", "cat", ["x"], None]})
    assert values(pets, "--by", "class") == [
        ("cat", 4), ("dog", 2), (["x"], 1), (None, 1), ("bird", 1),
    ]  # fmt: skip


def test_top_values(pets: Pets) -> None:
    lines = pets.ok("stats", "--by", "class", "--top", "1").out.splitlines()
    assert lines[2:] == ["cat  2  40%  ████████████████████", "and 2 more: 3 (60%)"]
    assert len(values(pets, "--by", "class", "--top", "1")) == 3, "JSON has everything"


def test_failures_are_told(pets: Pets) -> None:
    result = pets.ok("stats", "--by", "abs(class)")
    assert "0 different, 1 without, 5 failed\n" in result.out
    assert result.err.startswith("warning: --by failed on id:")
    assert result.err.endswith("(and on 4 more)\n")


def test_misspelt_key(pets: Pets) -> None:
    result = pets.ok("stats", "--by", "clas")
    assert result.err == "warning: no annotation has the key `clas`; did you mean `class`?\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--by", "class =="], "class =="),
        (["--by", "f(class)"], "--by"),
        (["--by", " "], "--by"),
        (["--top", "0"], "--top"),
        (["--keys", "-1"], "--keys"),
    ],
)
def test_usage_errors(pets: Pets, args: list[str], said: str) -> None:
    assert said in pets.fails(2, "stats", *args)


def test_the_place_of_a_mistake_is_shown(pets: Pets) -> None:
    message = pets.fails(2, "stats", "--by", "class ==")
    assert "^" in message
    assert "--by" in message


# -- pictures --------------------------------------------------------------------------


def test_blocks() -> None:
    assert blocks([1, 0, 8, 4, 100]) == "▁.▁▁█"
    assert blocks([3, 3]) == "██"
    assert blocks([]) == ""
    assert blocks([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"


def test_bars() -> None:
    assert [bar(each, 8, 1) for each in range(9)] == ["", *"▏▎▍▌▋▊▉█"]
    assert bar(1, 1000, 20) == "▏"
    assert len(bar(1000, 1000, 20)) == 20


def test_shares() -> None:
    shown = [share(*each) for each in ((0, 5), (1, 1001), (1, 20), (999, 10_000), (996, 1000))]
    assert shown == ["0%", "<0.1%", "5.0%", "10%", "99.6%"]
    assert [share(5, 5), share(0, 0), share(1, 3)] == ["100%", "-", "33%"]


def test_numbers() -> None:
    shown = [number(each) for each in (0, 1234567, -5, 0.5, 1 / 3, 1e300, 10**18)]
    assert shown == ["0", "1,234,567", "-5", "0.5", "0.3333", "1e+300", "1e+18"]


def test_texts_that_look_like_other_values() -> None:
    shown = [value_text(each) for each in ("1", 1, "true", True, "", " a", "cat", None, "null")]
    assert shown == ['"1"', "1", '"true"', "true", '""', '" a"', "cat", "null", '"null"']
    assert value_text("a\x1b[2J") == r"a\x1b[2J"
    assert value_text({"a": [1, "é"]}) == '{"a": [1, "é"]}'
    assert value_text("x" * 50) == "x" * 39 + "…"
    assert json.loads(value_text("[1]")) == "[1]"


def test_lists_that_fit() -> None:
    assert as_many_as_fit(["abc", "def", "ghi"], 8) == "abc, def, …"
    assert as_many_as_fit(["a very long one", "b"], 5) == "a very long one, …"
    assert as_many_as_fit([], 5) == ""
