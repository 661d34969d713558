"""What a folder adds to the contract: faults of the disk, links, foreign files, modes."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.backends import noreplace
from ldb.backends.base import Backend, Outcome, Range
from ldb.backends.files import MAP_FROM
from ldb.backends.local import LocalBackend
from ldb.backends.noreplace import rename_new
from ldb.errors import BadInput, BadName, NotFound, StoreFailed, Unsupported
from tests.contracts.backend import BackendContract

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX folders")
PROJECT = Path(__file__).parents[2]


class TestLocalBackend(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return LocalBackend(tmp_path / "store")


@pytest.fixture
def store(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "store")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 1 MiB in size; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount here: {error}")


def _temporaries(root: Path) -> list[str]:
    return os.listdir(root / "tmp") if (root / "tmp").exists() else []


# -- where it is -----------------------------------------------------------------------


@pytest.mark.parametrize("root", ["", ".", "a/b", "/a\0b"])
def test_root_must_be_absolute(root: str) -> None:
    with pytest.raises(BadInput, match="absolute"):
        LocalBackend(root)


def test_nothing_is_made_by_reading(store: LocalBackend, tmp_path: Path) -> None:
    assert list(store.list()) == []
    assert store.folders("") == []
    assert store.stale_temporaries(time.time()) == []
    store.delete(["a/b"])
    with pytest.raises(NotFound):
        store.read("a/b")
    assert os.listdir(tmp_path) == []


def test_root_is_made_with_its_parents(tmp_path: Path) -> None:
    store = LocalBackend(tmp_path / "a" / "b c" / "store")
    assert store.create("x/y", b"1") is Outcome.CREATED
    assert (tmp_path / "a" / "b c" / "store" / "x" / "y").read_bytes() == b"1"


def test_root_that_was_removed_is_made_again(store: LocalBackend, tmp_path: Path) -> None:
    store.create("a/b", b"1")
    (tmp_path / "store").rename(tmp_path / "away")
    assert store.create("a/b", b"2") is Outcome.CREATED
    assert store.read("a/b") == b"2"


# -- temporary files -------------------------------------------------------------------


def test_temporaries_are_no_values(store: LocalBackend, tmp_path: Path) -> None:
    store.create("a", b"1")
    left = tmp_path / "store" / "tmp" / ("0" * 32)
    left.write_bytes(b"half")
    assert [entry.key for entry in store.list()] == ["a"]
    assert list(store.list("tmp")) == []
    assert store.folders("") == []
    for key in ("tmp", "tmp/x", "tmp/" + "0" * 32, "TMP/x"):
        with pytest.raises(BadName):
            store.read(key)
        with pytest.raises(BadName):
            store.create(key, b"x")
    assert store.create("tmpx/tmp", b"1") is Outcome.CREATED


def test_stale_temporaries(store: LocalBackend, tmp_path: Path) -> None:
    store.create("a", b"1")
    folder = tmp_path / "store" / "tmp"
    old, new = folder / ("a" * 32), folder / ("b" * 32)
    for path in (old, new, folder / "README"):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    os.utime(folder / "README", (1000, 1000))
    assert store.stale_temporaries(time.time() - 3600) == [old]
    assert store.stale_temporaries(time.time() + 3600) == [old, new]


# -- what is in the way ----------------------------------------------------------------


@pytest.mark.parametrize("unconditional", [False, True])
def test_file_where_a_folder_is_needed(
    store: LocalBackend, tmp_path: Path, unconditional: bool
) -> None:
    store.create("a/b", b"1")
    for key in ("a/b/c", "a/b/c/d/e"):
        with pytest.raises(StoreFailed, match="a file where a folder is needed") as caught:
            store.create(key, b"2", unconditional=unconditional)
        assert caught.value.where == str(tmp_path / "store" / "a" / "b")
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert _temporaries(tmp_path / "store") == []


@pytest.mark.parametrize("unconditional", [False, True])
def test_folder_where_a_file_is_needed(
    store: LocalBackend, tmp_path: Path, unconditional: bool
) -> None:
    store.create("a/b", b"1")
    with pytest.raises(StoreFailed) as caught:
        store.create("a", b"2", unconditional=unconditional)
    assert caught.value.where == str(tmp_path / "store" / "a")
    assert _temporaries(tmp_path / "store") == []


def test_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreFailed, match="a file where a folder is needed"):
            LocalBackend(root).create("a", b"1")
        with pytest.raises(NotFound):
            LocalBackend(root).read("a")


def test_name_too_long_for_the_file_system(store: LocalBackend, tmp_path: Path) -> None:
    key = "refs/" + "n" * 300
    with pytest.raises(StoreFailed, match="too long"):
        store.create(key, b"1")
    with pytest.raises(NotFound):
        store.read(key)
    assert _temporaries(tmp_path / "store") == []


# -- links, pipes and foreign files ----------------------------------------------------


@posix
def test_links_do_not_lead_out(store: LocalBackend, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    store.create("a/b", b"1")
    root = tmp_path / "store"
    (root / "folder").symlink_to(outside)
    (root / "a" / "file").symlink_to(outside / "secret")
    for key in ("folder/secret", "a/file"):
        with pytest.raises(StoreFailed, match="link"):
            store.read(key)
        with pytest.raises(StoreFailed, match="link"):
            store.create(key, b"x")
    for call in (store.list, store.folders):
        with pytest.raises(StoreFailed, match="link"):
            list(call("folder/"))
    with pytest.raises(StoreFailed, match="link"):
        store.delete(["folder/secret"])
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert store.folders("") == ["a"]
    assert (outside / "secret").read_text() == "s"
    assert os.listdir(outside) == ["secret"]


@posix
def test_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalBackend(tmp_path / "link").create("a/b", b"1")
    assert LocalBackend(tmp_path / "real").read("a/b") == b"1"


@posix
def test_pipe_does_not_block(store: LocalBackend, tmp_path: Path) -> None:
    store.create("a", b"1")
    os.mkfifo(tmp_path / "store" / "pipe")
    with pytest.raises(StoreFailed, match="plain file"):
        store.read("pipe")
    with pytest.raises(StoreFailed, match="plain file"):
        store.create("pipe", b"1")
    assert [entry.key for entry in store.list()] == ["a"]


@posix
def test_foreign_files_are_passed_over(store: LocalBackend, tmp_path: Path) -> None:
    store.create("a/b", b"1")
    root = tmp_path / "store"
    for name in ("_x", "with space", "é", "a:b", "~backup"):
        (root / name).write_text("foreign")
        (root / "a" / (name + ".d")).mkdir()
        (root / "a" / (name + ".d") / "b").write_text("foreign")
    with open(os.fsencode(root) + b"/\xff\xfe", "w"):
        pass
    deep = root / "deep" / Path(*["d" * 100] * 6)
    deep.mkdir(parents=True)
    (deep / "x").write_text("longer than a key may be")
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert store.folders("") == ["a"]
    assert store.folders("a/") == []


# -- reading ---------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1, 4096, 70000])
def test_many_bytes_are_mapped_and_few_copied(store: LocalBackend, start: int) -> None:
    value = os.urandom(MAP_FROM + 80000)
    store.create("large", value)
    mapped = store.read("large", start, start + MAP_FROM)
    copied = store.read("large", start, start + MAP_FROM - 1)
    assert isinstance(mapped, memoryview)
    assert isinstance(copied, bytes)
    assert mapped.readonly
    assert mapped == value[start : start + MAP_FROM]
    assert copied == value[start : start + MAP_FROM - 1]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts descriptors in /proc")
def test_descriptors_are_closed(store: LocalBackend, tmp_path: Path) -> None:
    store.create("small", b"1")
    store.create("large", bytes(2 * MAP_FROM))
    (tmp_path / "store" / "a").symlink_to("small")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        store.read_many([Range("small"), Range("large"), Range("small", 5)])
        store.create("small", b"2")
        for key in ("missing", "a"):
            with pytest.raises((NotFound, StoreFailed)):
                store.read(key)
        next(store.list())
    assert len(os.listdir("/proc/self/fd")) == before


def test_stored_is_when_the_name_was_given(store: LocalBackend, tmp_path: Path) -> None:
    """Garbage collection goes by it: bytes may be older than their name."""
    store.create("a", b"1")
    if os.name != "nt":
        os.utime(tmp_path / "store" / "a", (1000, 1000))
    (entry,) = store.list()
    assert abs(entry.stored - time.time()) < 5


# -- who may read ----------------------------------------------------------------------


@posix
@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o775])
def test_whoever_may_enter_the_root_may_read_all(tmp_path: Path, mode: int, umask: int) -> None:
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(mode)
    before = os.umask(umask)
    try:
        LocalBackend(root).create("a/b/c", b"1")
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "tmp"):
        assert stat.S_IMODE((root / folder).stat().st_mode) == mode | (0o777 & ~umask)
    assert stat.S_IMODE((root / "a/b/c").stat().st_mode) == (mode | ~umask) & 0o444


# -- faults of the disk ----------------------------------------------------------------


def _check_refused(root: Path, key: str, size: int, why: str) -> None:
    """`create` fails with `why`, leaves nothing, and what was there can be read."""
    store = LocalBackend(root)
    before = [entry.key for entry in store.list()]
    for unconditional in (False, True):
        with pytest.raises(StoreFailed, match=why) as caught:
            store.create(key, bytes(size), unconditional=unconditional)
        assert caught.value.where == str(root / key)
    assert [entry.key for entry in store.list()] == before
    assert _temporaries(root) == []
    with pytest.raises(NotFound):
        store.read(key)


@posix
def test_full_disk(disk: Path) -> None:
    store = LocalBackend(disk)
    store.create("a/b", b"kept")
    _check_refused(disk, "a/large", 2 << 20, os.strerror(errno.ENOSPC))
    assert store.read("a/b") == b"kept"
    assert store.create("a/c", bytes(1000)) is Outcome.CREATED


@posix
def test_read_only_disk(disk: Path) -> None:
    store = LocalBackend(disk)
    store.create("a/b", b"kept")
    _mount("-o", "remount,ro", str(disk))
    _check_refused(disk, "a/c", 10, os.strerror(errno.EROFS))
    _check_refused(disk, "new/c", 10, os.strerror(errno.EROFS))
    with pytest.raises(StoreFailed, match=os.strerror(errno.EROFS)):
        store.create("a/b", b"other")
    with pytest.raises(StoreFailed, match=os.strerror(errno.EROFS)):
        store.delete(["a/b"])
    assert store.read("a/b") == b"kept"


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may do all")
def test_no_rights(tmp_path: Path) -> None:
    root = tmp_path / "store"
    LocalBackend(root).create("a/b", b"kept")
    (root / "a").chmod(0o555)
    try:
        _check_refused(root, "a/c", 10, os.strerror(errno.EACCES))
        (root / "a").chmod(0)
        with pytest.raises(StoreFailed, match=os.strerror(errno.EACCES)):
            list(LocalBackend(root).list())
    finally:
        (root / "a").chmod(0o755)


LIMITED = """
import resource, signal, sys
from ldb.backends.local import LocalBackend
from ldb.errors import StoreFailed
store = LocalBackend(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store.create("a/small", bytes(100_000))
try:
    store.create("a/large", bytes(100_001))
except StoreFailed as error:
    print(error.where, error.why, sep="\\n")
"""


@posix
def test_write_that_stops_halfway(tmp_path: Path) -> None:
    """The system takes 100,000 bytes and refuses the rest: no right to mount needed."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "store")],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    where, why = done.stdout.splitlines()
    assert where == str(tmp_path / "store" / "a" / "large")
    assert why == os.strerror(errno.EFBIG)
    (entry,) = LocalBackend(tmp_path / "store").list()
    assert (entry.key, entry.size) == ("a/small", 100_000)
    assert _temporaries(tmp_path / "store") == []


# -- without hard links ----------------------------------------------------------------


def _refuse_links(source: str, target: str) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), source, None, target)


class TestWithoutHardLinks(BackendContract):
    """As a FAT file system answers."""

    @pytest.fixture
    def backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
        monkeypatch.setattr(os, "link", _refuse_links)
        return LocalBackend(tmp_path / "store")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="breaks Linux's own call")
def test_neither_links_nor_exclusive_renames(
    tmp_path: Path, store: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("a/b", b"kept")
    monkeypatch.setattr(os, "link", _refuse_links)
    monkeypatch.setattr(noreplace, "_RENAME_NOREPLACE", 1 << 20)  # a flag no kernel knows
    with pytest.raises(Unsupported, match="neither hard links") as caught:
        store.create("a/c", b"1")
    assert str(tmp_path / "store" / "a" / "c") in str(caught.value)
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert _temporaries(tmp_path / "store") == []
    assert store.create("a/c", b"1", unconditional=True) is Outcome.CREATED


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EIO])
def test_link_whose_answer_was_lost(
    store: LocalBackend, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """NFS sends the request again, and the second answer is that the name is taken."""
    link = os.link

    def link_and_lose(source: str, target: str) -> None:
        link(source, target)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", link_and_lose)
        assert store.create("a/b", b"1") is Outcome.CREATED
    assert store.create("a/b", b"2") is Outcome.EXISTS
    assert store.read("a/b") == b"1"


def test_rename_new_never_replaces(tmp_path: Path) -> None:
    one, other, target = tmp_path / "one", tmp_path / "other", tmp_path / "target"
    one.write_text("1")
    other.write_text("2")
    rename_new(str(one), str(target))
    with pytest.raises(FileExistsError):
        rename_new(str(other), str(target))
    assert (target.read_text(), other.read_text()) == ("1", "2")
    assert not one.exists()
    with pytest.raises(FileNotFoundError):
        rename_new(str(one), str(tmp_path / "third"))
