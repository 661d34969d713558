"""Commands over buckets, as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clouds import servers
from tests.clouds.buckets import Bucket


class Shell:
    """Runs `ldb` with the user's settings in `home`."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home, self._environment = home, environment

    def __call__(self, *args: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ldb.cli.main", *args],
            capture_output=True, text=True, check=False, cwd=self.home,
            env={**self._environment, "HOME": str(self.home)},
        )  # fmt: skip
        assert done.returncode == code, (args, done.stdout, done.stderr)
        assert servers.SECRET not in done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def shell(home: Path, environment: dict[str, str]) -> Shell:
    return Shell(home, {k: v for k, v in environment.items() if not k.startswith("AWS_")})


def options(bucket: Bucket) -> list[str]:
    return [
        word for name, value in bucket.options.items() for word in ("-o", name, json.dumps(value))
    ]


def test_a_bucket_from_registration_to_list(s3_bucket: Bucket, shell: Shell) -> None:
    url = s3_bucket.url
    s3_bucket.fill({
        "data/a.jpg": b"aa", "data/a.json": b'{"class": "cat"}',
        "data/b.jpg": b"b", "data/b.json": b'{"class": "dog"}', "other/c.jpg": b"ccc",
    })  # fmt: skip
    shell("add-storage", *options(s3_bucket), f"{url}/data".replace("s3://", "aws://"))
    config = (shell.home / ".ldb" / "config").read_text()
    assert servers.SECRET in config
    listed = json.loads(shell("storage", "list", "--json"))
    (location,) = [each for each in listed if each["url"] == f"{url}/data"]
    assert servers.KEY not in json.dumps(listed)
    assert location["options"]["region"] == "us-east-1"
    assert "2 found, 2 new" in shell("index", f"{url}/data")
    assert f"{url}/data/a.jpg" in shell("list", f"{url}/data/a.jpg")
    assert "data/b.jpg" not in shell("list", f"{url}/data", "--query", "class == 'cat'")
    shell("stage", "ds:cats", "work")
    work = str(shell.home / "work")
    assert "added 1" in shell("-C", work, "add", f"{url}/data/*.jpg", "--query", "class == 'cat'")
    s3_bucket.fill({"data/new/d.jpg": b"d"})
    assert "added 1" in shell("-C", work, "add", f"{url}/data/new")  # auto-index is on
    shell("unindex", f"{url}/data/b.jpg")
    assert "data/b.jpg" not in shell("list", "ds:root")
    shell("fsck")
    missing = shell("add-storage", *options(s3_bucket), "s3://no-such-bucket-anywhere", code=3)
    assert "no-such-bucket-anywhere" in missing
