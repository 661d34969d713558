"""`ldb list`: sources, and filters in the order given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, PETS, Pets, write

# -- what is printed -------------------------------------------------------------------


def test_rows(pets: Pets) -> None:
    out = pets.ok("list").out.splitlines()
    expected = []
    for path, annotation in PETS.items():
        version = "v1" if annotation else "- "
        expected.append(f"{pets.id(Path(path).stem)}  {version}  {pets.data / path}")
    assert out == sorted(expected)


def test_json(pets: Pets) -> None:
    (row,) = pets.json("list", pets.id("tom"))
    note = row.pop("annotation")
    assert pets.ok("cat-file", "-t", note).out == "annotation\n"
    path = pets.data / "cats" / "tom.jpg"
    assert row == {
        "id": pets.id("tom")[3:], "path": str(path), "size": path.stat().st_size,
        "type": "jpg", "tags": [], "version": 1,
    }  # fmt: skip
    (row,) = pets.json("list", pets.id("owl"))
    assert (row["annotation"], row["version"]) == (None, None)


def test_summary(pets: Pets) -> None:
    assert pets.ok("list", "-s").out == "6 data objects, 5 with an annotation\n"
    assert pets.ok("list", "-s", pets.id("owl")).out == "1 data object, 0 with an annotation\n"
    assert pets.json("list", "-s") == [{"objects": 6, "annotated": 5}]


def test_nothing_found(pets: Pets) -> None:
    result = pets.ok("list", "--query", "class == 'cow'")
    assert (result.out, result.err) == ("", "")
    assert pets.ok("list", "-s", "--limit", "0").out == "0 data objects, 0 with an annotation\n"


def test_draft_is_the_default_in_a_workspace(cats: Pets) -> None:
    assert cats.names() == CATS
    assert cats.names("ds:root") == ALL


def test_empty_instance(pets: Pets, tmp_path: Path) -> None:
    pets.ok("init", str(tmp_path / "empty"))
    message = pets.fails(3, "--instance", str(tmp_path / "empty"), "list")
    assert "nothing has been indexed yet" in message


def test_names_on_one_line(pets: Pets) -> None:
    names = {"gpj.\u202eexe", "naïve-猫", "sp ace"}
    for name in names:
        pets.new(name)
    out = pets.ok("list", "--path", "data/[^/]*$").out.splitlines()
    assert {line.split("/")[-1] for line in out} == {
        r"gpj.\u202eexe.jpg", "naïve-猫.jpg", "sp ace.jpg",
    }  # fmt: skip
    rows = pets.json("list", "--path", "data/[^/]*$")
    assert {Path(row["path"]).stem for row in rows} == names


def test_reader_that_goes_away(pets: Pets, environment: dict[str, str]) -> None:
    for at in range(600):  # more than a pipe takes in
        write(pets.data / "many" / f"{at:0250}.jpg", str(at), None)
    pets.changed.append("many")
    pets.ok("index", str(pets.data))
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m ldb.cli.main list | head -1; echo $PIPESTATUS"],
        cwd=pets.folder, env={**environment, "HOME": os.environ["HOME"]},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("id:")
    assert done.stdout.splitlines()[1:] == ["1"]
    assert done.stderr == ""


# -- sources ---------------------------------------------------------------------------


def test_ids(pets: Pets) -> None:
    tom, rex = pets.id("tom"), pets.id("rex")
    assert pets.names(tom) == {"tom"}
    assert pets.names(tom[:9], rex.upper().replace("ID:", "id:"), tom) == {"tom", "rex"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("id:" + "0" * 32, "data object not found: id:000"),
        ("id:000000", "data object not found: id:000000"),
        ("id:12345", "at least 6 digits"),
        ("id:xyzxyz", "hex digits"),
        ("id:", "hex digits"),
        ("id:" + "0" * 40, "hex digits"),
    ],
)
def test_unknown_ids(pets: Pets, name: str, message: str) -> None:
    assert message in pets.fails(3, "list", name)


def test_ambiguous_id(pets: Pets) -> None:
    # two texts whose MD5 begin with the same six digits
    for name in ("4982", "10760"):
        write(pets.data / f"{name}.jpg", name, None)
    pets.changed.append("4982")
    pets.ok("index", str(pets.data))
    a, b = (row["id"] for row in pets.json("list", "--path", "4982|10760"))
    same = a[: next(at for at in range(len(a)) if a[at] != b[at])]
    assert len(same) >= 6
    message = pets.fails(3, "list", f"id:{same}")
    assert "ambiguous" in message
    assert a in message
    assert b in message
    assert len(pets.json("list", f"id:{a[: len(same) + 1]}")) == 1


def test_dataset_versions(cats: Pets) -> None:
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    assert cats.names("ds:cats") == {"tom"}
    assert cats.names("ds:cats.v2") == {"tom"}
    for name in ("ds:cats.v1", "ds:cats~1", "ds:cats~", "ds:cats.v2~1"):
        assert cats.names(name) == CATS
    cats.new("more")
    assert cats.names("ds:root") == ALL | {"more"}
    assert cats.names("ds:root.v1") == cats.names("ds:root~1") == ALL


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("ds:none", 3, "`ldb ds list`"),
        ("ds:cats.v9", 3, "the newest version is ds:cats.v1"),
        ("ds:cats~5", 3, "history ends at ds:cats.v1"),
        ("ds:root.v7", 3, "the newest version is ds:root.v1"),
        ("ds:cats.v0", 2, "versions count from .v1"),
        ("ds:a/b", 2, "contains '/'"),
        ("ds:a\nb", 2, r"\n"),
        ("ds:cats.v1.v2", 2, "ends like a version"),
        ("ds:" + "x" * 101, 2, "longer than"),
    ],
)
def test_datasets_that_are_not_there(cats: Pets, name: str, code: int, message: str) -> None:
    assert message in cats.fails(code, "list", name)


def test_index_as_it_was(pets: Pets) -> None:
    pets.annotate("tom", {"class": "lion"})
    versions = [row["version"] for row in pets.json("list", "ds:root.v1", "--path", "tom")]
    assert versions == [1]
    assert pets.names("ds:root.v1", "--query", "class == 'lion'") == set()
    pets.ok("index", "--restore", "ds:root.v1")
    assert pets.names("--query", "class == 'lion'") == set()
    assert pets.names("ds:root.v2", "--query", "class == 'lion'") == {"tom"}


def test_objects_that_the_index_forgot(pets: Pets) -> None:
    pets.new("more", {"class": "cat"})
    pets.ok("stage", "ds:some")
    pets.ok("add", "ds:root", "--path", "more")
    pets.ok("index", "--restore", "ds:root.v1")
    (line,) = pets.ok("list").out.splitlines()
    assert line.split()[1:] == ["?"], "an annotation whose history is not known, and no path"
    assert pets.ok("list", "--query", "class == 'cat'").out.count("\n") == 1
    assert pets.names("ds:root.v2") == ALL | {"more"}
    assert pets.names("ds:root.v2", "--file", "type == 'jpg'", "--path", "more") == {"more"}


def test_workspaces(cats: Pets, tmp_path: Path) -> None:
    cats.ok("add", cats.id("rex"))
    outside = cats.at(tmp_path / "a" / "b")
    assert outside.names(f"ws:{cats.folder}") == CATS | {"rex"}
    assert outside.names("ws:../../work") == CATS | {"rex"}
    assert cats.names("ws:.") == cats.names("ws:") == CATS | {"rex"}
    assert "ldb stage ds:NAME" in outside.fails(3, "list", "ws:.")


def test_workspace_of_another_instance(cats: Pets, tmp_path: Path) -> None:
    cats.ok("init", str(tmp_path / "second"))
    other = cats.at(tmp_path / "other")
    other.ok("--instance", str(tmp_path / "second"), "stage", "ds:x")
    message = cats.fails(4, "list", f"ws:{other.folder}")
    assert str(tmp_path / "second") in message
    assert cats.names(str(cats.data / "dogs")) == DOGS
    inside = other("--instance", str(tmp_path / "instance"), "list", str(cats.data / "dogs"))
    assert inside.out.count("\n") == 2, "a path needs no workspace"


def test_paths(pets: Pets) -> None:
    cats = pets.data / "cats"
    assert pets.names(str(cats / "tom.jpg")) == {"tom"}
    assert pets.names(str(cats / "tom.json")) == {"tom"}, "an annotation file stands for its data"
    assert pets.names(str(cats)) == pets.names(f"{cats}/") == pets.names(f"{cats}/.") == CATS
    assert pets.names(str(pets.data / "dogs")) == DOGS, "and what lies in folders below"
    assert pets.names(f"file://{cats}") == CATS
    assert pets.names(os.path.relpath(cats, pets.folder)) == CATS
    assert pets.at(cats.parent).names("cats", "dogs/../birds/ara.jpg") == CATS | {"ara"}
    assert pets.names("/") == ALL


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("cats/*.jpg", {"tom"}),
        ("cats/*", CATS),
        ("cats/t?m.*", {"tom"}),
        ("*/[k-p]*", {"kit", "owl", "pup"}),
        ("*/[!k-t]*.jpg", {"ara"}),
        ("dogs/*.jpg", {"rex"}),
        ("dogs/*", DOGS),
        ("dogs/*/*", {"pup"}),
        ("**/*.jpg", ALL - {"kit"}),
        ("dogs/**", DOGS),
        ("dogs/**/pup.jpg", {"pup"}),
        ("dogs/**/rex.jpg", {"rex"}),
        ("**/old/**/p*", {"pup"}),
        ("*s", ALL),
        ("[cd]*s/*t.*", {"kit"}),
        ("cats/*.json", CATS),
        ("*/rex.json", {"rex"}),
    ],
)
def test_globs(pets: Pets, glob: str, names: set[str]) -> None:
    assert pets.names(f"{pets.data}/{glob}") == names
    assert pets.at(pets.data).names(glob) == names
    assert pets.names(f"file://{pets.data}/{glob}") == names


@pytest.mark.parametrize("glob", ["cats/*.gif", "cats/**/x", "[z-a]*", "cats/[", "*/*/*/*"])
def test_globs_that_fit_nothing(pets: Pets, glob: str) -> None:
    assert "index it first" in pets.fails(3, "list", f"{pets.data}/{glob}")


def test_names_with_wildcards(pets: Pets) -> None:
    for name in ("odd/a[1]", "odd/a1", "odd/x*y", "odd/xzy", "odd[2]/what?", "odd2/what1"):
        pets.new(name)
    odd = pets.data / "odd"
    assert pets.names(f"{odd}/a[1].jpg") == {"a[1]"}, "a file of this very name comes first"
    assert pets.names(f"{odd}/a[[]1].jpg") == {"a[1]"}
    assert pets.names(f"{odd}/x*y.jpg") == {"x*y"}
    assert pets.names(f"{odd}/x?y.jpg") == {"x*y", "xzy"}
    assert pets.names(f"{odd}[2]") == {"what?"}, "a folder, too"
    assert pets.names(f"{odd}[2]/*") == {"what1"}


def test_paths_that_are_not_there(pets: Pets) -> None:
    assert "path not found: nowhere" in pets.fails(3, "list", "nowhere")
    (pets.folder / "new").mkdir()
    assert "ldb index new" in pets.fails(3, "list", "new")
    pets.fails(3, "list", str(pets.data) + "2")
    assert "s3://b/x" in pets.fails(3, "list", "s3://b/x")


def test_dataset_without_its_prefix(cats: Pets) -> None:
    assert "did you mean ds:cats?" in cats.fails(3, "list", "cats")
    assert "did you mean ds:root?" in cats.fails(3, "list", "root")


def test_file_that_is_gone_is_found_where_it_was(pets: Pets) -> None:
    (pets.data / "cats" / "tom.jpg").unlink()
    pets.changed.append("tom")
    assert pets.names(str(pets.data / "cats" / "tom.jpg")) == {"tom"}


# -- filters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--query", "class == 'cat'"], CATS),
        (["--query", "score > `0.4`"], {"tom", "rex", "pup"}),
        (["--query", "score != `0.9`"], {"kit", "rex", "pup"}),
        (["--query", "boxes[0].label == 'head'"], {"tom"}),
        (["--query", "`true`"], ALL - {"owl"}),
        (["--jquery", "score != `0.9`"], ALL - {"tom"}),
        (["--jquery", "boxes"], {"tom"}),
        (["--jquery", "@ == `null`"], {"owl"}),
        (["--query", "class == 'cat'", "--query", "score < `0.5`"], {"kit"}),
        (["--file", "type == 'png'"], {"kit"}),
        (["--file", "fs.size > `13`"], {"pup"}),
        (["--file", "ends_with(fs.path, 'ra.jpg')"], {"ara"}),
        (["--file", "annotation_versions == `0`"], {"owl"}),
        (["--path", "cats"], CATS),
        (["--path", r"(tom|rex)\.jpg$"], {"tom", "rex"}),
        (["--path", "dogs/", "--path", "old"], {"pup"}),
        (["--tag", "x"], set()),
        (["--no-tag", "x"], ALL),
        (["--limit", "0"], set()),
        (["--limit", "99"], ALL),
        (["--sample", "0"], set()),
        (["--sample", "1"], ALL),
        (["--sample-rate", "100"], ALL),
        (["--sample-rate", "0"], set()),
    ],
)  # fmt: skip
def test_filters(pets: Pets, filters: list[str], names: set[str]) -> None:
    assert pets.names(*filters) == names


def test_tags(pets: Pets) -> None:
    pets.ok("index", "--add-tags", "a,b", str(pets.data / "cats"))
    pets.ok("index", "--add-tags", "b", str(pets.data / "dogs"))
    assert pets.names("--tag", "a") == CATS
    assert pets.names("--tag", "a,b") == pets.names("--tag", "b") == CATS | DOGS
    assert pets.names("--tag", "b", "--no-tag", "a") == DOGS
    assert pets.names("--no-tag", "a,b") == ALL - CATS, "lacks at least one"


def test_limit_before_and_after_a_query(pets: Pets) -> None:
    order = pets.order()
    for count in range(7):
        first = set(order[:count])
        assert pets.names("--limit", str(count), "--query", "class == 'cat'") == first & CATS
        after = pets.order("--query", "class == 'cat'", "--limit", str(count))
        assert after == [name for name in order if name in CATS][:count]


def test_repeated_options_interleaved(pets: Pets) -> None:
    order = pets.order()
    found = pets.order(
        "--limit", "5", "--path", "jpg", "--limit", "3", "--query", "class != 'bird'",
        "--limit", "1",
    )  # fmt: skip
    kept = [name for name in order[:5] if name != "kit"][:3]
    assert found == [name for name in kept if name in CATS | DOGS][:1]


def test_order_of_shuffle_and_limit(pets: Pets) -> None:
    shuffled = pets.order("--shuffle", "--seed", "5")
    assert set(shuffled) == ALL
    assert pets.order("--shuffle", "--limit", "2", "--seed", "5") == shuffled[:2]
    first = set(pets.order("--limit", "2"))
    assert pets.names("--limit", "2", "--shuffle", "--seed", "5") == first


def test_seeds(pets: Pets) -> None:
    def sample(*seed: str) -> list[str]:
        return pets.order("--sample", "0.5", "--shuffle", "--sample-rate", "70", *seed)

    assert sample("--seed", "1") == sample("--seed", "1")
    assert sample("--seed", "-1") == sample("--seed", "-1")
    assert len({tuple(pets.order("--shuffle", "--seed", str(seed))) for seed in range(9)}) > 5
    assert len({tuple(pets.order("--shuffle")) for _ in range(9)}) > 5


@pytest.mark.parametrize(
    "args",
    [
        ("--limit", "-1"),
        ("--sample", "2"),
        ("--sample", "-0.1"),
        ("--sample", "nan"),
        ("--sample-rate", "101"),
        ("--path", "("),
        ("--query", "class =="),
        ("--query", ""),
        ("--jquery", "nofunction(a)"),
        ("--file", "[?"),
        ("--tag", "a,,b"),
    ],
)
def test_what_cannot_be_meant(pets: Pets, args: tuple[str, ...]) -> None:
    assert args[0] in pets.fails(2, "list", *args)


def test_bad_query_shows_the_place(pets: Pets) -> None:
    assert "class == 'cat' &&\n" in pets.fails(2, "list", "--query", "class == 'cat' &&")


def test_long_dash(pets: Pets) -> None:
    assert "type --query" in pets.fails(2, "list", "\N{EM DASH}query", "class")
    assert "type --query" in pets.fails(2, "list", "\N{EM DASH}-query", "class")


# -- hints -----------------------------------------------------------------------------


def test_misspelt_key(pets: Pets) -> None:
    result = pets.ok("list", "--query", "clas == 'cat'")
    assert result.out == ""
    assert result.err == "warning: no annotation has the key `clas`; did you mean `class`?\n"
    assert pets.ok("list", "--query", "class == 'cow'").err == "", "the key is there"


def test_quotes_that_the_shell_ate(pets: Pets) -> None:
    result = pets.ok("list", "--query", "class == cat")
    assert "no annotation has the key `cat`; if it is a text, give it single quotes" in result.err
    message = pets.fails(3, "list", "--query", "class", "==", "cat")
    assert "put quotes around all of it" in message


def test_query_that_fails_on_some(pets: Pets) -> None:
    result = pets.ok("list", "--query", "abs(class) > `0` || class == 'cat'")
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert line.startswith("warning: --query failed on id:")
    assert line.endswith("(and on 4 more)")
    result = pets.ok("list", "--jquery", "class != 'cat' || length(score) > `0`")
    assert result.err.count("\n") == 1
    assert result.out.count("\n") == 4


def test_each_failing_query_warns_once(pets: Pets) -> None:
    result = pets.ok("list", pets.id("tom"), "--jquery", "abs(class)", "--file", "abs(type)")
    (line,) = result.err.splitlines()
    assert line.startswith("warning: --jquery failed on ")
    result = pets.ok("list", pets.id("tom"), "--file", "abs(type)")
    assert result.err.startswith("warning: --file failed on " + pets.id("tom"))
    assert "more" not in result.err


def test_quick_start(pets: Pets, home: Path) -> None:
    (home / ".ldb" / "config").unlink()
    result = pets("list")
    assert result.code == 3
    assert "nothing has been indexed yet" in result.err
    assert (home / ".ldb" / "private_instance").is_dir()


def test_named_instance_that_is_not_there(
    pets: Pets, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDB_DIR", str(tmp_path / "none"))
    (home / ".ldb" / "config").unlink()
    assert f"ldb init {tmp_path / 'none'}" in pets.fails(3, "list")
    assert os.listdir(home / ".ldb") == []
