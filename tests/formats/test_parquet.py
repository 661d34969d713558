"""`parquet`: tables of ids or paths; what is written is read back to the same values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ldb.errors import BadInput
from tests.formats.conftest import Scene, again, files_below, problems

NOTES: dict[str, Any] = {
    "a": {
        "label": "cat",
        "n": 1,
        "x": 1.5,
        "ok": True,
        "mixed": 1,
        "deep": {"k": [1, {"z": None}]},
    },
    "b": {"label": "ü", "n": -(2**63), "mixed": "text", "null": None, "big": 2**64 - 1},
    "c": {"mixed": 1.0, "x": 0.0, "": "empty key"},
    "d": {},
}


def table(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def annotated(scene: Scene) -> Scene:
    for name, note in NOTES.items():
        scene.write(f"{name}.jpg")
        scene.write(f"{name}.json", note)
    scene.write("none.jpg")
    scene.index("bare")
    return scene


@pytest.mark.parametrize("column", ["", "note"])
def test_round_trip(annotated: Scene, tmp_path: Path, column: str) -> None:
    folder, report = annotated.instantiate("parquet", f"annotation-column={column}")
    assert (problems(report), report.losses, report.label_files) == ([], [], 1)
    written = pq.read_table(folder / "annotations.parquet")
    assert written.num_rows == 4
    if not column:
        assert written.schema.field("n").type == pa.int64()
        assert written.schema.field("label").type == pa.string()
    back = again(annotated, folder, tmp_path)
    assert problems(back.index("auto")) == []
    assert [each[::2] for each in back.objects()] == [each[::2] for each in annotated.objects()]


def test_a_table_outside_of_storage_by_id_or_path(scene: Scene, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        scene.write(name)
    scene.index("bare")
    path = tmp_path / "tables" / "t.parquet"
    table(path, [
        {"id": scene.ids()["a.jpg"], "file": None, "label": "x", "n": None},
        {"id": "17", "file": f"{scene.data}/b.jpg", "label": "y", "n": 3},
        {"id": "18", "file": "../data/c.jpg", "label": "z", "n": 4},
        {"id": "19", "file": "/nowhere", "label": "z", "n": 4},
        {"id": "20", "file": None, "label": "z", "n": 4},
    ])  # fmt: skip
    report = scene.index("parquet", "path-column=file", paths=[path])
    assert scene.notes() == {
        "a.jpg": {"label": "x"}, "b.jpg": {"id": "17", "label": "y", "n": 3},
        "c.jpg": {"id": "18", "label": "z", "n": 4},
    }  # fmt: skip
    [one, other] = problems(report)
    assert one.startswith("t.parquet: row 4: no id and no path among its columns: id, label, n;")
    assert other == "t.parquet: row 3: /nowhere is neither here nor in the index"
    report = scene.index("parquet", "path-column=file", "annotation-column=label", paths=[path])
    assert scene.notes() == {"a.jpg": "x", "b.jpg": "y", "c.jpg": "z"}


def test_values_that_json_has_not(scene: Scene) -> None:
    scene.write("a.jpg")
    path = scene.data / "t.parquet"
    pq.write_table(
        pa.table({
            "path": ["a.jpg", "b"], "nan": [float("nan"), 1.0], "raw": [None, b"x"],
            "when": pa.array([0, 1], pa.timestamp("s")), "list": [[1, None], []],
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int8())),
        }), path,
    )  # fmt: skip
    assert problems(scene.index("parquet")) == [
        "t.parquet: row 1: value: bytes is no JSON value",
    ]
    assert scene.notes()["a.jpg"] == {
        "nan": None, "when": "1970-01-01T00:00:00", "list": [1, None], "map": [["k", 1]]
    }  # fmt: skip


@pytest.mark.parametrize("spoil", ["empty", "cut", "text"])
def test_a_bad_table_is_a_problem(annotated: Scene, spoil: str) -> None:
    folder, _ = annotated.instantiate("parquet")
    raw = (folder / "annotations.parquet").read_bytes()
    text = {"empty": b"", "cut": raw[: len(raw) // 2], "text": b"PAR1{}PAR1"}[spoil]
    annotated.write("t.parquet", text)
    [why] = problems(annotated.index("parquet"))
    assert why.startswith("t.parquet: bad Parquet: ")


def test_too_many_keys_are_refused_with_what_to_do(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.write("a.json", {str(at): at for at in range(1001)})
    scene.index("bare")
    with pytest.raises(BadInput, match="more than 1000 different keys"):
        scene.instantiate("parquet")
    folder, _ = scene.instantiate("parquet", "annotation-column=all")
    assert len(files_below(folder)) == 2


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from ldb.formats.registry import chosen\n"
        "from ldb.errors import Unsupported\n"
        "try: chosen('parquet', {}, True).reader()\n"
        "except Unsupported as error: print(error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "pip install 'ldb[parquet]'\n"
