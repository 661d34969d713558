"""The draft on disk: whole or as it was, for one command at a time, of one instance."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from ldb.backends.local import LocalBackend
from ldb.dataset import empty_root
from ldb.errors import Conflict, Corrupt, NotFound, StoreFailed, Unsupported
from ldb.history import DiffCounts, MapRoot, Operation, SourceUsed
from ldb.ids import Oid
from ldb.instance import Instance, create
from ldb.workspace import (
    FOLDER,
    FORMAT,
    KEPT_RESULTS,
    STATE,
    Base,
    State,
    Workspace,
    clear_objects,
    decode_state,
    encode_state,
    find,
    load_state,
    locked,
    make_folder,
    new_draft,
    open_store,
    open_workspace,
)

PAGE = Path(__file__).parents[1] / "docs" / "formats" / "workspace.md"

SAMPLE = State(
    instance_url="/data/team/ldb",
    instance_id="00112233445566778899aabbccddeeff",
    dataset="cats",
    base=Base("cats", 1, Oid(b"\x11" * 32)),
    base_root=MapRoot(Oid(b"\x22" * 32), 2),
    root=MapRoot(Oid(b"\x33" * 32), 3),
    operations=(
        Operation(
            ("add", "id:3f2a91"), (SourceUsed("id:3f2a91"),), (), {"added": 1, "updated": 0},
            1767323050000, MapRoot(Oid(b"\x33" * 32), 3),
        ),
    ),
    changes=DiffCounts(added=1),
)  # fmt: skip


@pytest.fixture
def workspace(instance: Instance, tmp_path: Path) -> Workspace:
    """A workspace with an empty draft of ds:cats."""
    folder = tmp_path / "work"
    make_folder(str(folder))
    empty = empty_root(instance, open_store(str(folder), instance))
    return new_draft(str(folder), instance, "cats", empty)


def path_of(workspace: Workspace) -> Path:
    return Path(workspace.folder, FOLDER, STATE)


# -- the state -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        SAMPLE,
        replace(SAMPLE, base=None),
        replace(SAMPLE, dataset="", operations=(), changes=DiffCounts(3, 2, 1)),
        replace(SAMPLE, changes=DiffCounts(3, 2, 5, 4)),
        replace(SAMPLE, instance_url="memory://кот"),
    ],
)
def test_comes_back_as_it_was(state: State) -> None:
    assert decode_state(encode_state(state), "here") == state


def test_is_canonical() -> None:
    payload = encode_state(SAMPLE)[32:]
    value = msgpack.unpackb(payload)
    assert value["format"] == FORMAT
    assert list(value) == sorted(value)
    assert msgpack.packb(value) == payload


def test_worked_example_of_the_page() -> None:
    block = PAGE.read_text("utf-8").split("## Worked example\n")[1].split("\n## ")[0]
    lines = re.findall(r"^    ((?:[0-9a-f]{2} ?)+)", block, re.MULTILINE)
    assert bytes.fromhex("".join(lines)) == encode_state(SAMPLE)


@pytest.mark.parametrize("at", range(0, len(encode_state(SAMPLE)), 11))
def test_every_flipped_bit_is_seen(at: int) -> None:
    data = bytearray(encode_state(SAMPLE))
    data[at] ^= 1 << at % 8
    with pytest.raises(Corrupt, match="here"):
        decode_state(bytes(data), "here")


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 100])
def test_cut_off(size: int) -> None:
    with pytest.raises(Corrupt):
        decode_state(encode_state(SAMPLE)[:size], "here")


def signed(value: object) -> bytes:
    """A state with the checksum that fits."""
    payload: bytes = msgpack.packb(value)
    return hashlib.sha256(payload).digest() + payload


GOOD = msgpack.unpackb(encode_state(SAMPLE)[32:])


@pytest.mark.parametrize(
    "value",
    [None, 5, [], {}, {**GOOD, "base": {}}, {**GOOD, "root": [b"short", 1]}, {**GOOD, "root": 1},
     {**GOOD, "changes": [1, 2, 3, 4]}, {**GOOD, "operations": [{}]}, {**GOOD, "instance": None}],
)  # fmt: skip
def test_signed_nonsense(value: object) -> None:
    with pytest.raises(Corrupt):
        decode_state(signed(value), "here")


def test_later_format() -> None:
    with pytest.raises(Unsupported, match=r"workspace format 2 of here") as caught:
        decode_state(signed({"all": "new", "format": 2}), "here")
    assert caught.value.hint == "upgrade ldb"


# -- the folder ------------------------------------------------------------------------


def test_find_goes_up(workspace: Workspace, tmp_path: Path) -> None:
    below = Path(workspace.folder, "a", "b")
    below.mkdir(parents=True)
    assert find(str(below)) == find(workspace.folder) == workspace.folder
    assert find(str(tmp_path)) is None
    assert find("/") is None


def test_folder_without_a_state_is_none(tmp_path: Path) -> None:
    make_folder(str(tmp_path))
    assert find(str(tmp_path)) is None
    with pytest.raises(NotFound, match="workspace"):
        load_state(str(tmp_path))
    with pytest.raises(NotFound):
        load_state(str(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("")
    with pytest.raises(NotFound):
        load_state(str(tmp_path / "file"))


def test_save_leaves_nothing_else(workspace: Workspace) -> None:
    for count in range(5):
        workspace = workspace.saved(replace(workspace.state, changes=DiffCounts(count)))
        assert load_state(workspace.folder) == workspace.state
    assert set(os.listdir(path_of(workspace).parent)) <= {STATE, "objects", "tmp"}


def test_failing_save_keeps_the_old_state(workspace: Workspace) -> None:
    before = path_of(workspace).read_bytes()
    away = Path(workspace.folder + "-away")
    Path(workspace.folder).rename(away)
    with pytest.raises(StoreFailed):
        workspace.saved(SAMPLE)
    away.rename(workspace.folder)
    assert path_of(workspace).read_bytes() == before


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match="Not a directory"):
        make_folder(str(tmp_path / "file" / "below"))


def test_another_instance(workspace: Workspace, tmp_path: Path) -> None:
    other = create(LocalBackend(tmp_path / "other"))
    with pytest.raises(Conflict) as caught:
        open_workspace(workspace.folder, other)
    assert workspace.instance.url in caught.value.hint


def test_store_reads_through_to_the_instance(workspace: Workspace, instance: Instance) -> None:
    root = empty_root(instance, instance.objects)
    assert open_store(workspace.folder, instance).get(root.root).oid == root.root
    clear_objects(workspace.folder)
    reopened = open_workspace(workspace.folder, instance)
    assert reopened.store.get(root.root).oid == root.root
    assert reopened.state == workspace.state


# -- operations ------------------------------------------------------------------------


def root_of(number: int) -> MapRoot:
    return MapRoot(Oid(number.to_bytes(32, "big")), number)


def test_the_last_operations_keep_their_maps(workspace: Workspace) -> None:
    count = KEPT_RESULTS + 5
    for at in range(1, count + 1):
        workspace = workspace.changed(root_of(at), Operation(("add", str(at))), DiffCounts(at))
    operations = load_state(workspace.folder).operations
    assert [each.command[1] for each in operations] == [str(at) for at in range(1, count + 1)]
    kept = [each.result for each in operations]
    assert kept == [None] * 5 + [root_of(at) for at in range(6, count + 1)]


def test_back_at_the_base_there_were_none(workspace: Workspace) -> None:
    changed = workspace.changed(root_of(1), Operation(("add",)), DiffCounts(1))
    assert changed.state.dirty
    back = changed.changed(workspace.state.base_root, Operation(("del",)), DiffCounts())
    assert not back.state.dirty
    assert back.state.operations == ()


# -- one command at a time -------------------------------------------------------------

HOLD = """
import sys
from ldb.workspace import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock(workspace: Workspace) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, workspace.folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=f"process {holder.pid}"), locked(workspace.folder):
            pass
        holder.kill()  # however it ends, the lock is free
        holder.wait()
        with locked(workspace.folder):
            refused = pytest.raises(Conflict, match=f"process {os.getpid()}")
            with refused, locked(workspace.folder):
                pass
        with locked(workspace.folder):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_lock_is_free_after_an_error(workspace: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt), locked(workspace.folder):
        raise KeyboardInterrupt
    with locked(workspace.folder):
        pass


def test_lock_without_a_workspace(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed), locked(str(tmp_path / "nowhere")):
        pass
