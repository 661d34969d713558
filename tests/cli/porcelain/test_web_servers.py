"""Data on web servers, by commands in processes of their own: as nginx has it, and worse."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clouds.webserver import Site, serving

MIB = 1 << 20
BIG = bytes(range(251)) * (20 * MIB // 251)


class Shell:
    """Runs `ldb` in a folder with an instance."""

    def __init__(self, home: Path, environment: dict[str, str], site: Site) -> None:
        self.home, self.site = home, site
        self._environ = {**environment, "HOME": str(home)}

    def __call__(self, *args: str, code: int = 0) -> tuple[str, str]:
        run = subprocess.run(
            [sys.executable, "-m", "ldb.cli.main", *args], capture_output=True, text=True,
            cwd=self.home, env=self._environ, timeout=300,
        )  # fmt: skip
        assert run.returncode == code, (args, run.stdout, run.stderr)
        return run.stdout, run.stderr

    def known(self) -> set[str]:
        """Ids of all data objects that are known."""
        return {line.split()[0][3:] for line in self("list", "ds:root")[0].splitlines()}

    def states(self, code: int) -> dict[str, str]:
        out, _ = self("verify", "--json", "ds:root", code=code)
        lines = [json.loads(line) for line in out.splitlines()]
        return {line["path"].rpartition("/")[2]: line["state"] for line in lines}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path / "www") as site:
        yield site


@pytest.fixture
def shell(home: Path, environment: dict[str, str], site: Site) -> Shell:
    shell = Shell(home, environment, site)
    shell("init", "instance")
    shell("add-storage", f"{site.url}/d")
    return shell


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_files_and_an_index_page(shell: Shell, site: Site) -> None:
    tom = site.write("d/tom.jpg", b"tom")
    site.write("d/tom.json", b'{"class": "cat"}')
    site.write("d/a b%ü.jpg", b"ab")
    site.write("d/sub/x.jpg", b"x")
    site.write("other.jpg", b"outside")
    shell("index", tom, f"{site.url}/d/a%20b%25%C3%BC.jpg")
    assert shell.known() == {md5(b"tom"), md5(b"ab")}
    assert "1 with an annotation" in shell("list", "-s", "ds:root")[0]
    shell("index", f"{site.url}/d/nope.jpg", code=3)
    _, err = shell("index", f"{site.url}/other.jpg", code=2)
    assert "lies in no storage location" in err

    before = len(site.asked("GET", "/d/tom"))
    assert "3 found, 1 new" in shell("index", f"{site.url}/d")[1]
    assert len(site.asked("GET", "/d/tom")) == before, "what is known is not read again"
    assert "2 found, 0 new" in shell("index", f"{site.url}/d/*.jpg")[1]

    site.write("d/tom.jpg", b"tim")
    (site.folder / "d/sub/x.jpg").unlink()
    expected = {"tom.jpg": "changed", "x.jpg": "missing", "a b%ü.jpg": "ok"}
    assert shell.states(code=5) == expected
    _, err = shell("instantiate", "ds:root", "-t", "out", code=1)
    assert f"{site.url}/d/sub/x.jpg" in err
    written = [path for path in (shell.home / "out").glob("[!.]*") if path.suffix != ".json"]
    assert [path.read_bytes() for path in written] == [b"ab"]
    _, err = shell("index", f"{site.url}/d")
    assert "2 found, 1 new" in err
    assert "1 gone" in err


def test_a_cut_connection_costs_a_piece(shell: Shell, site: Site) -> None:
    url = site.write("d/big.bin", BIG)
    site.cuts.append(5 * MIB)
    shell("index", url)
    assert shell.known() == {md5(BIG)}
    ranges = [each.range for each in site.asked("GET")]
    assert len(ranges) == 4, "three pieces of 8 MiB, one of them twice"
    assert len(set(ranges)) == 3
    site.log.clear()
    site.cuts.append(3 * MIB)
    shell("instantiate", "ds:root", "-t", "out")
    assert sum(each.sent for each in site.asked("GET")) < len(BIG) + 4 * MIB
    [written] = (shell.home / "out").glob("big*")
    assert written.read_bytes() == BIG


def test_servers_that_know_little(shell: Shell, site: Site) -> None:
    """No ranges, no sizes, no ETags, nor HEAD: a file comes whole, once."""
    site.ranges = site.sizes = site.tokens = site.heads = False
    url = site.write("d/big.bin", BIG)
    shell("index", url)
    assert shell.known() == {md5(BIG)}
    site.log.clear()
    shell("instantiate", "ds:root", "-t", "out")
    [written] = (shell.home / "out").glob("big*")
    assert written.read_bytes() == BIG
    assert len(site.asked("GET")) == 1
    assert shell.states(code=0) == {"big.bin": "ok"}
    assert shell("verify", "--quick", "ds:root")[1].startswith("verified 1 path")
    site.write("d/big.bin", BIG[:-1] + b"!")
    assert shell.states(code=5) == {"big.bin": "changed"}
    shell("index", url)
    assert md5(BIG[:-1] + b"!") in shell.known()


def test_redirections(shell: Shell, site: Site) -> None:
    target = site.write("elsewhere/tom.jpg", b"tom")
    site.redirects["/d/tom.jpg"] = target
    shell("index", f"{site.url}/d/tom.jpg")
    assert shell.known() == {md5(b"tom")}
    assert shell("list", "ds:root")[0].split()[-1] == f"{site.url}/d/tom.jpg"
    shell("instantiate", "ds:root", "-t", "out")
    assert shell.states(code=0) == {"tom.jpg": "ok"}
    site.redirects["/d/round.jpg"] = "/d/round.jpg"
    _, err = shell("index", f"{site.url}/d/round.jpg", code=1)
    assert "redirects in a circle" in err
    assert len(site.asked("HEAD", "/d/round")) < 30, "and is not tried again"


def test_what_is_refused(shell: Shell, site: Site) -> None:
    where = site.url.partition("//")[2]
    for command in ("add-storage", "index"):
        _, err = shell(command, f"http://ann:pa55word@{where}/d", code=2)
        assert "password" in err
        assert "pa55word" not in err
        _, err = shell(command, f"{site.url}/d/tom.jpg?signature=pa55word", code=2)
        assert "has a query" in err
        assert "pa55word" not in err
    _, err = shell("add-storage", "-a", "true", f"{site.url}/e", code=2)
    assert "cannot be written to" in err
    site.write("d/no-index/index.txt", b"")
    site.statuses["/d/no-index/"] = 403
    _, err = shell("index", f"{site.url}/d/no-index", code=1)
    assert "403" in err
    _, err = shell("add-storage", "-f", f"{site.url}/d/no-index")
    assert "no-index cannot be looked at now: the web server refused (HTTP 403)" in err
    _, err = shell("add-storage", "-f", f"{site.url}/d/nothing")
    assert "cannot" not in err, "of a folder a server need not tell"
    shell("list", "ds:root", code=3)  # nothing was indexed
