"""`ldb add-storage`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ldb


@pytest.fixture(autouse=True)
def instance_here(ldb: Ldb) -> None:
    ldb("init", "inst")
    for name in ("data", "data/inner", "more"):
        os.mkdir(name)


def listed(ldb: Ldb) -> list[Any]:
    return list(json.loads(ldb("storage", "list", "--json").out))


def test_add(ldb: Ldb) -> None:
    done = ldb("add-storage", "data")
    assert (done.code, done.out) == (0, "")
    url = f"file://{os.getcwd()}/data"
    plain = {"url": url, "read_add": False, "options": {}, "trust_etag": False}
    assert listed(ldb) == [plain]
    assert ldb("add-storage", url + "/").code == 0
    assert ldb("add-storage", "more/../data").code == 0
    assert len(listed(ldb)) == 1


def test_read_add(ldb: Ldb) -> None:
    assert ldb("add-storage", "-a", "true", "data").code == 0
    assert listed(ldb)[0]["read_add"] is True
    ldb("add-storage", "data")
    assert listed(ldb)[0]["read_add"] is True, "what was not said stays as it is"
    done = ldb("add-storage", "-a", "true", "more")
    assert done.code == 4
    assert "-a false" in done.err
    assert ldb("add-storage", "-a", "false", "data").code == 0
    assert ldb("add-storage", "-a", "true", "more").code == 0
    assert [each["read_add"] for each in listed(ldb)] == [False, True]


@pytest.mark.parametrize(("first", "second"), [("data", "data/inner"), ("data/inner", "data")])
def test_nested(ldb: Ldb, first: str, second: str) -> None:
    ldb("add-storage", first)
    done = ldb("add-storage", second)
    assert done.code == 4
    assert f"overlaps {os.getcwd()}/{first}\n" in done.err
    assert len(listed(ldb)) == 1
    assert ldb("add-storage", "-f", second).code == 0
    assert len(listed(ldb)) == 2


def test_options_that_are_none(ldb: Ldb) -> None:
    for option in (("region", "true"), ("endpoint_url", '"host:9000"'), ("timeout", "-1")):
        done = ldb("add-storage", "-o", *option, "s3://bucket/x")
        assert (done.code, option[0] in done.err) == (2, True)
    assert "lacks a slash" in ldb("add-storage", "s3:/bucket/x").err
    assert listed(ldb) == []


def test_near_names_are_not_nested(ldb: Ldb) -> None:
    os.mkdir("data-2")
    assert [ldb("add-storage", name).code for name in ("data", "data-2")] == [0, 0]


@pytest.mark.parametrize(
    ("path", "code"), [("nothing", 3), ("inst/instance", 2), ("", 2), ("s3://bucket/x", 1)]
)
def test_what_cannot_be_one(ldb: Ldb, path: str, code: int) -> None:
    assert ldb("add-storage", path).code == code
    assert listed(ldb) == []


def test_name_that_cannot_be_indexed(ldb: Ldb) -> None:
    os.mkdir("line\nbreak")
    done = ldb("add-storage", "line\nbreak")
    assert done.code == 2
    assert "control character" in done.err


def test_wider_than_needed(ldb: Ldb, tmp_path: Path) -> None:
    done = ldb("add-storage", "-f", "/")
    assert done.code == 0
    assert "warning: " in done.err
    assert "wider" in done.err
