"""Instantiate against `cp`: `python docs/design/measure_instantiate.py SOURCE [FOLDER [ROUNDS]]`.

The figures of 006-instantiate.md: whole processes, interleaved. SOURCE is a folder of pairs; hard
links need FOLDER on the same file system. Every run gets a folder of its own and all are
removed at the end, since ext4 searches long for an inode after many were freed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

ROUNDS = 5
LDB = [sys.executable, "-c", "import sys; from ldb.cli.main import main; sys.exit(main())"]

Step = Callable[[], None]


def ldb(instance: Path, *arguments: object) -> None:
    """Run the command on an instance, without settings of the user's."""
    environment = {**os.environ, "LDB_DIR": str(instance), "HOME": str(instance.parent)}
    subprocess.run([*LDB, *map(str, arguments), "-q"], env=environment, check=True)


def indexed(instance: Path, source: Path) -> Path:
    """A new instance that knows a folder."""
    ldb(instance, "init", instance)
    ldb(instance, "add-storage", "-f", source)
    ldb(instance, "index", source)
    return instance


def data_only(source: Path, folder: Path) -> Path:
    """The same folder without annotations, as hard links."""
    subprocess.run(["cp", "-rl", source, folder], check=True)
    for path in folder.rglob("*.json"):
        path.unlink()
    return folder


def steps_of(root: Path, source: Path) -> dict[str, Step]:
    """What is compared, by name."""
    bare = data_only(source, root / "bare")
    pairs, objects = indexed(root / "pairs", source), indexed(root / "objects", bare)
    numbers = count()

    def target() -> Path:
        return root / f"target{next(numbers)}"

    def copy(how: str, what: Path) -> Step:
        return lambda: void(subprocess.run(["cp", how, what, target()], check=True))

    def write(instance: Path, link: str) -> Step:
        return lambda: ldb(instance, "instantiate", "ds:root", "-t", target(), "--link", link)

    return {
        "cp -rl, data": copy("-rl", bare),
        "hardlink, data": write(objects, "hardlink"),
        "cp -rl, pairs": copy("-rl", source),
        "hardlink, pairs": write(pairs, "hardlink"),
        "cp -r, data": copy("-r", bare),
        "copy, data": write(objects, "copy"),
        "cp -r, pairs": copy("-r", source),
        "copy, pairs": write(pairs, "copy"),
    }


def void(_: object) -> None:
    """A step gives nothing back."""


@contextmanager
def timed(walls: list[float], works: list[float]) -> Iterator[None]:
    """Note seconds on the clock and of processor time, children included."""
    work, wall = sum(os.times()[2:4]), time.perf_counter()
    yield
    walls.append(time.perf_counter() - wall)
    works.append(sum(os.times()[2:4]) - work)


def main(source: Path, folder: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        steps = steps_of(Path(made), source)
        walls: dict[str, list[float]] = {name: [] for name in steps}
        works: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                with timed(walls[name], works[name]):
                    step()
        base = 0.0
        for name in steps:
            least = min(walls[name])
            base = least if name.startswith("cp") else base
            print(f"{name:16} {least:6.2f} s, {least / base:4.2f} x cp, "
                  f"processor {min(works[name]):6.2f} s")  # fmt: skip


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        Path(given[0]).resolve(),
        Path(given[1] if len(given) > 1 else ".").resolve(),
        int(given[2]) if len(given) > 2 else ROUNDS,
    )
