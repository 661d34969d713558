"""`ldb diff-map`."""

from __future__ import annotations

from tests.cli.plumbing.conftest import NONE, Run, object_id
from tests.cli.plumbing.test_ls_map import TAIL


def test_changes(run: Run) -> None:
    x, y = run.note("x"), run.note("y")
    old = {object_id(str(number)): x for number in range(1000)}
    new = dict(old)
    gone, changed, added = object_id("5"), object_id("7"), object_id("new")
    del new[gone]
    new[changed] = y
    new[added] = y
    run.save("cats", old)
    run.save("cats", new, "ds:cats")
    expected = [
        (gone, f"D\t{gone}\t{x}\t{NONE}"),
        (changed, f"M\t{changed}\t{x}\t{NONE}\t{y}\t{NONE}"),
        (added, f"A\t{added}\t{y}\t{NONE}"),
    ]
    lines = [line for _, line in sorted(expected)]
    assert run("diff-map", "ds:cats.v1", "ds:cats").lines == lines
    zeros = run("diff-map", "-z", "--exit-code", "ds:cats.v1", "ds:cats", code=1).raw
    assert zeros.decode() == "".join(line + "\0" for line in lines)
    back = run("diff-map", "--json", "ds:cats", "ds:cats.v1").values
    assert {value["change"]: value["key"] for value in back} == {
        "A": gone,
        "M": changed,
        "D": added,
    }
    both = next(value for value in back if value["change"] == "M")
    assert both["old"] == {"annotation": y, "transforms": NONE}
    assert both["new"] == {"annotation": x, "transforms": NONE}
    assert next(value for value in back if value["change"] == "D")["new"] is None


def test_against_plain_dictionaries(run: Run) -> None:
    notes = [run.note(number) for number in range(3)]
    old = {object_id(str(n)): notes[n % 3] for n in range(300)}
    new = {object_id(str(n)): notes[n % 2] for n in range(150, 500)}
    lines = run("diff-map", run.dataset(old), run.dataset(new)).lines
    expected = set()
    for key in old.keys() | new.keys():
        if old.get(key) != new.get(key):
            change = "A" if key not in old else "D" if key not in new else "M"
            sides = [f"{side[key]}\t{NONE}" for side in (old, new) if key in side]
            expected.add("\t".join([change, key, *sides]))
    assert len(lines) == len(expected)
    assert set(lines) == expected
    assert [line[2:34] for line in lines] == sorted(line[2:34] for line in lines)


def test_nothing(run: Run) -> None:
    root = run.dataset({object_id("a"): run.note(1)})
    assert run("diff-map", "--exit-code", root, root).out == ""


def test_paths(run: Run) -> None:
    old, new = (run("mk-map", "-t", "paths", stdin=f"file:///{name}{TAIL}\n").text for name in
                ("a\\x0ab", "c"))  # fmt: skip
    assert run("diff-map", old, new).lines == [f"D\tfile:///a\\x0ab{TAIL}", f"A\tfile:///c{TAIL}"]
    assert run("diff-map", "--json", old, new).values[0]["key"] == "file:///a\nb"


def test_no_maps(run: Run) -> None:
    root, paths = run.dataset({}), run("mk-map", "-t", "paths").text
    assert "is a map paths" in run("diff-map", root, paths, code=2).err
    run("diff-map", root, run.note(1), code=2)
    run("diff-map", root, "ds:cats", code=3)
    run("diff-map", root, "0" * 64, code=3)
    run("diff-map", root, "\0", code=2)
    run("diff-map", root, code=2)
