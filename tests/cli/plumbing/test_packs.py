"""`ldb pack-objects`, `unpack-objects`, `verify-pack`, `show-pack`, `count-objects`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.objects.pack import PackWriter
from ldb.objects.packformat import pack_key
from tests.cli.plumbing.conftest import Run, object_id


def pack(run: Run, values: int = 5) -> tuple[list[str], bytes]:
    """Some annotations and a pack of them."""
    oids = [run.note(f"value {number}") for number in range(values)]
    return oids, run("pack-objects", "--stdout", stdin="\n".join(oids)).raw


def test_between_instances(run: Run, other: Run, folder: Path) -> None:
    rows = {object_id(str(n)): run.note(n) for n in range(300)}
    oid = run.save("cats", rows)
    listed = run("rev-list", "--objects", "ds:cats").out
    name = run("pack-objects", "-o", "cats.pack", stdin=listed).text
    assert other("unpack-objects", "cats.pack").text == name
    other("update-ref", "ds:cats", oid)
    assert other("ls-map", "ds:cats").out == run("ls-map", "ds:cats").out
    # and only what is new the next time
    rows[object_id("new")] = run.note("new")
    run.save("cats", rows, oid)
    news = run("rev-list", "--objects", "ds:cats", "^ds:cats~1").out
    assert len(news.splitlines()) < 10
    data = run("pack-objects", "--stdout", stdin=news).raw
    other("unpack-objects", stdin=data)
    other("update-ref", "ds:cats", run("rev-parse", "ds:cats").text)
    assert other("ls-map", "ds:cats").out == run("ls-map", "ds:cats").out
    assert run("verify-pack", "cats.pack").text == f"{name} ok"


def test_into_the_instance(run: Run) -> None:
    oids, data = pack(run)
    name = run("pack-objects", stdin="\n".join(oids)).text
    assert run("pack-objects", "--json", stdin="\n".join(o[:10] for o in oids)).values == [
        {"pack": name, "blobs": 5, "bytes": len(data)}
    ]
    assert run("verify-pack").text == run("verify-pack", name[:6]).text == f"{name} ok"
    assert run("count-objects", "--json").values[0]["packed-annotation"] == 5
    assert run("pack-objects", stdin="\n".join(oids * 3)).text == name


@pytest.mark.parametrize("loose", [False, True])
def test_unpack(run: Run, other: Run, loose: bool) -> None:
    oids, data = pack(run)
    words = ("unpack-objects", "--loose") if loose else ("unpack-objects",)
    done = other(*words, "-n", stdin=data)
    assert other("cat-file", "--batch-check", "--all").out == ""
    done = other(*words, stdin=data)
    assert other(*words, stdin=data).text == done.text
    assert "5 blobs" in done.err
    assert other("cat-file", "-e", oids[3]).code == 0
    counts = other.instance.objects.counts()
    assert (counts.loose, counts.packs) == ((5, 0) if loose else (0, 1))


def test_pack_objects_wrong(run: Run, folder: Path) -> None:
    oid = run.note(1)
    assert "no oids" in run("pack-objects", code=2).err
    run("pack-objects", stdin=f"{oid}\n{'0' * 64}\n", code=3)
    run("pack-objects", stdin="junk\n", code=2)
    run("pack-objects", stdin=b"\0\xff\n", code=2)
    run("pack-objects", stdin="1" * 100_000, code=2)
    (folder / "there").write_text("mine")
    run("pack-objects", "-o", "there", stdin=oid, code=4)
    assert (folder / "there").read_text() == "mine"
    run("pack-objects", "-o", "no/such/folder", stdin=oid, code=1)
    run("pack-objects", "-o", "x", "--stdout", stdin=oid, code=2)
    run("pack-objects", "-o", "a\0b", stdin=oid, code=2)


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"\0" * 5000, b"LDBPACK\x01" + b"\xff" * 300, bytes(range(256)) * 9]
)
def test_unpack_junk(run: Run, junk: bytes) -> None:
    assert "corrupt" in run("unpack-objects", stdin=junk, code=5).err
    assert run("count-objects", "--json").values[0]["packs"] == 0


def test_any_flipped_byte_is_found(run: Run, other: Run) -> None:
    _, data = pack(run, 3)
    for at in range(0, len(data), 41):
        broken = bytearray(data)
        broken[at] ^= 1 + at % 255
        other("unpack-objects", stdin=bytes(broken), code=5)
        other("unpack-objects", stdin=data[:at], code=5)
    assert other("count-objects", "--json").values[0]["packs"] == 0


def test_blobs_that_no_ldb_writes(run: Run) -> None:
    for kind, payload in (
        (BlobType.ANNOTATION, b"\xff\xff"),
        (BlobType.ANNOTATION, encode(b"bytes")),
        (BlobType.COMMIT, encode({})),
        (BlobType.MAP, encode({})),
    ):
        writer = PackWriter()
        oid = writer.add(kind, payload)
        made = writer.finish()
        assert made is not None
        assert str(oid) in run("unpack-objects", stdin=bytes(made.data), code=2).err
    assert run("cat-file", "--batch-check", "--all").out == ""


def test_show_pack(run: Run, folder: Path) -> None:
    oids, data = pack(run)
    name = run("pack-objects", "-o", "x.pack", stdin="\n".join(oids)).text
    lines = [line.split("\t") for line in run("show-pack", "x.pack").lines]
    assert lines[0] == ["pack", name, str(len(data)), "5", "1"]
    assert lines[1][:6] == ["block", "0", "annotation", "0", "5", "8"]
    assert [line[1] for line in lines[2:]] == oids
    assert lines[2] == ["blob", oids[0], "annotation", "8", "0"]
    assert run("show-pack", "--blobs", "--json", "x.pack").values[0]["oid"] == oids[0]
    assert len(run("show-pack", "--blocks", "x.pack").lines) == 1
    run("show-pack", name[:8], code=3)
    run("pack-objects", stdin="\n".join(oids))
    assert run("show-pack", name[:8].upper()).out == run("show-pack", "x.pack").out


@pytest.mark.parametrize("command", ["show-pack", "verify-pack"])
def test_no_pack(run: Run, folder: Path, command: str) -> None:
    for wrong in ("", "12345", "zzzzzz", "x" * 300, "1" * 65):
        run(command, "--", wrong, code=2)
    run(command, "123456", code=3)
    run(command, "none.pack", code=3)
    run(command, str(folder), code=2)
    run(command, "a\0b.pack", code=2)
    (folder / "junk.pack").write_bytes(b"junk")
    result = run(command, "junk.pack", code=5)
    assert "truncated" in result.out + result.err


def test_verify_damaged(run: Run, folder: Path) -> None:
    oids, data = pack(run)
    run("pack-objects", stdin="\n".join(oids))
    broken = bytearray(data)
    broken[20] ^= 1
    run.instance.backend.create(pack_key("ab" * 32), bytes(broken))
    result = run("verify-pack", code=5)
    assert f"{'ab' * 32} bad" in result.lines
    assert any(line.startswith("\tcorrupt") for line in result.lines)
    assert sum(line.endswith(" ok") for line in result.lines) == 1
    values = run("verify-pack", "--json", "ababab", code=5).values
    assert values[0]["problems"]
    (folder / ("cd" * 32 + ".pack")).write_bytes(data)  # sound, but not what its name says
    assert "name" in run("verify-pack", "cd" * 32 + ".pack", code=5).out


def test_count_objects(run: Run) -> None:
    assert set(run("count-objects", "--json").values[0].values()) == {0}
    run.note(1)
    run.dataset({})
    found = dict(line.split(": ") for line in run("count-objects").lines)
    assert (found["loose"], found["packs"], found["packed-map"]) == ("1", "1", "1")
    assert int(found["loose-bytes"]) > 0
    assert "derived" not in found


def test_count_objects_counts_what_was_made_from_packs(run: Run) -> None:
    store = run.instance.objects
    with store.writer() as writer:
        writer.add_many(BlobType.ANNOTATION, [encode(number) for number in range(300)])
    files = [entry for entry in store.backend.list() if entry.key.endswith(".annotation.arrow")]
    assert len(files) == 1
    store.backend.create("objects/pack/other.arrow", b"none of ours")
    found = run("count-objects", "--json").values[0]
    assert (found["packs"], found["derived"], found["derived-bytes"]) == (1, 1, files[0].size)
    told = dict(line.split(": ") for line in run("count-objects", "-v").lines)
    assert told["derived-bytes"] == str(files[0].size)
