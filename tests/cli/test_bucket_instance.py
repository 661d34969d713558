"""Every command that takes an instance works on one in a bucket: the whole loop, by subprocess."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clouds.buckets import Bucket

pytestmark = pytest.mark.cloud
COUNT = 300


class Team:
    """One member's machine: home, work folder, and how the bucket is reached."""

    def __init__(self, base: Path, bucket: Bucket) -> None:
        self.home, self.work = base / "home", base / "work"
        self.home.mkdir(parents=True)
        self.work.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LDB_")}
        self.environ = {**kept, **bucket.environ, "HOME": str(self.home), "NO_COLOR": "1"}
        self.environ.pop("XDG_CACHE_HOME", None)

    def run(self, *args: str, code: int = 0, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ldb.cli.main", *args],
            cwd=self.work,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, (args, done.stdout, done.stderr)
        return done.stdout + done.stderr


def fill(folder: Path, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number}.jpg").write_bytes(b"image %d" % number)
        label = "cat" if number % 3 else "dog"
        (folder / f"{number}.json").write_text(json.dumps({"label": label, "number": number}))


def test_a_short_loop(s3_bucket: Bucket, tmp_path: Path) -> None:
    """What is tried every day; all stores and commands: below."""
    one = Team(tmp_path / "ann", s3_bucket)
    one.run("init", f"{s3_bucket.url}/ldb")
    fill(tmp_path / "data", range(5))
    one.run("add-storage", str(tmp_path / "data"))
    one.run("index", str(tmp_path / "data"))
    assert len(one.run("list", "ds:root", "--query", "label == 'dog'").splitlines()) == 2


@pytest.mark.slow
def test_the_whole_loop(bucket: Bucket, tmp_path: Path) -> None:
    ann, bob = Team(tmp_path / "ann", bucket), Team(tmp_path / "bob", bucket)
    url = f"{bucket.url}/team/ldb"
    assert "made an LDB instance" in ann.run("init", url)
    assert f"core.instance={url}" in ann.run("config", "list")
    ann.run("init", url, code=4)
    data = tmp_path / "data"
    fill(data, range(COUNT))
    ann.run("add-storage", str(data))
    assert str(COUNT) in ann.run("index", str(data))

    ann.run("stage", "ds:cats", "cats")
    ann.run("-C", "cats", "add", "ds:root", "--query", "label == 'cat'")
    ann.run("-C", "cats", "status")
    assert "ds:cats.v1" in ann.run("-C", "cats", "commit", "-m", "cats")

    bob.run("config", "set", "core.instance", url)
    bob.run("stage", "ds:cats", "mine")
    bob.run("-C", "mine", "del", "--query", "number < `10`")
    assert "ds:cats.v2" in bob.run("-C", "mine", "commit")
    assert "ds:cats.v2" in ann.run("log", "ds:cats")
    ann.run("diff", "ds:cats.v1", "ds:cats.v2")
    assert json.loads(ann.run("list", "ds:cats", "-s", "--json"))
    shown = ann.run("eval", "ds:cats", "--show", "number", "-j").split()
    wanted = sorted(str(n) for n in range(10, COUNT) if n % 3)
    assert sorted(shown) == wanted
    ann.run("stats", "ds:cats", "--by", "label")
    ann.run("ds", "list")
    bob.run("-C", "mine", "instantiate")
    assert len(list((bob.work / "mine").glob("*.jpg"))) == len(wanted)
    plumbing(ann)
    ann.run("fsck")
    ann.run("-C", "cats", "fsck")
    again = ann.run("--instance", url.replace("s3:", "aws:").replace("az:", "azure:"), "ds", "list")
    assert "cats" in again

    ann.run("init", "-f", url)
    # Bob's cache knows the old instance.
    bob.run("log", "ds:cats", code=4)
    bob.run("-C", "mine", "status", code=4)


def plumbing(one: Team) -> None:
    oid = one.run("rev-parse", "ds:cats").split()[0]
    assert one.run("cat-file", "-t", oid).strip() == "commit"
    root = json.loads(one.run("cat-file", "-p", oid))["maps"]["dataset"]["root"]
    assert one.run("ls-map", root)
    one.run("cat-file", "-e", "ab" * 32, code=3)
    made = one.run("hash-object", "-w", "--stdin", stdin='{"a": 1}').strip()
    assert json.loads(one.run("cat-file", "-p", made)) == {"a": 1}
    assert "ds:cats" in one.run("for-each-ref") + one.run("show-ref")
    assert oid in one.run("rev-list", "ds:cats")
    one.run("verify-pack")
    pack = re.search(r"[0-9a-f]{64}", one.run("verify-pack", "-v"))
    if pack:
        one.run("show-pack", pack[0])
    one.run("update-ref", "ds:cats", oid, "0" * 64, code=4)
    assert "loose" in one.run("count-objects")


@pytest.mark.slow
def test_errors_are_clear_and_quick(s3_bucket: Bucket, tmp_path: Path) -> None:
    one = Team(tmp_path / "ann", s3_bucket)
    assert "bucket" in one.run("init", "s3://no-such-bucket-here/ldb", code=3)
    assert "prefix" in one.run("init", s3_bucket.url, code=2)
    missing = one.run("--instance", f"{s3_bucket.url}/nothing/here", "ds", "list", code=3)
    assert f"ldb init {s3_bucket.url}/nothing/here" in missing
    s3_bucket.fill({"full/a file.txt": b"x"})
    assert "not empty" in one.run("init", f"{s3_bucket.url}/full", code=2)
    one.environ["AWS_SECRET_ACCESS_KEY"] = "wrong"
    refused = one.run("init", f"{s3_bucket.url}/ldb", code=1)
    assert "wrong" not in refused
    one.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    settings = ("config", "set", f"storage.{s3_bucket.url}.patience", "3")
    one.run(*settings)
    assert "127.0.0.1" in one.run("init", f"{s3_bucket.url}/ldb", code=1)
