"""Worker processes beside the libraries' threads: none is forked once a bucket has been used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clouds.buckets import Bucket

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("library", ["fsspec", "obstore"])
def test_buckets_in_a_local_instance_with_workers(
    s3_bucket: Bucket, home: Path, library: str
) -> None:
    """Workers start afresh, and know the user's options: nothing is in the environment."""
    s3_bucket.fill({f"{at}.jpg": b"remote %d" % at for at in range(30)})
    (home / "local").mkdir()
    for at in range(30):
        (home / f"local/{at}.jpg").write_bytes(b"local %d" % at)
    options = {
        name: json.dumps(value) if isinstance(value, bool) else str(value)
        for name, value in {**s3_bucket.options, "library": library}.items()
    }
    script = Path(__file__).with_name("unguarded_run.py")
    run = subprocess.run(
        [sys.executable, str(script), json.dumps([s3_bucket.url, options, str(home)])],
        capture_output=True, text=True, cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [60, 60, [], [], ["afresh"]], run.stderr
    assert len(list((home / "out").glob("*.jpg"))) == 60
