from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.backends.objectcache import CacheSettings
from ldb.backends.opening import open_backend
from ldb.errors import BadInput, Unsupported


def test_plain_path(tmp_path: Path) -> None:
    backend = open_backend(str(tmp_path))
    assert isinstance(backend, LocalBackend)
    assert backend.url == str(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
@pytest.mark.parametrize("address", ["file://{}", "file://localhost{}", "FILE://{}"])
def test_file_address(tmp_path: Path, address: str) -> None:
    folder = tmp_path / "with space#and%"
    quoted = f"{tmp_path}/with%20space%23and%25"
    assert open_backend(address.format(quoted)).url == str(folder)


def test_url_opens_the_same_store(tmp_path: Path) -> None:
    folder = tmp_path / "odd name # ? %20"
    first = open_backend(str(folder))
    first.create("a/b", b"1")
    assert open_backend(first.url).read("a/b") == b"1"


def test_memory_is_shared_by_name() -> None:
    open_backend("memory://opening-one").create("a", b"1")
    assert open_backend("memory://opening-one").read("a") == b"1"
    assert list(open_backend("memory://opening-two").list()) == []
    assert open_backend("memory://opening-one").url == "memory://opening-one"


@pytest.mark.parametrize("scheme", ["http", "ftp", "nonsense"])
def test_other_schemes_are_refused(scheme: str) -> None:
    with pytest.raises(Unsupported, match=f"{scheme}://") as caught:
        open_backend(f"{scheme}://bucket/prefix")
    assert "folder" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["", "relative/path", ".", "file://host/share", "file:///a?b", "file://", "/a\0b"]
)
def test_not_an_address(address: str) -> None:
    with pytest.raises(BadInput):
        open_backend(address)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("s3://team/data/ldb", "s3://team/data/ldb"),
        ("aws://team/ldb/", "s3://team/ldb"),
        ("GS://team/ldb", "gs://team/ldb"),
        ("azure://team/ldb", "az://team/ldb"),
    ],
)
def test_buckets(tmp_path: Path, address: str, url: str) -> None:
    assert open_backend(address).url == url
    assert open_backend(address, CacheSettings(str(tmp_path / "c"), 1000)).url == url
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("address", ["s3://", "s3://team", "gs://team/", "az:///x"])
def test_a_bucket_without_a_prefix(address: str) -> None:
    with pytest.raises(BadInput):
        open_backend(address)
