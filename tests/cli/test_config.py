"""`ldb config`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Ldb


def test_set_get_list_unset(ldb: Ldb, home: Path) -> None:
    done = ldb("config", "set", "core.instance", "/data/ldb")
    assert (done.code, done.out, done.err) == (0, "", "core.instance = /data/ldb\n")
    assert (home / ".ldb" / "config").read_text() == "[core]\ninstance = /data/ldb\n"
    assert ldb("config", "get", "core.instance").out == "/data/ldb\n"
    assert ldb("config", "get", "--json", "core.instance").out == '"/data/ldb"\n'
    assert ldb("config", "list").out == "core.instance=/data/ldb\n"
    assert json.loads(ldb("config", "list", "--json").out) == {"core.instance": "/data/ldb"}
    done = ldb("config", "unset", "-q", "core.instance")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert ldb("config", "list").out == ""


def test_not_set(ldb: Ldb) -> None:
    assert ldb("config", "get", "core.instance").code == 3
    assert ldb("config", "unset", "core.instance").code == 3
    assert ldb("config", "list").code == 0


def test_bad_words(ldb: Ldb, home: Path) -> None:
    assert ldb("config", "get", "instance").code == 2
    assert ldb("config", "set", "core.instance", "a\nb").code == 2
    assert not (home / ".ldb").exists()


def test_a_setting_that_nothing_reads(ldb: Ldb) -> None:
    done = ldb("config", "set", "-q", "core.instnace", "x")
    assert done.code == 0
    assert done.err == (
        "warning: nothing in LDB reads core.instnace; did you mean core.instance?\n"
    )
    assert "did you mean core.instnace?" in ldb("config", "get", "core.instance").err


def test_broken_file(ldb: Ldb, home: Path) -> None:
    config = home / ".ldb" / "config"
    config.parent.mkdir()
    config.write_text("instance = x\n")
    done = ldb("config", "list")
    assert done.code == 2
    assert str(config) in done.err
    assert "hint: mend or remove the line" in done.err
