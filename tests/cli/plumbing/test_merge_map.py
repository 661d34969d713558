"""`ldb merge-map`."""

from __future__ import annotations

from tests.cli.plumbing.conftest import NONE, Run, object_id


def test_merge(run: Run) -> None:
    x, y, z = (run.note(text) for text in "xyz")
    base = {object_id(str(number)): x for number in range(500)}
    ours = {**base, object_id("1"): y, object_id("ours"): y}
    theirs = {**base, object_id("2"): z, object_id("theirs"): z}
    del theirs[object_id("3")]
    expected = {**ours, object_id("2"): z, object_id("theirs"): z}
    del expected[object_id("3")]
    roots = [run.dataset(rows) for rows in (base, ours, theirs)]
    assert run("merge-map", *roots).text == run.dataset(expected)
    value = run("merge-map", "--json", *roots).values[0]
    assert value == {"root": run.dataset(expected), "count": len(expected), "conflicts": []}
    assert run("merge-map", roots[0], roots[0], roots[2]).text == roots[2]
    assert run("merge-map", roots[0], roots[1], roots[0]).text == roots[1]


def test_the_merged_map_is_stored(run: Run, other: Run) -> None:
    a, b = object_id("a"), object_id("b")
    note = run.note(1)
    run.save("cats", {})
    run.save("one", {a: note})
    run.save("two", {b: note})
    root = run("merge-map", "ds:cats", "ds:one", "ds:two").text
    assert [line[:32] for line in run("ls-map", root).lines] == sorted([a, b])


def test_conflicts(run: Run) -> None:
    x, y, z = (run.note(text) for text in "xyz")
    both, lost, made = sorted(object_id(name) for name in ("both", "lost", "made"))
    base, ours, theirs = {both: x, lost: x}, {both: y, made: y}, {both: z, lost: z, made: z}
    roots = [run.dataset(rows) for rows in (base, ours, theirs)]
    result = run("merge-map", *roots, code=4)
    side = f"\t{NONE}\t"
    assert result.lines == [
        roots[1],
        *sorted([
            f"C\t{both}\t{x}{side}{y}{side}{z}\t{NONE}",
            f"C\t{lost}\t{x}{side}-\t{z}\t{NONE}",
            f"C\t{made}\t-\t{y}{side}{z}\t{NONE}",
        ]),
    ]  # fmt: skip
    assert "3 key(s)" in result.err
    assert run("merge-map", "-z", *roots, code=4).raw.count(b"\0") == 4
    conflicts = run("merge-map", "--json", *roots, code=4).values[0]["conflicts"]
    assert {each["key"]: each["ours"] for each in conflicts}[lost] is None


def test_no_maps(run: Run) -> None:
    root = run.dataset({})
    run("merge-map", root, root, run("mk-map", "-t", "paths").text, code=2)
    run("merge-map", root, root, "f" * 64, code=3)
    run("merge-map", root, root, code=2)
    run("merge-map", root, root, "12345", code=2)
