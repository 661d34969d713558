"""Targets that are records: map nodes, refs, `instance`, settings, commits, object records,
workspaces and the list of instantiated files.

What decodes is used as commands use it, through the real command line: most of what a hostile
record can do, it does there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ldb.backends.memory import MemoryBackend
from ldb.backends.opening import open_backend
from ldb.catalog import PATHS, decode_record, open_catalog
from ldb.cli.main import main
from ldb.errors import LdbError
from ldb.history import MapRoot, decode_commit, encode_commit, load_commit
from ldb.ids import Oid
from ldb.instance import INSTANCE_KEY, Instance, _file_of, create, decode_settings, open_instance
from ldb.instantiate.items import first_path, rows_of
from ldb.instantiate.manifest import Journal, parse
from ldb.instantiate.naming import name_with_id
from ldb.instantiate.options import InstantiateReport
from ldb.instantiate.run import _tidy
from ldb.instantiate.target import Target as Folder
from ldb.maps import Changes, Root, Schema, diff, edit, lookup, scan
from ldb.maps.leaves import Leaves
from ldb.objects.codec import decode
from ldb.objects.model import Blob, BlobType, oid_of
from ldb.refs.name import INDEX, SETTINGS, RefKind, dataset_ref
from ldb.refs.store import Ref, RefStore
from ldb.refs.store import decode as decode_ref
from ldb.refs.store import encode as encode_ref
from ldb.workspace import FOLDER, STATE, decode_state
from tests.fuzz.target import Target, byte_cases, each, value_cases
from tests.maps.memory import FIXED, Nodes, Table, built
from tests.porcelain.fsck.samples import in_memory, make_instance

NAME = "fuzz"
NUMBER = 8
TRACES = ("Traceback", "Error:")


class World:
    """An instance with a bit of everything as values, and a workspace of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ldb-fuzz-"))
        place = make_instance(self.folder)
        self.values = in_memory(place.instance.backend)
        self.workspace = Path(place.cwd)
        self.state = (self.workspace / FOLDER / STATE).read_bytes()
        self.commits = [
            load_commit(place.instance, ref.target)
            for kind in (RefKind.DATASET, RefKind.INDEX)
            for name in place.instance.refs.names(kind)
            for ref in place.instance.refs.history(name)
            if ref.target
        ]
        instance = place.instance
        self.id = instance.id
        self.payloads = {
            kind: [instance.objects.get(oid).payload for oid in instance.objects.oids(kind)]
            for kind in BlobType
        }
        (self.folder / "home").mkdir()

    def fresh(self) -> Instance:
        """The instance as `memory://fuzz`, as if nothing had happened."""
        backend = open_backend(f"memory://{NAME}")
        assert isinstance(backend, MemoryBackend)
        backend.delete([entry.key for entry in backend.list()])
        for key, value in self.values.items():
            backend.create(key, value)
        return open_instance(backend)

    def run(self, *commands: str) -> None:
        """Run commands in the workspace; whatever they say, they end as commands should."""
        with _surroundings(self.folder / "home", self.workspace):
            for command in commands:
                out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = main(["--instance", f"memory://{NAME}", *command.split()])
                assert code in (0, 1, 2, 3, 4, 5, 6), (command, code)


@contextlib.contextmanager
def _surroundings(home: Path, work: Path) -> Iterator[None]:
    before, cwd = os.environ.get("HOME"), os.getcwd()
    os.environ["HOME"] = str(home)
    os.chdir(work)
    try:
        yield
    finally:
        os.chdir(cwd)
        if before is not None:
            os.environ["HOME"] = before


@cache
def world() -> World:
    return World()


# -- map nodes -------------------------------------------------------------------------


@cache
def _tables() -> tuple[Nodes, Root]:
    nodes = Nodes()
    table: Table = {b"%04d" % at: (b"12", b"3") for at in range(0, 600, 2)}
    return nodes, built(nodes, FIXED, table)


def _nodes() -> list[Any]:
    nodes, root = _tables()
    kinds = [decode(blob.payload) for blob in nodes.blobs.values()]
    some = [each for each in kinds if each["level"]] + kinds[:3]
    return [*some, decode(nodes.blobs[root.oid].payload)]


def _map_node(payload: bytes) -> None:
    below, good = _tables()
    nodes = Nodes(below)
    root = nodes.add(BlobType.MAP, payload)
    keys = FIXED.column([b"0002", b"0003", b"9999"])
    change = Changes.upserts(FIXED.rows({b"0003": (b"xx", b"x"), b"0004": (b"yy", b"y")}))
    for other in (Schema("fixed", 0, FIXED.fields, target=8), PATHS):
        with contextlib.suppress(LdbError):
            list(scan(nodes, other, root))
    each(
        lambda: list(scan(nodes, FIXED, root)),
        lambda: lookup(nodes, FIXED, root, keys),
        lambda: list(diff(nodes, FIXED, root, good.oid)),
        lambda: edit(nodes, nodes, FIXED, root, [change]),
        lambda: Leaves(nodes, FIXED, root).rows(),
    )


# -- refs, instance, settings ----------------------------------------------------------

REF = Ref(dataset_ref("cats"), 3, Oid(bytes(range(32))), "0" * 32, "Ann <a@b.c>", "2026-01-01Z")


def _refs() -> list[bytes]:
    return [encode_ref(REF), encode_ref(Ref(REF.name, 3, None, "w", "", ""))]


def _seal_ref(data: bytes) -> bytes:
    head = data.rpartition(b"check ")[0]
    return head + b"check %s\n" % hashlib.sha256(head).hexdigest().encode()


def _ref(data: bytes) -> None:
    found = decode_ref(REF.name, REF.number, data, "here")
    assert (found.name, found.number) == (REF.name, REF.number)
    backend = MemoryBackend()
    backend.create(REF.name.key(REF.number), data)
    assert RefStore(backend).head(REF.name) == found
    instance = world().fresh()
    instance.backend.create(
        REF.name.key(NUMBER),
        data.replace(REF.name.key(REF.number).encode(), REF.name.key(NUMBER).encode()),
    )
    world().run("ds list", "for-each-ref", "show-ref")


def _instances() -> list[bytes]:
    backend = MemoryBackend()
    create(backend)
    return [bytes(backend.read(INSTANCE_KEY)), b'{"check": "", "format": 2}', b"{}"]


def _seal_instance(data: bytes) -> bytes:
    try:
        body = json.loads(data)
        body.pop("check", None)
        return _file_of(body)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return data


def _instance(data: bytes) -> None:
    backend = MemoryBackend()
    backend.create(INSTANCE_KEY, data)
    found = open_instance(backend)
    assert isinstance(found.id, str)
    assert found.id_bytes in (16, 32)


def _settings(payload: bytes) -> None:
    instance = world().fresh()
    oid = instance.objects.put(Blob(BlobType.SETTINGS, payload))
    head = instance.refs.head(SETTINGS)
    instance.refs.advance(SETTINGS, head, oid, "Ann")
    world().run("storage list", "list ds:root", "storage", "status")
    for location in decode_settings(payload, "here").locations:
        location.holds("file:///x")


# -- commits and records ---------------------------------------------------------------

AFTER_COMMIT = (
    "log ds:cats", "log ds:cats --json", "ds list", "list ds:cats", "list ds:cats --json",
    "diff ds:cats.v1 ds:cats", "stats ds:cats", "stats --json ds:cats", "rev-list ds:cats",
    "for-each-ref", "why ds:cats", "status", "fsck",
)  # fmt: skip


def _commit(payload: bytes) -> None:
    oid = oid_of(BlobType.COMMIT, payload)
    try:
        decode_commit(payload, oid)
    finally:
        instance = world().fresh()
        instance.objects.put(Blob(BlobType.COMMIT, payload))
        for ref in (dataset_ref("cats"), INDEX):
            head = instance.refs.head(ref)
            instance.refs.advance(ref, head, oid, "Ann")
        world().run(*AFTER_COMMIT)


AFTER_RECORD = (
    "list ds:root", "list ds:root --json", "stats ds:root", "list ds:root --file size>`3`",
    "eval --file [size,fs] ds:root", "fsck", "status",
    "list ds:root --path .", "list ds:root --tag x", "list ds:root --sort size",
)  # fmt: skip


def _record(payload: bytes) -> None:
    with contextlib.suppress(LdbError):
        (row,) = rows_of([payload])
        name_with_id(first_path(row), "0" * 32, row["type"])
    instance = world().fresh()
    catalog = open_catalog(instance)
    assert catalog.version
    assert catalog.objects
    name = hashlib.md5(b"object").digest()
    oid = oid_of(BlobType.RECORD, payload)
    with instance.objects.writer() as writer:
        writer.add(BlobType.RECORD, payload)
        rows = catalog.schema.rows({name: (bytes(oid), bytes(32))})
        root = edit(writer, writer, catalog.schema, catalog.objects.root, [Changes.upserts(rows)])
    commit = catalog.version.commit
    maps = {**commit.maps, "objects": MapRoot(root.oid, root.count)}
    made = instance.objects.put(encode_commit(replace(commit, maps=maps)))
    instance.refs.advance(INDEX, instance.refs.head(INDEX), made, "Ann")
    target = world().folder / "out"
    world().run(
        *AFTER_RECORD,
        f"get id:{name.hex()}",
        f"log ds:root --object id:{name.hex()}",
        f"instantiate ds:root -t {target} --preserve-paths",
    )
    shutil.rmtree(target, ignore_errors=True)
    decode_record(payload)


# -- workspaces ------------------------------------------------------------------------


def _signed(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


def _states() -> list[Any]:
    return [decode(world().state[32:])]


def _state(data: bytes) -> None:
    path = world().workspace / FOLDER / STATE
    path.write_bytes(data)
    world().fresh()
    try:
        world().run("status", "status --json", "list", "diff", "log", "why", "list ds:cats")
        decode_state(data, "here")
    finally:
        path.write_bytes(world().state)


LISTS = [
    b"ldb-instantiated 1\n+ "
    + b"ab" * 16
    + b" - a.jpg\n+ "
    + b"cd" * 16
    + b" "
    + b"ef" * 32
    + b" b/c.json\n- a.jpg\nend\n",
    b"ldb-instantiated 1\n+ "
    + b"ab" * 16
    + b" - ../outside\n+ "
    + b"ab" * 16
    + b" - /etc/passwd\nend\n+ "
    + b"ab" * 16
    + b" - link/x\n",
]


def _list(data: bytes) -> None:
    parse(data.decode("utf-8", "replace"))
    base = world().folder / "listed"
    shutil.rmtree(base, ignore_errors=True)
    inside = base / "inside"
    inside.mkdir(parents=True)
    (base / "outside").write_bytes(b"kept")
    (inside / "link").symlink_to(base)
    (inside / "a.jpg").write_bytes(b"")
    (inside / ".ldb_instantiated").write_bytes(data)
    with Folder(str(inside)) as target, contextlib.closing(Journal(target)) as journal:
        _tidy(InstantiateReport(), journal, target, True, "md5")
        journal.finish()
    assert (base / "outside").read_bytes() == b"kept"
    assert (inside / "link").is_symlink()


TARGETS = (
    Target("map-node", value_cases(_nodes), _map_node, 3),
    Target("ref", byte_cases(_refs, _seal_ref), _ref, 1),
    Target("instance", byte_cases(_instances, _seal_instance), _instance, 1),
    Target(
        "settings",
        value_cases(lambda: [decode(each) for each in world().payloads[BlobType.SETTINGS]]),
        _settings,
        1,
    ),
    Target(
        "commit",
        value_cases(lambda: [decode(each) for each in world().payloads[BlobType.COMMIT]]),
        _commit,
        3,
    ),
    Target(
        "record",
        value_cases(lambda: [decode(each) for each in world().payloads[BlobType.RECORD]]),
        _record,
        3,
    ),
    Target("state", value_cases(_states, _signed), _state, 2),
    Target("instantiated", byte_cases(lambda: LISTS), _list, 1),
)
