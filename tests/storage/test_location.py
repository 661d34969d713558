"""Names of places in storage."""

from __future__ import annotations

import ntpath
from pathlib import PureWindowsPath

import pytest

from ldb import system
from ldb.errors import BadInput, Unsupported
from ldb.storage import location
from ldb.storage.location import (
    absolute,
    has_scheme,
    is_glob,
    is_local,
    local_path,
    path_bytes,
    shown,
    to_uri,
    uri_bytes,
    uri_of,
)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("a/b", "file:///here/a/b"),
        ("./a//b/", "file:///here/a/b"),
        ("../x", "file:///x"),
        ("/a", "file:///a"),
        (".", "file:///here"),
        ("/", "file:///"),
        ("file:///a/b/", "file:///a/b"),
        ("FILE:///a", "file:///a"),
        ("a b%20é", "file:///here/a b%20é"),
        ("s3://bucket/x/", "s3://bucket/x"),
        ("aws://bucket/x", "s3://bucket/x"),
        ("azure://box/x", "az://box/x"),
        ("S3://bucket", "s3://bucket"),
    ],
)
def test_uris(text: str, uri: str) -> None:
    assert to_uri(text, "/here") == uri


def test_empty() -> None:
    for text in ("", "file://"):
        with pytest.raises(BadInput):
            to_uri(text, "/here")


@pytest.mark.parametrize("text", ["s3:/bucket/x", "GS:/b", "azure:/box", "https:/host/x"])
def test_a_slash_short(text: str) -> None:
    """It was the path of a folder called `s3:`, which `ldb init` made."""
    scheme, _, rest = text.partition(":/")
    for read in (to_uri, absolute):
        with pytest.raises(BadInput, match="slash") as caught:
            read(text, "/here")
        assert f"{scheme}://{rest}" in caught.value.hint
        assert read(f"./{text}", "/here").endswith(f"/here/{text}")


def test_local_paths() -> None:
    assert local_path("file:///a/b") == "/a/b"
    assert is_local("file:///a")
    assert not is_local("s3://a")
    with pytest.raises(Unsupported, match="s3://a"):
        local_path("s3://a")


def test_shown() -> None:
    assert (shown("file:///a"), shown("s3://a/b")) == ("/a", "s3://a/b")


def test_absolute() -> None:
    assert absolute("a/../b", "/here") == "/here/b"
    assert absolute("s3://a/../b", "/here") == "s3://a/../b"


def test_kinds() -> None:
    assert [is_glob(text) for text in ("a*", "a?", "[ab]", "plain")] == [True, True, True, False]
    assert [has_scheme(text) for text in ("s3://x", "/s3://x", "a:b")] == [True, False, False]


def test_web_urls_are_read_as_browsers_show_them() -> None:
    assert to_uri("https://host/a%20b/%C3%BC.jpg", "/") == "https://host/a b/ü.jpg"
    assert to_uri("http://host/100%.jpg", "/") == "http://host/100%.jpg"
    assert to_uri("http://host/img?.jpg", "/") == "http://host/img?.jpg", "a wildcard"
    assert to_uri("s3://bucket/a%20b?x=1", "/") == "s3://bucket/a%20b?x=1"


@pytest.mark.parametrize(
    "url",
    [
        "http://ann:hunter2@host/a",
        "https://hunter2@host",
        "s3://k:hunter2@b/a",
        "http://h/a?s=hunter2",
    ],
)
def test_urls_that_would_put_a_secret_into_the_index_are_refused(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        to_uri(url, "/")
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths as Windows has them."""
    monkeypatch.setattr(location, "_path", ntpath)
    monkeypatch.setattr(location, "WINDOWS", True)
    monkeypatch.setattr(system, "WINDOWS", True)


@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("C:\\data", "file:///C:/data"),
        ("c:\\data\\", "file:///C:/data"),
        ("C:/data/x y", "file:///C:/data/x y"),
        ("C:\\", "file:///C:/"),
        ("D:\\a\\..\\b", "file:///D:/b"),
        ("a\\b", "file:///C:/here/a/b"),
        ("..\\b", "file:///C:/b"),
        ("\\b", "file:///C:/b"),
        ("file:///C:/data", "file:///C:/data"),
        ("file:///c:/data/", "file:///C:/data"),
        ("C://data", "file:///C:/data"),
        ("\\\\host\\share\\x", "file:////host/share/x"),
        ("\\\\?\\C:\\data", "file:///C:/data"),
        ("s3://bucket/x", "s3://bucket/x"),
    ],
)
def test_windows_paths(text: str, uri: str) -> None:
    assert to_uri(text, "C:\\here") == uri
    if is_local(uri):
        path = local_path(uri)
        assert PureWindowsPath(path).is_absolute()
        assert (uri_of(path), shown(uri)) == (uri, path)
        assert to_uri(path, "C:\\elsewhere") == uri
        raw = uri.encode()
        assert (path_bytes(raw), uri_bytes(path.encode())) == (path.encode(), raw)


@pytest.mark.usefixtures("on_windows")
def test_paths_of_other_systems_stay_what_they_are() -> None:
    assert local_path("file:///data/x") == "/data/x"
    assert uri_of("/data/x") == "file:///data/x"
    assert not has_scheme("C:\\data")
    assert not has_scheme("C:/data")
    assert absolute("x", "C:\\here") == "C:\\here\\x"


def test_a_drive_is_a_name_like_others_elsewhere() -> None:
    assert to_uri("C:\\data", "/here") == "file:///here/C:\\data"
    assert local_path("file:///C:/data") == "/C:/data"
    assert not has_scheme("C://data")
