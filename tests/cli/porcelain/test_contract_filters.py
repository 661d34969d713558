"""Sources, filters and JMESPath functions do what the pages promise, one test a row."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets, write

# -- sources ---------------------------------------------------------------------------


def test_sources(cats: Pets, tmp_path: Path) -> None:
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    elsewhere = cats.at(tmp_path / "elsewhere")
    data = str(cats.data)
    assert elsewhere.names(cats.id("rex")) == {"rex"}
    assert elsewhere.names(cats.id("rex")[:12]) == {"rex"}
    assert elsewhere.names("ds:cats") == {"tom"}
    assert elsewhere.names("ds:cats.v1") == CATS
    assert elsewhere.names("ds:root") == ALL
    assert elsewhere.names(f"ws:{cats.folder}") == {"tom"}
    assert elsewhere.names(f"{data}/cats/tom.jpg") == {"tom"}
    assert elsewhere.names(f"{data}/dogs") == DOGS
    assert elsewhere.names(f"file://{data}/dogs") == DOGS
    assert elsewhere.names(f"{data}/*/k*.png") == {"kit"}
    assert elsewhere.names("ds:cats", cats.id("rex"), f"{data}/birds") == {
        "tom", "rex", "ara", "owl",
    }  # fmt: skip


def test_no_source(cats: Pets, tmp_path: Path) -> None:
    """The index for `add` and outside of a workspace; else the draft."""
    outside = cats.at(tmp_path / "outside")
    of = ["--path", "."]
    assert outside.names(*of) == ALL
    assert len(outside.json("eval", *of)) == 6
    assert cats.names(*of) == CATS
    assert len(cats.json("eval", *of)) == 2
    assert cats.json("stats", *of)[0]["objects"] == 2
    cats.ok("tag", "-a", "mine", *of)
    assert outside.names("--tag", "mine") == CATS
    cats.ok("add", "--query", "class == 'dog'")
    assert cats.names() == CATS | DOGS
    cats.ok("del", "--query", "class")
    assert cats.names() == set()


def test_latest_annotation_wins(cats: Pets) -> None:
    cats.annotate("tom", {"class": "cat", "score": 1})
    for order in (["ds:cats.v1", "ds:root"], ["ds:root", "ds:cats.v1"]):
        found = cats.ok("eval", "-j", *order, "--path", "tom", "--show", "score").out
        assert json.loads(found) == 1


# -- filters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--query", "score"], CATS | DOGS),
        (["--query", "!score"], set()),  # who lacks the key is skipped, not taken for null
        (["--jquery", "!score"], {"ara", "owl"}),
        (["--jquery", "class == 'cat'"], CATS),
        (["--file", "type == 'png'"], {"kit"}),
        (["--file", "fs.size == `12`"], {"tom", "kit", "rex"}),
        (["--file", "regex(fs.path, 'old/')"], {"pup"}),
        (["--file", "fs.mtime && first_indexed && last_indexed"], ALL),
        (["--file", "tags == `[]` && length(alternate_paths) == `1`"], ALL),
        (["--vquery", "v1.class == 'bird'"], {"ara"}),
        (["--path", r"birds/o\w+\.jpg$"], {"owl"}),
    ],
)
def test_filters(pets: Pets, filters: list[str], names: set[str]) -> None:
    assert pets.names("ds:root", *filters) == names


@pytest.mark.parametrize("value", ["false", "null", '""', "[]", "{}"])
def test_falsy(pets: Pets, value: str) -> None:
    assert pets.names("ds:root", "--jquery", f"`{value}`") == set()
    assert pets.names("ds:root", "--jquery", f"!`{value}`") == ALL


@pytest.mark.parametrize("value", ["0", "true", '"x"', "[0]", '{"a": null}'])
def test_truthy(pets: Pets, value: str) -> None:
    assert pets.names("ds:root", "--jquery", f"`{value}`") == ALL


def test_filters_apply_in_the_order_given(pets: Pets) -> None:
    first = pets.order("ds:root")[0]
    assert pets.names("ds:root", "--limit", "1", "--path", first) == {first}
    other = next(name for name in sorted(DOGS) if name != first)
    assert pets.names("ds:root", "--limit", "1", "--path", f"/{other}[.]") == set()
    assert pets.names("ds:root", "--path", f"/{other}[.]", "--limit", "1") == {other}


def test_tags(pets: Pets) -> None:
    pets.ok("tag", "-a", "a", pets.id("tom"))
    pets.ok("tag", "-a", "a,b", pets.id("kit"))
    assert pets.names("ds:root", "--tag", "a") == CATS
    assert pets.names("ds:root", "--tag", "b,c") == {"kit"}
    assert pets.names("ds:root", "--tag", "a", "--no-tag", "a,b") == {"tom"}
    assert pets.names("ds:root", "--no-tag", "a") == ALL - CATS


def test_samples_and_seeds(pets: Pets) -> None:
    assert pets.names("ds:root", "--sample", "1") == ALL
    assert pets.names("ds:root", "--sample", "0") == set()
    assert pets.names("ds:root", "--sample-rate", "100") == ALL
    assert pets.names("ds:root", "--sample-rate", "0") == set()
    assert pets.names("ds:root", "--limit", "0") == set()
    for given in (["--sample", "0.5"], ["--sample-rate", "50"], ["--shuffle"]):
        seeded = ["ds:root", *given, "--seed", "7"]
        assert pets.order(*seeded) == pets.order(*seeded)


PROGRAM = """
import json, sys
rows = json.load(sys.stdin)
for name, data, annotation in rows:
    open(data).read()
    annotation is None or not annotation or json.load(open(annotation))
print(*sorted(row[0] for row in rows)[::-1], sep="\\n")
"""


def test_pipe(pets: Pets, tmp_path: Path) -> None:
    """A JSON array of `[id, data path, annotation path]` goes in, ids come out in order."""
    program = tmp_path / "last_first.py"
    program.write_text(PROGRAM)
    piped = ["--pipe", sys.executable, str(program), "--limit", "4"]
    rows = pets.json("list", "ds:root", *piped)
    ids = sorted((pets.id(name)[3:] for name in ALL), reverse=True)
    assert [row["id"] for row in rows] == ids[:4]


# -- what is said where something else was meant ---------------------------------------


def test_what_was_meant(pets: Pets) -> None:
    assert "quotes" in pets.fails(3, "list", "ds:root", "--query", "class", "==", "cat")
    assert "--query" in pets.fails(2, "list", "ds:root", "\u2014-query", "class")
    said = pets.ok("list", "ds:root", "--query", "clas == 'cat'").err
    assert "clas" in said
    assert "class" in said.replace("clas ", "")


# -- functions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("regex('abcde', 'c.e')", True),
        ("regex_match('abcde', 'c.e')", None),
        ("add(`1`, `2`)", 3),
        ("sub(`[3, 2]`, `[1, 5]`)", [2, -3]),
        ("mul(`[3, 2]`, `[1, 5]`)", [3, 10]),
        ("prod(`[3, 2]`, `[1, 5]`)", [3, 10]),
        ("div(`1`, `2`)", 0.5),
        ("neg(`[1, -2]`)", [-1, 2]),
        ("dotproduct(`[1, 2]`, `[3, 4]`)", 11),
        ("sort(unique(`[2, [1, [2, 1]]]`))", [1, 2]),
        ("contains_any(`[1, 2]`, `[2, 3]`)", True),
        ("contains_all(`[1, 2]`, `[2, 3]`)", False),
        ("has_keys(@, 'class', 'score')", True),
        ("has_keys(@, 'class', 'colour')", False),
    ],
)
def test_functions(pets: Pets, expression: str, value: object) -> None:
    shown = pets.ok("eval", "-j", pets.id("tom"), "--jshow", expression).out
    assert json.loads(shown) == value


def test_users_functions_want_trust(own_pets: Pets) -> None:
    pets = own_pets
    instance = Path(pets.ok("config", "get", "core.instance").out.strip())
    code = instance / "custom_code" / "ldb_user_functions"
    code.mkdir(parents=True, exist_ok=True)
    (code / "mine.py").write_text("CUSTOM_FUNCTIONS = {'shout': lambda text: text.upper()}\n")
    asked = ["eval", "-j", pets.id("tom"), "--show", "shout(class)"]
    assert json.loads(pets.ok(*asked).out) == "CAT", "made by this user, who alone can write there"
    code.chmod(0o777)
    pets.fails(6, *asked)
    pets.ok("trust", "--yes")
    assert json.loads(pets.ok(*asked).out) == "CAT"
    (code / "mine.py").write_text("CUSTOM_FUNCTIONS = {'shout': lambda text: text + '!'}\n")
    pets.fails(6, *asked)


def test_files_of_the_workspace(cats: Pets) -> None:
    """Edits made by hand are a source too."""
    cats.ok("instantiate")
    (note,) = cats.folder.glob("tom-*.json")
    note.write_text('{"class": "lion"}')
    write(cats.folder / "unrelated" / "x.jpg", "x", None)
    cats.ok("add", note.name)
    assert cats.names("--query", "class == 'lion'") == {"tom"}
