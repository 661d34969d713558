"""`ldb eval`: annotations, or what expressions say of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.porcelain.conftest import ALL, PETS, Pets

NOTES = {Path(path).stem: note for path, note in PETS.items()}


def values(pets: Pets, *args: str) -> dict[str, list[Any]]:
    """What is shown of each pet, by name."""
    names = {pets.id(name)[3:]: name for name in ALL}
    return {names[row["id"]]: row["values"] for row in pets.json("eval", *args)}


def test_whole_annotations(pets: Pets) -> None:
    assert values(pets) == {name: [note] for name, note in NOTES.items()}
    assert pets.ok("eval", pets.id("ara")).out == (f'{pets.id("ara")}\n{{\n  "class": "bird"\n}}\n')


def test_values_only(pets: Pets) -> None:
    assert pets.ok("eval", "-j", pets.id("ara")).out == '{\n  "class": "bird"\n}\n'
    lines = pets.ok("eval", "-j", "--indent", "none").out.splitlines()
    assert len(lines) == 6
    assert json.dumps(NOTES["tom"], separators=(",", ":"), sort_keys=True) in lines
    assert "null" in lines, "the owl has no annotation"
    assert pets.ok("eval", "-j", "--indent", "0", pets.id("ara")).out == '{\n"class": "bird"\n}\n'


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["--query", "class == 'cat'", "--show", "score"], {"tom": [0.9], "kit": [0.2]}),
        (["--query", "class == 'cat'", "--show", "boxes[].label"], {"tom": [["head"]]}),
        (["--query", "class == 'cat'", "--jshow", "boxes[].label"],
         {"tom": [["head"]], "kit": [None]}),
        (["--path", "cats", "--file-show", "type"], {"tom": ["jpg"], "kit": ["png"]}),
        (["--path", "tom", "--file-show", "type", "--show", "class", "--jshow", "x"],
         {"tom": ["cat", None, "jpg"]}),
    ],
)  # fmt: skip
def test_show(pets: Pets, args: list[str], shown: dict[str, list[Any]]) -> None:
    assert values(pets, *args) == shown


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        # the last query is shown, those before it filter
        (["--query", "class == 'cat'", "--query", "score"], {"tom": [0.9], "kit": [0.2]}),
        (["--query", "class == 'dog'", "--jquery", "boxes"], {"rex": [None], "pup": [None]}),
        (["--path", "cats", "--query", "class == 'dog'"], {"tom": [False], "kit": [False]}),
        # the last query and the last --file, when nothing but each other follows
        (["--path", "tom", "--query", "class", "--file", "type"], {"tom": ["cat", "jpg"]}),
        (["--path", "tom", "--file", "type", "--query", "class"], {"tom": ["jpg", "cat"]}),
        (["--path", "tom", "--file", "type"], {"tom": ["jpg"]}),
        (["--file", "type == 'png'", "--query", "score", "--file", "type"],
         {"kit": [0.2, "png"]}),
        (["--query", "class == 'cat'", "--query", "score > `0.5`", "--query", "class"],
         {"tom": ["cat"]}),
        # where something else follows, all of them filter
        (["--query", "class == 'bird'", "--limit", "5"], {"ara": [NOTES["ara"]]}),
        (["--query", "class == 'bird'", "--file", "type", "--path", "a"],
         {"ara": [NOTES["ara"]]}),
        (["--query", "class == 'cat'", "--limit", "9", "--file", "type"],
         {"tom": ["jpg"], "kit": ["png"]}),
        # and where there is --show
        (["--query", "class == 'bird'", "--jshow", "score"], {"ara": [None]}),
        (["--file", "type == 'png'", "--file-show", "type"], {"kit": ["png"]}),
    ],
)  # fmt: skip
def test_what_is_shown_instead_of_filtering(
    pets: Pets, args: list[str], shown: dict[str, list[Any]]
) -> None:
    assert values(pets, *args) == shown


def test_lacking_a_key_that_a_query_names(pets: Pets) -> None:
    assert set(values(pets, "--query", "score")) == {"tom", "kit", "rex", "pup"}
    assert values(pets, "--jquery", "score")["ara"] == [None]
    assert values(pets, "--jquery", "score")["owl"] == [None]


def test_values_that_are_false_are_shown(pets: Pets) -> None:
    pets.new("zero", {"n": 0, "e": "", "l": [], "o": {}, "f": False, "z": None})
    for key, value in {"n": 0, "e": "", "l": [], "o": {}, "f": False, "z": None}.items():
        out = pets.ok("eval", "-j", "--indent", "none", "--query", key).out
        assert json.loads(out) == value


def test_misspelt_key(pets: Pets) -> None:
    result = pets.ok("eval", "--query", "clas")
    assert result.out == ""
    assert result.err == "warning: no annotation has the key `clas`; did you mean `class`?\n"
    assert "did you mean `score`?" in pets.ok("eval", "--show", "scor").err
    assert pets.ok("eval", "--jshow", "scor").err == ""


def test_failing_expression(pets: Pets) -> None:
    result = pets.ok("eval", "-j", "--path", "cats", "--query", "abs(class)")
    assert result.out == "null\nnull\n"
    (line,) = result.err.splitlines()
    assert line.startswith("warning: 'abs(class)' failed on id:")
    assert line.endswith("(and on 1 more)")


def test_older_annotation(cats: Pets) -> None:
    cats.annotate("tom", "new")
    assert values(cats, "--path", "tom") == {"tom": [NOTES["tom"]]}, "as the draft has it"
    assert values(cats, "ds:root", "--path", "tom") == {"tom": ["new"]}
    assert values(cats, "ds:root.v1", "--path", "tom") == {"tom": [NOTES["tom"]]}


def test_unicode(pets: Pets) -> None:
    pets.new("ru", {"имя": "кот\u2028\x1b[31m"})
    out = pets.ok("eval", "-j", "--path", "ru", "--jshow", '"имя"').out
    assert json.loads(out) == "кот\u2028\x1b[31m"
    assert "кот" in out
    assert "\x1b" not in out


def test_numbers_stay_what_they_are(pets: Pets) -> None:
    note = {"i": 2**63, "f": 1.0, "e": 1e300, "n": -0.0, "t": True}
    pets.new("numbers", note)
    out = pets.ok("eval", "-j", "--indent", "none", "--path", "numbers").out
    assert out == '{"e":1e+300,"f":1.0,"i":9223372036854775808,"n":-0.0,"t":true}\n'


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--indent", "x"], "--indent"),
        (["--indent", "-1"], "--indent"),
        (["--indent", "99"], "--indent"),
        (["--show", ""], "--show"),
        (["--show", "a ="], "--show"),
        (["--jshow", "f("], "--jshow"),
        (["--file-show", "["], "--file-show"),
        (["--query", "a ="], "--query"),
    ],
)
def test_what_cannot_be_meant(pets: Pets, args: list[str], message: str) -> None:
    assert message in pets.fails(2, "eval", *args)


def test_nothing_selected(pets: Pets) -> None:
    result = pets.ok("eval", "--limit", "0")
    assert (result.out, result.err) == ("", "")
    pets.fails(3, "eval", "ds:none")
