"""`instantiate`, `get`, `verify` and `cache` over buckets, as processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clouds.buckets import Bucket

BIG = bytes(range(251)) * 20_000
"""5 MB."""
SLOW = 1_000_000
"""Bytes a second, in tests that stop a command on its way."""


class Shell:
    """Runs `ldb` as a user who reaches a bucket by the environment."""

    def __init__(self, home: Path, bucket: Bucket, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environ = {**environment, **bucket.environ, "HOME": str(home)}
        self.secrets = [v for k, v in bucket.environ.items() if "SECRET" in k or "CONNECTION" in k]

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ldb.cli.main", *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.home,
            env=self.environ,
        )  # fmt: skip

    def __call__(self, *args: str, code: int = 0) -> tuple[str, str]:
        child = self.start(*args)
        out, err = child.communicate(timeout=300)
        assert child.returncode == code, (args, out, err)
        assert not any(secret in out + err for secret in self.secrets)
        return out, err

    def states(self, *args: str, code: int) -> dict[str, str]:
        out, _ = self("verify", "--json", *args, code=code)
        lines = [json.loads(line) for line in out.splitlines()]
        return {line["path"].rpartition("/")[2]: line["state"] for line in lines}


@pytest.fixture
def shell(home: Path, environment: dict[str, str], bucket: Bucket) -> Shell:
    return Shell(home, bucket, environment)


@pytest.fixture
def s3(home: Path, environment: dict[str, str], s3_bucket: Bucket) -> Shell:
    return Shell(home, s3_bucket, environment)


def written(folder: Path) -> list[bytes]:
    """Data files in a folder."""
    return sorted(
        path.read_bytes()
        for path in folder.glob("[!.]*")
        if path.suffix != ".json" and path.is_file()
    )


def sound(folder: Path) -> int:
    """How many data files are there under their final names; each must be whole."""
    count = 0
    for path in folder.glob("[!.]*"):
        if path.suffix != ".json":
            assert hashlib.md5(path.read_bytes()).hexdigest() in path.name
            count += 1
    return count


def sound_cache(home: Path) -> int:
    count = 0
    for path in home.glob(".cache/ldb/data/files/md5/??/*"):
        assert hashlib.md5(path.read_bytes()).hexdigest() == path.parent.name + path.name
        count += 1
    return count


def largest_first(s3: Shell, s3_bucket: Bucket) -> None:
    """An index of two objects in a bucket, and a program that tells what it is given."""
    s3("init", "instance")
    s3("add-storage", s3_bucket.url)
    s3_bucket.fill({"d/tom.jpg": b"tom", "d/tom.json": b'{"class": "cat"}', "d/rex": b"rex!"})
    s3("index", s3_bucket.url)
    program = s3.home / "largest.py"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "rows = sorted(json.load(sys.stdin), key=lambda row: -os.path.getsize(row[1]))\n"
        "print(*(row[0] for row in rows), sep='\\n')\n"
        "print(*(open(row[1]).read() for row in rows), file=sys.stderr)\n"
    )
    program.chmod(0o755)


def test_programs_are_given_what_lies_in_a_bucket(s3: Shell, s3_bucket: Bucket) -> None:
    largest_first(s3, s3_bucket)
    out, err = s3("list", "ds:root", "--pipe", "./largest.py")
    assert [line.rpartition("/")[2] for line in out.splitlines()] == ["rex", "tom.jpg"]
    assert "rex! tom" in err


@pytest.mark.slow
def test_programs_and_objects_of_a_bucket_that_are_gone(s3: Shell, s3_bucket: Bucket) -> None:
    largest_first(s3, s3_bucket)
    s3("list", "ds:root", "--pipe", "./largest.py")
    s3_bucket.raw.delete("d/rex")
    s3("list", "ds:root", "--pipe", "./largest.py")  # it is in the cache by now
    shutil.rmtree(s3.home / ".cache")
    out, err = s3("list", "ds:root", "--pipe", "./largest.py")
    assert out.count("\n") == 1
    assert f"leaves out id:{hashlib.md5(b'rex!').hexdigest()}: {s3_bucket.url}/d/rex" in err
    s3("stage", "ds:some", "work")
    s3("-C", "work", "add", "ds:root")
    s3("config", "set", "transform.copy.run", '["cp", "{data}", "{output}/copy"]')
    s3("-C", "work", "transform", "-s", "copy")
    _, err = s3("-C", "work", "instantiate", "-t", "../out", code=1)
    assert "was not transformed" in err
    assert [path.read_bytes() for path in (s3.home / "out").glob("tom-*.copy.copy")] == [b"tom"]


@pytest.mark.slow
def test_from_a_url_to_files_and_back_to_the_store(shell: Shell, bucket: Bucket) -> None:
    home = shell.home
    shell("add-storage", bucket.url)
    bucket.fill({
        "d/tom.jpg": b"tom", "d/tom.json": b'{"class": "cat"}', "d/big.bin": BIG, "d/rex": b"rex",
    })  # fmt: skip
    _, err = shell("get", f"{bucket.url}/d", "-t", "out")
    assert "wrote 3 data objects and 1 annotation" in err
    assert written(home / "out") == sorted([b"tom", BIG, b"rex"])
    assert sound_cache(home) == 3
    assert shell.states("ds:root", code=0) == {"tom.jpg": "ok", "big.bin": "ok", "rex": "ok"}
    assert shell.states("ds:root", "--quick", code=0) == shell.states("ds:root", code=0)

    bucket.raw.put("d/tom.jpg", b"tim")
    bucket.raw.delete("d/rex")
    expected = {"tom.jpg": "changed", "big.bin": "ok", "rex": "missing"}
    assert shell.states("ds:root", code=5) == expected
    assert shell.states("ds:root", "--quick", code=5) == expected
    bucket.raw.put("d/tom.jpg", b"tom")
    assert shell.states("ds:root", code=3) == {**expected, "tom.jpg": "ok"}

    shell("cache", "clean")
    out, err = shell("instantiate", "ds:root", "-t", "again", code=1)
    assert out == ""
    assert f"{bucket.url}/d/rex: id:{hashlib.md5(b'rex').hexdigest()} is not there any more" in err
    assert written(home / "again") == sorted([b"tom", BIG])


def test_the_cache_is_shown_and_cleaned(s3: Shell, s3_bucket: Bucket) -> None:
    s3("add-storage", s3_bucket.url)
    s3_bucket.fill({"d/tom": b"tom", "d/rex": b"rexx"})
    s3("config", "set", "core.cache_dir", "my cache")
    folder = s3.home / "my cache"
    s3("get", f"{s3_bucket.url}/d", "-t", "out", "--link", "hardlink")
    out, _ = s3("cache", "show", "--json")
    assert json.loads(out) == {"folder": str(folder), "files": 2, "size": 7, "limit": None}
    assert (s3.home / "out").glob("tom-*").__next__().stat().st_nlink == 2
    s3("config", "set", "core.cache_size", "1 kB")
    assert "2 files, 7 B of 1.0 kB" in s3("cache", "show")[0]
    assert "1 file removed, " in s3("cache", "clean", "--to", "4")[1]
    s3("cache", "clean", "--to", "much", code=2)
    s3("config", "set", "core.cache_size", "much")
    s3("instantiate", "ds:root", "-t", "other", code=2)
    assert not (s3.home / "other").exists()


def many(bucket: Bucket, shell: Shell) -> None:
    """Twenty objects of half a megabyte, indexed."""
    shell("add-storage", bucket.url)
    bucket.fill({f"d/{number}": b"%500000d" % number for number in range(20)})
    shell("index", f"{bucket.url}/d")


def until_some_are_there(child: subprocess.Popen[str], folder: Path) -> None:
    while len(list(folder.glob("[!.]*"))) < 2:
        assert child.poll() is None, child.communicate()
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_leaves_whole_files_and_goes_on(
    s3: Shell, s3_bucket: Bucket, how: signal.Signals
) -> None:
    many(s3_bucket, s3)
    direct = dict(s3.environ)
    with s3_bucket.proxied() as proxied:
        assert proxied.proxy is not None
        proxied.proxy.add("throttle", method="GET", rate=SLOW, skip=4)
        s3.environ = {**direct, **proxied.environ}
        child = s3.start("instantiate", "ds:root", "-t", "out")
        until_some_are_there(child, s3.home / "out")
        child.send_signal(how)
        _, err = child.communicate(timeout=60)
    assert child.returncode == (130 if how is signal.SIGINT else -how)
    assert "Traceback" not in err
    before = sound(s3.home / "out")
    assert 2 <= before < 20
    kept = sound_cache(s3.home)
    assert kept >= before
    with s3_bucket.proxied() as proxied:
        assert proxied.proxy is not None
        s3.environ = {**direct, **proxied.environ}
        s3("instantiate", "ds:root", "-t", "out")
        asked = [each for each in proxied.proxy.log if each.method == "GET"]
    assert len(asked) == 20 - kept, "what was fetched is not fetched again"
    assert sound(s3.home / "out") == 20
    assert not (s3.home / "out/.ldb_instantiating").exists()


@pytest.mark.slow
def test_two_runs_share_what_they_fetch(s3: Shell, s3_bucket: Bucket) -> None:
    many(s3_bucket, s3)
    children = [s3.start("instantiate", "ds:root", "-t", name) for name in ("one", "two", "three")]
    for child in children:
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, (out, err)
    assert {sound(s3.home / name) for name in ("one", "two", "three")} == {20}
    assert sound_cache(s3.home) == 20


def test_full_disk_is_told(s3: Shell, s3_bucket: Bucket) -> None:
    many(s3_bucket, s3)
    limit = "ulimit -f 200 2>/dev/null; trap '' XFSZ; exec "
    command = [sys.executable, "-m", "ldb.cli.main", "instantiate", "ds:root", "-t", "out"]
    child = subprocess.run(
        ["bash", "-c", limit + '"$@"', "bash", *command],
        capture_output=True, text=True, check=False, cwd=s3.home, env=s3.environ,
    )  # fmt: skip
    assert child.returncode == 1, child.stderr
    assert "error: cache " in child.stderr
    assert "Traceback" not in child.stderr
    assert sound_cache(s3.home) == 0


def test_a_bucket_without_rights(s3: Shell, s3_bucket: Bucket) -> None:
    s3("add-storage", s3_bucket.url)
    s3_bucket.fill({"d/tom": b"tom"})
    s3("index", f"{s3_bucket.url}/d")
    s3.environ["AWS_SECRET_ACCESS_KEY"] = "wrong-and-not-to-be-shown"
    s3.secrets.append("wrong-and-not-to-be-shown")
    _, err = s3("instantiate", "ds:root", "-t", "out", code=1)
    assert f"{s3_bucket.url}/d/tom" in err
    assert s3.states("ds:root", code=1) == {"tom": "unreadable"}
    assert s3.states("ds:root", "--quick", code=1) == {"tom": "unreadable"}
    assert os.listdir(s3.home / "out") == [".ldb_instantiated"]
