"""Whole runs, on a real instance with really indexed files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ldb.backends.local import LocalBackend
from ldb.catalog import as_keys, open_catalog
from ldb.errors import BadInput, Conflict, Unsupported
from ldb.instance import create
from ldb.instantiate.manifest import instantiated_files
from ldb.instantiate.naming import id_in_name
from ldb.instantiate.options import InstantiateOptions
from ldb.instantiate.run import instantiate
from ldb.instantiate.target import prepared
from tests.instantiate.conftest import World, tree


def test_pairs_are_named_by_base_and_id(world: World) -> None:
    cat = world.put("pets/cat.jpg", b"cat", b'{"b": 18446744073709551615, "a": [1.0]}')
    dog = world.put("pets/dog.png", b"dog")
    world.index()
    report = world.run()
    assert world.tree() == {
        f"cat-{cat}.jpg": b"cat",
        f"cat-{cat}.json": b'{\n  "a": [\n    1.0\n  ],\n  "b": 18446744073709551615\n}\n',
        f"dog-{dog}.png": b"dog",
    }
    assert (report.objects, report.annotations, report.problems) == (2, 1, [])
    assert sorted(os.listdir(world.target)) == sorted([*world.tree(), ".ldb_instantiated"])


def test_what_was_instantiated_indexes_to_the_same(world: World, tmp_path: Path) -> None:
    world.put("a.jpg", b"one", b'{"x": {"y": null}}')
    world.put("b.tar.gz", b"two", b"[1, 2]")
    world.put("noext", b"three", b'"text"')
    world.put("c..x", b"four", b"0.5")
    world.index()
    world.run()
    again = World(create(LocalBackend(tmp_path / "other")), world.target, tmp_path / "twice")
    again.index()
    both = [open_catalog(each.instance).rows() for each in (world, again)]
    one, other = ([(r.keys.tobytes(), r.fields[1].tobytes()) for r in rows] for rows in both)
    assert one == other
    again.run()
    assert again.tree() == world.tree(), "names with ids stay as they are"


def test_strict_leaves_out_objects_without_annotation(world: World) -> None:
    cat = world.put("cat.jpg", b"cat", b"{}")
    world.put("dog.jpg", b"dog")
    world.index()
    report = world.run(strict=True)
    assert set(world.tree()) == {f"cat-{cat}.jpg", f"cat-{cat}.json"}
    assert report.skipped == 1
    assert not report.problems


def test_annotations_only_touches_no_data(world: World) -> None:
    cat = world.put("cat.jpg", b"cat", b'{"a": 1}')
    world.put("dog.jpg", b"dog")
    world.index()
    shutil.rmtree(world.source)
    report = world.run(annotations_only=True)
    assert {name: json.loads(data) for name, data in world.tree().items()} == {
        f"cat-{cat}.json": {"a": 1}
    }
    assert (report.objects, report.annotations, report.skipped) == (0, 1, 1)


def test_changed_and_missing_sources_are_problems_and_the_rest_goes_on(world: World) -> None:
    same_size = world.put("a.jpg", b"aaaa", b"1")
    longer = world.put("b.jpg", b"bbbb")
    gone = world.put("c.jpg", b"cccc")
    folder = world.put("d.jpg", b"dddd")
    good = world.put("e.jpg", b"eeee")
    world.index()
    (world.source / "a.jpg").write_bytes(b"AAAA")
    (world.source / "b.jpg").write_bytes(b"bbbbb")
    (world.source / "c.jpg").unlink()
    (world.source / "d.jpg").unlink()
    (world.source / "d.jpg").mkdir()
    report = world.run()
    assert world.tree() == {f"e-{good}.jpg": b"eeee"}
    whys = {problem.path.rpartition("/")[2]: problem.why for problem in report.problems}
    assert f"id:{same_size} changed" in whys["a.jpg"]
    assert f"id:{longer} changed since it was indexed: 5 bytes, not 4" in whys["b.jpg"]
    assert f"id:{gone} is not there" in whys["c.jpg"]
    assert f"id:{folder} is not a regular file" in whys["d.jpg"]
    assert list(instantiated_files(str(world.target))) == [f"e-{good}.jpg"]


def test_another_path_serves_where_the_first_is_gone(world: World) -> None:
    cat = world.put("one/cat.jpg", b"cat")
    world.put("two/tom.jpg", b"cat")
    world.index()
    (world.source / "one/cat.jpg").write_bytes(b"tac")
    report = world.run()
    assert world.tree() == {f"cat-{cat}.jpg": b"cat"}
    assert not report.problems
    assert [each.path for each in report.passed_over] == [f"file://{world.source}/one/cat.jpg"]


def test_a_pipe_in_place_of_a_source_is_not_waited_for(world: World) -> None:
    world.put("a.jpg", b"aaaa")
    world.index()
    (world.source / "a.jpg").unlink()
    os.mkfifo(world.source / "a.jpg")
    assert "not a regular file" in world.run().problems[0].why


def test_large_files_are_verified_too(world: World) -> None:
    good, bad = os.urandom(9_000_000), os.urandom(9_000_000)
    world.put("good.bin", good)
    world.put("bad.bin", bad)
    world.index()
    (world.source / "bad.bin").write_bytes(bad[:-1] + bytes([bad[-1] ^ 1]))
    report = world.run()
    assert list(world.tree().values()) == [good]
    assert len(report.problems) == 1


def test_an_object_that_the_index_lacks_is_a_problem(world: World) -> None:
    world.put("a.jpg", b"a")
    world.index()
    catalog = open_catalog(world.instance)
    report = instantiate(
        world.instance,
        catalog,
        as_keys([bytes(16)], 16),
        np.zeros((1, 32), np.uint8),
        InstantiateOptions(folder=str(world.target)),
    )
    assert [(each.path, each.why) for each in report.problems] == [
        (f"id:{bytes(16).hex()}", "is not in the index")
    ]


def test_sha256_instances(tmp_path: Path) -> None:
    world = World(
        create(LocalBackend(tmp_path / "i"), "sha256"), tmp_path / "source", tmp_path / "target"
    )
    cat = world.put("cat.jpg", b"cat", b"{}")
    world.index()
    world.run()
    assert set(world.tree()) == {f"cat-{cat}.jpg", f"cat-{cat}.json"}
    assert id_in_name(f"cat-{cat}.json") == cat


@pytest.mark.parametrize("processes", [1, 3])
def test_many_batches_in_one_process_or_several(world: World, processes: int) -> None:
    for number in range(700):
        world.put(f"d{number % 7}/f{number}.bin", b"%d" % number, b'{"n": %d}' % number)
    world.index()
    steps: list[int] = []
    catalog = open_catalog(world.instance)
    rows = list(catalog.rows())
    report = instantiate(
        world.instance,
        catalog,
        np.concatenate([each.keys for each in rows]),
        np.concatenate([each.fields[1] for each in rows]),
        InstantiateOptions(folder=str(world.target), processes=processes),
        steps.append,
    )
    assert (report.objects, report.annotations, report.problems) == (700, 700, [])
    assert sum(steps) == 700
    found = world.tree()
    for number in range(700):
        name = f"f{number}-{hashlib.md5(b'%d' % number).hexdigest()}"
        assert found[f"{name}.bin"] == b"%d" % number
        assert json.loads(found[f"{name}.json"]) == {"n": number}
    assert len(found) == 1400
    assert set(instantiated_files(str(world.target))) == set(found)
    again = world.run(processes=processes)
    assert (again.objects, again.annotations, again.already_there) == (0, 0, 1400)


def test_a_worker_s_failure_ends_the_run(world: World) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == world.source.stat().st_dev:
        pytest.skip("there is no other file system")
    for number in range(400):
        world.put(f"f{number}.bin", b"%d" % number)
    world.index()
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        with pytest.raises(Unsupported, match="hard links"):
            world.run(Path(folder), link="hardlink", processes=2)
        assert os.listdir(folder) == [".ldb_instantiated"]


# -- the target folder -----------------------------------------------------------------


def test_a_folder_with_other_files_needs_force(world: World) -> None:
    cat = world.put("cat.jpg", b"cat")
    world.index()
    world.target.mkdir()
    (world.target / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="other files"):
        world.run()
    assert os.listdir(world.target) == ["mine.txt"]
    world.run(force=True)
    assert world.tree() == {"mine.txt": b"mine", f"cat-{cat}.jpg": b"cat"}
    world.run()


def test_a_workspace_needs_no_force(world: World) -> None:
    world.put("cat.jpg", b"cat")
    world.index()
    (world.target / ".ldb_workspace").mkdir(parents=True)
    (world.target / "mine.txt").write_text("mine")
    assert world.run().objects == 1


def test_a_target_that_is_a_file_or_lies_in_the_instance_is_refused(world: World) -> None:
    cat = world.put("cat.jpg", b"cat")
    world.index()
    with pytest.raises(BadInput, match="not a folder"):
        world.run(world.source / "cat.jpg")
    inside = Path(world.instance.url.removeprefix("file://")) / "here"
    with pytest.raises(BadInput, match="inside the LDB instance"):
        world.run(inside)
    assert not inside.exists()
    assert cat


def test_two_runs_at_once_on_one_folder(world: World) -> None:
    world.put("cat.jpg", b"cat")
    world.index()
    with prepared(str(world.target), False, ""), pytest.raises(Conflict, match="another"):
        world.run()
    world.run()


def test_edited_files_stay_without_force_and_go_with_it(world: World) -> None:
    cat = world.put("cat.jpg", b"cat", b'{"a": 1}')
    world.index()
    world.run()
    note, data = world.target / f"cat-{cat}.json", world.target / f"cat-{cat}.jpg"
    note.write_text('{"a": 2}')
    data.write_bytes(b"cut")
    report = world.run()
    assert [each.why.split(";")[0] for each in report.problems] == [
        "was edited since it was instantiated"
    ]
    assert (note.read_text(), data.read_bytes()) == ('{"a": 2}', b"cut")
    report = world.run(force=True)
    assert not report.problems
    assert (json.loads(note.read_text()), data.read_bytes()) == ({"a": 1}, b"cat")


def test_a_newer_annotation_replaces_an_unedited_one(world: World) -> None:
    cat = world.put("cat.jpg", b"cat", b'{"a": 1}')
    world.index()
    world.run()
    note = world.target / f"cat-{cat}.json"
    note.write_text('{ "a":1 }')  # laid out anew is not edited
    world.put("cat.jpg", b"cat", b'{"a": 2}')
    os.utime(world.source / "cat.json", ns=(1, 1))
    world.index()
    report = world.run()
    assert not report.problems
    assert json.loads(note.read_text()) == {"a": 2}


def test_a_file_that_is_not_ldb_s_is_never_replaced_nor_removed(world: World) -> None:
    cat = world.put("cat.jpg", b"cat", b'{"a": 1}')
    world.index()
    world.target.mkdir()
    (world.target / f"cat-{cat}.jpg").write_bytes(b"cat")
    (world.target / f"cat-{cat}.json").write_bytes(b"mine")
    report = world.run(force=True)
    assert report.already_there == 1
    assert "was not made by LDB" in report.problems[0].why
    assert instantiated_files(str(world.target)) == {}
    (world.source / "cat.jpg").unlink()
    world.put("new.jpg", b"new")
    world.index()
    world.run(force=True, annotations_only=True)
    assert (world.target / f"cat-{cat}.json").read_bytes() == b"mine"
    assert (world.target / f"cat-{cat}.jpg").read_bytes() == b"cat"


def test_preserving_paths_into_the_source_itself_changes_nothing(world: World) -> None:
    world.put("pets/cat.jpg", b"cat", b'{"a":1}')
    world.put("pets/dog.jpg", b"dog", b'{"a":2}')
    world.index()
    before = tree(world.source)
    report = world.run(world.source / "pets", preserve_paths=True, force=True)
    assert report.already_there == 4
    world.run(world.source / "pets", strict=True, annotations_only=True, force=True)
    assert {name: before[name] for name in before} == {
        name: data for name, data in tree(world.source).items() if name in before
    }


def test_force_removes_what_earlier_runs_made_and_nothing_else(world: World) -> None:
    cat = world.put("cats/cat.jpg", b"cat", b"{}")
    dog = world.put("dogs/dog.jpg", b"dog", b"{}")
    world.index()
    world.run(preserve_paths=True)
    (world.target / "cats/mine.txt").write_text("mine")
    report = world.run()
    assert report.left == 4
    report = world.run(force=True)
    assert report.removed == 4
    assert set(world.tree()) == {
        f"cat-{cat}.jpg", f"cat-{cat}.json", f"dog-{dog}.jpg", f"dog-{dog}.json", "cats/mine.txt",
    }  # fmt: skip
    assert not (world.target / "dogs").exists()
    assert len(instantiated_files(str(world.target))) == 4


def test_after_a_run_that_did_not_end_only_files_of_right_content_are_removed(
    world: World,
) -> None:
    cat = world.put("cat.jpg", b"cat", b"{}")
    dog = world.put("dog.jpg", b"dog")
    world.index()
    world.run()
    journal = world.target / ".ldb_instantiated"
    journal.write_text(journal.read_text().removesuffix("end\n"))
    (world.target / f"dog-{dog}.jpg").write_bytes(b"mine")
    report = world.run(annotations_only=True, force=True)
    assert report.removed == 1
    assert set(world.tree()) == {f"cat-{cat}.json", f"dog-{dog}.jpg"}


def test_a_foreign_list_is_refused(world: World) -> None:
    world.put("cat.jpg", b"cat")
    world.index()
    world.target.mkdir()
    (world.target / ".ldb_instantiated").write_text("something else\n")
    with pytest.raises(Exception, match="not a list that LDB made"):
        world.run()


# -- links and hostile folders ---------------------------------------------------------


def test_links_in_the_target_are_never_written_through(world: World, tmp_path: Path) -> None:
    cat = world.put("pets/cat.jpg", b"cat", b"{}")
    world.put("fish/fish.jpg", b"fish")
    world.index()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"safe")
    (world.target / "fish").mkdir(parents=True)
    (world.target / "pets").symlink_to(outside)
    (world.target / "fish" / "fish.jpg").symlink_to(outside / "victim")
    report = world.run(preserve_paths=True, force=True)
    assert tree(outside) == {"victim": b"safe"}
    assert len(report.problems) == 2
    (world.target / f"cat-{cat}.jpg").symlink_to(outside / "new")
    (world.target / f"cat-{cat}.json").symlink_to(outside / "victim")
    report = world.run(force=True)
    assert tree(outside) == {"victim": b"safe"}
    assert len(report.problems) == 1


def test_a_listed_name_that_became_a_link_is_replaced_itself(world: World, tmp_path: Path) -> None:
    cat = world.put("cat.jpg", b"cat")
    world.index()
    world.run()
    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    made = world.target / f"cat-{cat}.jpg"
    made.unlink()
    made.symlink_to(victim)
    assert "edited" in world.run().problems[0].why
    assert not world.run(force=True).problems
    assert (made.is_symlink(), made.read_bytes(), victim.read_bytes()) == (False, b"cat", b"safe")


def test_a_list_cannot_lead_out_of_the_folder(world: World, tmp_path: Path) -> None:
    cat = world.put("cat.jpg", b"cat")
    world.index()
    world.target.mkdir()
    (tmp_path / "victim").write_bytes(b"cat")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim").write_bytes(b"cat")
    (world.target / "link").symlink_to(tmp_path / "outside")
    lines = [f"+ {cat} - {path}\n" for path in ("../victim", f"{tmp_path}/victim", "link/victim")]
    text = f"ldb-instantiated 1\n{''.join(lines)}end\n"
    (world.target / ".ldb_instantiated").write_text(text)
    report = world.run(force=True)
    assert report.removed == 0
    assert (tmp_path / "victim").exists()
    assert (tmp_path / "outside" / "victim").exists()


@pytest.mark.parametrize("name", [".ldb_instantiated", ".ldb_instantiating"])
def test_links_in_place_of_ldb_s_own_files(world: World, tmp_path: Path, name: str) -> None:
    world.put("cat.jpg", b"cat")
    world.index()
    world.target.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.target / name).symlink_to(outside)
    with pytest.raises(Exception, match=r"plain file|link|folder|Not a directory"):
        world.run(force=True)
    assert list(outside.iterdir()) == []


# -- preserve_paths --------------------------------------------------------------------


def test_preserve_paths_keeps_folders_and_names(world: World) -> None:
    world.put("pets/cats/a.jpg", b"1", b"1")
    world.put("pets/cats/b.jpg", b"2")
    world.put("pets/dogs/a.jpg", b"3", b"3")
    world.index()
    assert not world.run(preserve_paths=True).problems
    assert set(world.tree()) == {"cats/a.jpg", "cats/a.json", "cats/b.jpg", "dogs/a.jpg",
                                 "dogs/a.json"}  # fmt: skip


def test_preserve_paths_adds_ids_where_names_collide(world: World, tmp_path: Path) -> None:
    one = world.put("x/a.jpg", b"1", b"1")
    two = world.put("x/A.jpg", b"2", b"2")
    three = world.put("x/b.png", b"3", b"3")
    four = world.put("x/b.jpg", b"4", b"3")
    world.index()
    assert not world.run(preserve_paths=True, processes=2).problems
    assert set(world.tree()) == {
        f"a-{one}.jpg", f"a-{one}.json", f"A-{two}.jpg", f"A-{two}.json",
        "b.png", "b.jpg", "b.json",
    }  # fmt: skip
    assert {three, four} <= {
        entry.object_id.hex() for entry in instantiated_files(str(world.target)).values()
    }
