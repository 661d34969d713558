"""Functions, filters and programs of users: what runs, what is asked, what fails cleanly."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets

FUNCTIONS = """
def initial(text, count=1):
    return text[:count]

def odd(value):
    return {"set": {1, 2}, "bytes": b"x", "nan": float("nan"), "fine": [1, {"a": None}]}[value]

CUSTOM_FUNCTIONS = {"initial": initial, "odd": odd, "length": lambda x: 99}
"""

REVERSED = """
import json, sys
rows = json.load(sys.stdin)
print(*(row[0] for row in reversed(rows)), sep="\\n")
"""


def instance_of(pets: Pets) -> Path:
    return Path(pets.ok("config", "get", "core.instance").out.strip())


def put(pets: Pets, name: str, text: str) -> Path:
    """A file of code in the instance."""
    path = instance_of(pets) / "custom_code" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def script(folder: Path, text: str, name: str = "script.py") -> str:
    """A program of the user's own."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


# -- functions in queries --------------------------------------------------------------


def test_functions_of_the_instance_ask_for_trust(pets: Pets) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    query = ("ds:root", "--query", "initial(class) == 'c'")
    err = pets.fails(6, "list", *query)
    assert "you did not make this instance" in err
    assert "ldb_user_functions/mine.py" in err
    assert "`ldb trust`" in err
    pets.ok("trust", "--yes")
    assert pets.names(*query) == CATS
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS + "raise SystemExit(7)\n")
    pets.fails(6, "list", *query)


def test_trust_once_tells_what_runs_and_lasts_for_one_command(pets: Pets) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    query = ("ds:root", "--query", "initial(class) == 'c'")
    done = pets.ok("list", "--trust", *query)
    assert len(done.out.splitlines()) == len(CATS)
    assert "running this once" in done.err
    assert "functions custom_code/ldb_user_functions/mine.py sha256:" in done.err
    pets.fails(6, "list", *query)


def test_functions_work_wherever_expressions_do(pets: Pets) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    pets.ok("trust", "-y")
    both = pets.ok("eval", "-j", "ds:root", "--path", "tom", "--show", "initial(class, `2`)")
    assert both.out == '"ca"\n'
    assert pets.names("ds:root", "--file", "initial(type) == 'p'") == {"kit"}
    counted = pets.json("stats", "ds:root", "--by", "initial(class)")[0]
    assert {"value": "c", "count": 2} in counted["by"]["values"]


def test_functions_cannot_take_the_place_of_ldbs_own(pets: Pets) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    assert pets.ok("eval", "-j", "ds:root", "--path", "tom", "--show", "length(class)").out == "3\n"


@pytest.mark.parametrize("what", ["set", "bytes", "nan", "missing"])
def test_a_function_that_fails_on_an_object_does_not_end_the_command(pets: Pets, what: str) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    pets.ok("trust", "-y")
    done = pets.ok("list", "ds:root", "--query", f"class && odd('{what}') && class == 'x'")
    assert done.out == ""
    assert f"failed on {pets.id('ara')}: odd(): " in done.err
    assert "(and on 4 more)" in done.err
    assert pets.names("ds:root", "--query", "class && odd('fine')") == ALL - {"owl"}


def test_an_unknown_function_needs_no_trust_where_there_is_no_code(pets: Pets) -> None:
    err = pets.fails(2, "list", "ds:root", "--query", "initial(class) == 'c'")
    assert "unknown function initial()" in err


def test_functions_that_cannot_be_loaded(pets: Pets) -> None:
    put(pets, "ldb_user_functions/mine.py", "x = 1\ny = x / 0\n")
    pets.ok("trust", "-y")
    err = pets.fails(2, "list", "ds:root", "--query", "initial(class) == 'c'")
    assert "mine.py: ZeroDivisionError: division by zero (line 2)" in err


# -- programs --------------------------------------------------------------------------


def test_a_program_orders_and_filters(pets: Pets, tmp_path: Path) -> None:
    text = (
        "import json, sys, os\n"
        "rows = json.load(sys.stdin)\n"
        "seen = {os.path.basename(p): n and json.load(open(n)) for i, p, n in rows}\n"
        "json.dump([seen, sys.argv[1:], os.getcwd()], open(sys.argv[1], 'w'))\n"
        "print(json.dumps([i for i, p, n in reversed(rows) if n]))\n"
    )
    seen = tmp_path / "seen"
    before = pets.order("ds:root")
    program = script(tmp_path, text)
    after = pets.order("ds:root", "--pipe", program, str(seen), "b c", "--no-tag", "x")
    assert after == [name for name in reversed(before) if name != "owl"]
    annotations, arguments, folder = json.loads(seen.read_text())
    assert annotations["kit.png"] == {"class": "cat", "score": 0.2}
    assert annotations["owl.jpg"] is None
    assert (arguments, folder) == ([str(seen), "b c"], str(pets.folder))


def test_a_program_in_one_text_is_split_as_a_shell_does(pets: Pets, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = script(tmp_path, f"import sys; open({str(seen)!r}, 'w').write(repr(sys.argv[1:]))")
    assert pets.order("ds:root", "--pipe", f"{program} --flag 'a b' -x") == []
    assert seen.read_text() == "['--flag', 'a b', '-x']"
    pets.ok("list", f"--pipe={program} -1", "--", "ds:root")
    assert seen.read_text() == "['-1']"


def test_filters_apply_in_their_order(pets: Pets, tmp_path: Path) -> None:
    program = script(tmp_path, REVERSED)
    before = pets.order("ds:root")
    assert pets.order("ds:root", "--limit", "2", "--pipe", program) == before[:2][::-1]
    assert pets.order("ds:root", "--pipe", program, "--limit", "2") == before[::-1][:2]
    twice = pets.order("ds:root", "--pipe", program, "--pipe", program)
    assert twice == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo no luck >&2; exit 1", "failed with exit code 1; it said:\nno luck"),
        ("echo garbage", "'garbage' is not an id that it was given"),
        ("yes", "printed more than 65,824 bytes"),
    ],
)
def test_a_program_that_fails_changes_nothing(
    pets: Pets, tmp_path: Path, text: str, why: str
) -> None:
    program = tmp_path / "script.sh"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    pets.ok("stage", "ds:some")
    before = pets.ok("status").out
    assert why in pets.fails(1, "add", "ds:root", "--pipe", str(program))
    assert pets.ok("status").out == before
    assert why in pets.fails(1, "instantiate", "ds:root", "-t", "out", "--pipe", str(program))
    assert not (pets.folder / "out").exists()


def test_programs_that_are_not_there(pets: Pets) -> None:
    assert "program not found: ./nothing" in pets.fails(3, "list", "--pipe", "./nothing")
    assert "program not found: no-such-thing" in pets.fails(3, "list", "--pipe", "no-such-thing")
    assert "plug-in not found: nothing" in pets.fails(3, "list", "--sort", "nothing")
    assert "no program is given" in pets.fails(2, "list", "--pipe")
    assert "no program is given" in pets.fails(2, "list", "--pipe", "--limit", "1")
    assert "No closing quotation" in pets.fails(2, "list", "--sort", "a 'b")


def test_a_file_beside_the_user_is_not_run_for_its_name(pets: Pets) -> None:
    script(pets.folder, "print()", "no-such-thing")
    pets.fails(3, "list", "ds:root", "--pipe", "no-such-thing")
    pets.fails(3, "list", "ds:root", "--sort", "no-such-thing")


def test_what_a_program_says_is_passed_on(pets: Pets, tmp_path: Path) -> None:
    text = "import sys; print('read \\x1b[31m them', file=sys.stderr)"
    done = pets.ok("list", "ds:root", "--pipe", script(tmp_path, text))
    assert "warning: script.py: read \\x1b[31m them" in done.err.replace(str(tmp_path) + "/", "")


def test_a_program_is_not_asked_about_files_that_are_gone(pets: Pets, tmp_path: Path) -> None:
    (pets.data / "cats" / "tom.jpg").unlink()
    pets.changed.append("tom")
    done = pets.ok("list", "ds:root", "--pipe", script(tmp_path, REVERSED))
    assert len(done.out.splitlines()) == len(ALL) - 1
    assert f"leaves out {pets.id('tom')}: {pets.data}/cats/tom.jpg cannot be read" in done.err


def test_a_recorded_program_is_never_run_again(pets: Pets, tmp_path: Path) -> None:
    """What a dataset's history names may come from anybody: it is shown, and no more."""
    log = tmp_path / "log"
    program = script(tmp_path, f"open({str(log)!r}, 'a').write('ran\\n')\n{REVERSED}")
    pets.ok("stage", "ds:some")
    pets.ok("add", "ds:root", "--pipe", program)
    pets.ok("commit")
    assert log.read_text() == "ran\n"
    pets.ok("refresh", "ds:some")
    pets.ok("log", "ds:some", "-v")
    pets.ok("diff")
    assert log.read_text() == "ran\n"


# -- names -----------------------------------------------------------------------------


def test_filters_of_the_users_settings(pets: Pets, tmp_path: Path) -> None:
    program = script(tmp_path, REVERSED + "open(sys.argv[1], 'w').write(repr(sys.argv[2:]))\n")
    seen = tmp_path / "seen"
    pets.ok("config", "set", "filter.Back.run", json.dumps([program, str(seen)]))
    before = pets.order("ds:root")
    assert pets.order("ds:root", "--sort", "bAcK 'x y' -z") == before[::-1]
    assert seen.read_text() == "['x y', '-z']"
    assert pets.order("ds:root", "--pipe", "back", "w") == before[::-1]
    pets.ok("config", "set", "filter.bad.run", "nonsense")
    assert "filter.bad.run: is not a JSON array" in pets.fails(2, "list", "--sort", "bad")


@pytest.mark.parametrize(("name", "start"), [("Back.py", ""), ("back", f"#!{sys.executable}\n")])
def test_filters_of_the_instance_run_from_what_is_trusted(
    pets: Pets, name: str, start: str
) -> None:
    put(pets, f"ldb_user_filters/{name}", start + "from lib.turn import *\n")
    put(pets, "ldb_user_filters/lib/turn.py", REVERSED)
    before = pets.order("ds:root")
    assert "ldb_user_filters/lib/turn.py" in pets.fails(6, "list", "ds:root", "--sort", "back")
    pets.ok("trust", "-y")
    assert pets.order("ds:root", "--sort", "back") == before[::-1]
    put(pets, "ldb_user_filters/lib/turn.py", REVERSED + "#")
    pets.fails(6, "list", "ds:root", "--pipe", "back")


def test_ones_own_instance_needs_no_asking(pets: Pets, tmp_path: Path) -> None:
    pets.ok("init", str(tmp_path / "own"))
    pets.ok("config", "set", "core.instance", str(tmp_path / "own"))
    pets.ok("add-storage", str(pets.data))
    pets.ok("index", str(pets.data))
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    assert pets.names("ds:root", "--query", "initial(class) == 'd'") == DOGS
    out = pets.ok("trust")
    assert out.out.startswith("trusted functions")
    assert "only you can write to it" in out.err
    pets.ok("trust", "--forget")
    pets.fails(6, "list", "ds:root", "--query", "initial(class) == 'd'")
    pets.ok("trust", "--yes")
    assert pets.names("ds:root", "--query", "initial(class) == 'd'") == DOGS


def test_an_instance_made_over_another_takes_none_of_its_code(pets: Pets) -> None:
    path = put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    pets.ok("init", "-f", str(instance_of(pets)))
    assert not path.exists()


# -- ldb trust -------------------------------------------------------------------------


def test_trust_shows_and_asks(pets: Pets) -> None:
    assert "there is no code here" in pets.ok("trust").err
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    put(pets, "ldb_user_filters/f.sh", "#!/bin/sh\n\x1b[2J\n")
    result = pets("trust", "-v")
    assert result.code == 6
    assert "not trusted: filter custom_code/ldb_user_filters/f.sh and 1 more" in result.err
    assert "new     functions  " in result.out
    assert "def initial(text, count=1):" in result.out
    assert "\\x1b[2J" in result.out
    pets.ok("trust", "-y")
    found = pets.json("trust")
    assert [(each["kind"], each["state"]) for each in found] == [
        ("filter", "trusted"),
        ("functions", "trusted"),
    ]
    put(pets, "ldb_user_filters/f.sh", "#!/bin/sh\n")
    states = [line.split()[:2] for line in pets("trust").out.splitlines()]
    assert states == [["changed", "filter"], ["trusted", "functions"]]


def test_trust_is_in_the_users_settings_alone(pets: Pets, home: Path) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    before = files_of(instance_of(pets))
    pets.ok("trust", "--yes")
    assert files_of(instance_of(pets)) == before
    assert "ldb_user_functions/mine.py" in (home / ".ldb" / "trust").read_text()


def files_of(folder: Path) -> Sequence[str]:
    return sorted(os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)


def test_code_is_nothing_strange_to_fsck(pets: Pets) -> None:
    put(pets, "ldb_user_functions/mine.py", FUNCTIONS)
    assert "not a file of LDB's" not in pets.ok("fsck").err
