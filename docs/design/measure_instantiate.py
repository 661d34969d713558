"""Instantiate against `cp -r`: `python docs/design/measure_instantiate.py [FOLDER [FILES]]`.

The figures of 006-instantiate.md. Works in a new folder below FOLDER and removes it.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ldb.backends.local import LocalBackend
from ldb.catalog import open_catalog
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import create
from ldb.instantiate import InstantiateOptions, instantiate

ROUNDS = 7


def processor_time() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def main(folder: str, files: int) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        measure(Path(made), files)


def measure(root: Path, files: int) -> None:
    source, target, copy = root / "source", root / "target", root / "copy"
    source.mkdir()
    boxes = ", ".join(f'{{"x": {at}, "y": 7, "label": "thing"}}' for at in range(8))
    for number in range(files):
        (source / f"f{number}.jpg").write_bytes(os.urandom(3000))
        (source / f"f{number}.json").write_text(f'{{"n": {number}, "boxes": [{boxes}]}}')
    instance = create(LocalBackend(root / "instance"))
    index(instance, targets_of([str(source)]), IndexOptions())
    catalog = open_catalog(instance)
    rows = list(catalog.rows())
    ids = np.concatenate([each.keys for each in rows])
    annotations = np.concatenate([each.fields[1] for each in rows])

    def run(processes: int, preserve_paths: bool = False) -> None:
        options = InstantiateOptions(
            str(target), processes=processes, preserve_paths=preserve_paths
        )
        assert not instantiate(instance, catalog, ids, annotations, options).problems

    def clear() -> None:
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)

    steps: dict[str, tuple[Callable[[], None], Callable[[], object]]] = {
        "cp -r": (clear, lambda: subprocess.run(["cp", "-r", source, copy], check=True)),
        "1 process": (clear, lambda: run(1)),
        "2 processes": (clear, lambda: run(2)),
        "2, all there": (lambda: None, lambda: run(2)),
        "2, preserve paths": (clear, lambda: run(2, True)),
    }
    wall = {name: [0.0] * ROUNDS for name in steps}
    cpu = {name: [0.0] * ROUNDS for name in steps}
    for turn in range(ROUNDS):
        for name, (before, step) in steps.items():
            before()
            started, used = time.perf_counter(), processor_time()
            step()
            wall[name][turn] = time.perf_counter() - started
            cpu[name][turn] = processor_time() - used
    for name in steps:
        least, work = min(wall[name]), min(cpu[name])
        ratio = least / min(wall["cp -r"])
        print(f"{name:18} {least:6.3f} s, {ratio:4.2f} x cp, processor {work:6.3f} s")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(arguments[0] if arguments else ".", int(arguments[1]) if len(arguments) > 1 else 10_000)
