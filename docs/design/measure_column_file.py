"""Size and speed of column files against Parquet and plain Arrow; figures of 008-columns.md.

Run from the project's root: python docs/design/measure_column_file.py (needs pyarrow)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import feather, ipc
from pyarrow import parquet as pq

from bench.generate import annotation
from docs.design.measure_shred import records
from ldb.columns import layout
from ldb.columns.model import Column
from ldb.columns.read import open_columns
from ldb.columns.shred import Shredder
from ldb.columns.write import encode_columns
from ldb.objects.codec import annotation_payload

ROWS = 100_000
TIMES = 9
LEVELS = (1, 2, 3, 6)

Load = Callable[[], object]
SCRIPTS = {
    "python alone": "",
    "numpy alone": "import numpy",
    "this file": """
from pathlib import Path
from ldb.columns.read import open_columns
data = Path('{}/level1').read_bytes()
column = open_columns(lambda start, stop: data[start:stop], len(data), 'file')
print((column.fields['confidence'].floats < 0.5).sum())
""",
    "Parquet": """
import pyarrow.parquet as pq, pyarrow.compute as pc
found = pq.read_table('{}/parquet', columns=['confidence'])['confidence']
print(pc.sum(pc.less(found, 0.5)))
""",
    "plain IPC": """
import pyarrow as pa, pyarrow.ipc as ipc, pyarrow.compute as pc
some = ipc.IpcReadOptions(included_fields=[2])
found = ipc.open_file(pa.memory_map('{}/plain'), options=some).read_all()['confidence']
print(pc.sum(pc.less(found, 0.5)))
""",
}


def best(act: Callable[[], object], times: int = TIMES) -> float:
    """Seconds of the fastest run."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        found.append(time.perf_counter() - start)
    return min(found)


def shredded(payloads: list[bytes]) -> Column:
    shredder = Shredder()
    shredder.add(payloads)
    return shredder.finish()


def ours(path: Path) -> dict[str, Load]:
    """What loads the columns of our file."""
    data = path.read_bytes()

    def fields() -> Any:
        return open_columns(lambda start, stop: data[start:stop], len(data), "file").fields

    def text(column: Column) -> object:
        return column.codes, column.words.data, column.words.offsets

    def boxes() -> object:
        lists = fields()["boxes"]
        below = lists.items.fields
        corners = below["bbox"]
        arrays = (lists.offsets, below["score"].floats, corners.offsets, corners.items.ints)
        return arrays, text(below["label"])

    return {
        "open": fields,
        "float": lambda: fields()["confidence"].floats,
        "words": lambda: text(fields()["class"]),
        "texts": lambda: text(fields()["camera"].fields["serial"]),
        "boxes": boxes,
    }


def by_parquet(path: Path) -> dict[str, Load]:
    names = {"float": "confidence", "words": "class", "texts": "camera.serial", "boxes": "boxes"}
    found: dict[str, Load] = {"open": lambda: pq.ParquetFile(path)}
    for what, name in names.items():
        found[what] = partial(pq.read_table, path, columns=[name])
    return found


def by_arrow(path: Path) -> dict[str, Load]:
    names = {"float": "confidence", "words": "class", "texts": "camera", "boxes": "boxes"}

    def opened(options: Any = None) -> Any:
        return ipc.open_file(pa.memory_map(str(path)), options=options)

    def read(place: int) -> object:
        return opened(ipc.IpcReadOptions(included_fields=[place])).read_all()

    found: dict[str, Load] = {"open": opened}
    order = opened().schema.names
    for what, name in names.items():
        found[what] = partial(read, order.index(name))
    return found


def show(name: str, path: Path, write: Load | None, loads: dict[str, Load] | None) -> None:
    line = f"{name:24}{path.stat().st_size / ROWS:7.1f} B/row"
    if write is not None:
        line += f"  write {best(write, 3) / ROWS * 1e9:5.0f} ns/row"
    for what, load in (loads or {}).items():
        line += f"  {what} {best(load) * 1e3:.2f}"
    print(line)


def parts(node: Any, path: str = "") -> None:
    """Bytes a row of every part of a directory."""
    if isinstance(node, list) and len(node) == 5:
        print(f"    {path:44}{node[2] / ROWS:7.2f} {node[1] / ROWS:7.2f}")
    elif isinstance(node, dict):
        for key, below in node.items():
            parts(below, f"{path} {key}".replace(" keys ", "."))


def compare(folder: Path) -> None:
    rows = [annotation(at) for at in range(ROWS)]
    texts = [json.dumps(row).encode() for row in rows]
    print(f"JSON {sum(map(len, texts)) / ROWS:.1f} B/row; ms to read {ROWS} rows")
    column = shredded([annotation_payload(text, "row") for text in texts])
    table = pa.Table.from_struct_array(pa.array(rows))
    path = folder / "parquet"
    store = partial(pq.write_table, table, path, compression="zstd", compression_level=1)
    store()
    show("Parquet", path, store, by_parquet(path))
    write: Any = feather.write_feather
    for name, codec in (("plain", "uncompressed"), ("zstd", "zstd")):
        path = folder / name
        write(table, str(path), compression=codec)
        show(f"IPC {name}", path, None, by_arrow(path))
    for level in LEVELS:
        path = folder / f"level{level}"
        path.write_bytes(encode_columns(column, level))
        show(f"this, level {level}", path, partial(encode_columns, column, level), ours(path))
    path = folder / "level1"
    show("this, by pyarrow", path, None, by_arrow(path))
    data = path.read_bytes()
    parts(layout.unpack(lambda start, stop: data[start:stop], len(data), "file")["root"])
    of_records = encode_columns(shredded(records(ROWS)))
    print(f"records {len(of_records) / ROWS:.1f} B/row")


def processes(folder: Path) -> None:
    """Whole processes, taken in turn."""
    found = dict.fromkeys(SCRIPTS, 9.0)
    here = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    for _ in range(TIMES):
        for name, script in SCRIPTS.items():
            argv = [sys.executable, "-c", script.replace("{}", str(folder))]
            run = partial(subprocess.run, argv, env=here, check=True, capture_output=True)
            found[name] = min(found[name], best(run, 1))
    print("  ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in found.items()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        compare(Path(temporary))
        processes(Path(temporary))
