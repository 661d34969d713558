"""`hf-imagefolder`: tables named metadata beside images, in three spellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.formats.conftest import Scene, again, files_below, problems

ROWS: list[dict[str, Any]] = [
    {"file_name": "a.jpg", "text": "ä cat", "n": 1, "x": 1.5},
    {"file_name": "sub/b.jpg", "objects": {"bbox": [[1.0, 2.0]], "categories": [3]}},
]  # fmt: skip
NOTES = {"a.jpg": {"text": "ä cat", "n": 1, "x": 1.5}, "sub/b.jpg": ROWS[1] | {}}
NOTES["sub/b.jpg"].pop("file_name")


@pytest.fixture
def images(scene: Scene) -> Scene:
    for name in ("a.jpg", "sub/b.jpg", "c.jpg"):
        scene.write(f"train/{name}")
    return scene


def jsonl(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def expected(notes: dict[str, Any]) -> dict[str, Any]:
    return {"train/c.jpg": None, **{f"train/{name}": note for name, note in notes.items()}}


def test_jsonl(images: Scene) -> None:
    images.write("train/metadata.jsonl", jsonl(ROWS) + "\n")
    report = images.index("hf-imagefolder")
    assert problems(report) == []
    assert images.notes() == expected(NOTES)
    assert (report.found_objects, report.found_annotations) == (3, 2)
    assert images.index("imagefolder").labels_read == 0
    # A new image has the table read again; an edited table changes what it says.
    images.write("train/d.jpg")
    images.write("train/metadata.jsonl", jsonl([*ROWS, {"file_name": "d.jpg", "n": 7}]))
    report = images.index("imagefolder")
    assert (report.labels_read, report.new_objects, report.new_annotations) == (1, 1, 1)
    images.write("train/metadata.jsonl", jsonl([{**ROWS[0], "n": 2}, *ROWS[1:]]), age=1_600_000_500)
    report = images.index("imagefolder")
    assert (report.labels_read, report.new_annotations) == (1, 1)
    assert images.notes()["train/a.jpg"]["n"] == 2


def test_csv(images: Scene) -> None:
    images.write(
        "train/metadata.csv", '\ufefffile_name,n,x,text\na.jpg,7,0.50,"x, ""y"""\nsub/b.jpg,-3,,\n'
    )
    assert problems(images.index("hf-imagefolder")) == []
    assert images.notes() == expected({
        "a.jpg": {"n": 7, "x": "0.50", "text": 'x, "y"'}, "sub/b.jpg": {"n": -3}
    })  # fmt: skip


def test_parquet(images: Scene) -> None:
    path = images.write("train/metadata.parquet", b"")
    batch = pa.RecordBatch.from_struct_array(pa.array(ROWS))
    pq.write_table(pa.Table.from_batches([batch]), path)
    assert problems(images.index("hf-imagefolder")) == []
    assert images.notes() == expected(NOTES)


BAD = {
    "metadata.jsonl": (
        '{"file_name": "a.jpg"\n7\n{"x": 1}\n{"file_name": 7}\n{"file_name": "../../etc/passwd"}\n'
        '{"file_name": "a.jpg", "n": 1}\n{"file_name": "./a.jpg", "n": 2}\n'
        '{"file_name": "b\\u0000"}\n',
        [
            "line 1: bad JSON: expecting ',' delimiter (line 2, column 1)",
            "line 2: is no JSON object", "line 3: names no file in `file_name`",
            "line 4: names no file in `file_name`",
            "line 5: train/../../etc/passwd is neither here nor in the index",
            "line 8: train/b\0 is neither here nor in the index",
            "line 7: train/a.jpg has another annotation already",
        ],
    ),
    "metadata.csv": (
        "file_name,n\na.jpg,1\nb.jpg,1,2\n\nzzz.jpg\n",
        ["line 3: 3 fields, 2 columns", "line 5: train/zzz.jpg is neither here nor in the index"],
    ),
    "sub/metadata.csv": ("a,a\n", ["line 1: has two columns 'a'"]),
    "sub/metadata.jsonl": (b"\xff\xfe{", ["line 1: not UTF-8 (UTF-16 or binary?) (save the"]),
    "sub/metadata.parquet": (b"PAR1 nonsense PAR1", ["bad Parquet: "]),
}  # fmt: skip


def test_what_is_wrong_is_told_by_line(images: Scene) -> None:
    for name, (text, _) in BAD.items():
        images.write(f"train/{name}", text)
    report = images.index("hf-imagefolder")
    told: dict[str, list[str]] = {}
    for each in report.problems:
        told.setdefault(each.path.removeprefix(f"{images.data}/train/"), []).append(each.why)
    for name, (_, why) in BAD.items():
        assert len(told[name]) == len(why)
        assert all(found.startswith(start) for found, start in zip(told[name], why, strict=True))
    assert images.notes()["train/a.jpg"] == {"n": 1}


def test_without_a_table_it_says_so(images: Scene) -> None:
    [why] = problems(images.index("hf-imagefolder"))
    assert "there is no metadata.jsonl" in why


@pytest.mark.parametrize("split", ["", "train"])
def test_round_trip(scene: Scene, tmp_path: Path, split: str) -> None:
    for name, note in {"a": {"n": 1, "deep": [{"x": [None, 1.0]}]}, "ü": {}, "none": None}.items():
        scene.write(f"{name}.jpg")
        if note is not None:
            scene.write(f"{name}.json", note)
    scene.index("bare")
    folder, report = scene.instantiate("hf-imagefolder", f"split={split}")
    assert (problems(report), report.losses, report.label_files) == ([], [], 1)
    assert (f"{split}/" if split else "") + "metadata.jsonl" in files_below(folder)
    back = again(scene, folder, tmp_path)
    assert problems(back.index("hf-imagefolder")) == []
    assert [each[::2] for each in back.objects()] == [each[::2] for each in scene.objects()]


def test_what_has_no_place_is_said(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.write("a.json", {"file_name": "mine", "n": 1})
    scene.write("b.jpg")
    scene.write("b.json", [1])
    scene.index("bare")
    folder, report = scene.instantiate("hf-imagefolder")
    assert sorted(each.why for each in report.losses) == [
        "an annotation that is no object: put under `annotation`",
        "the key `file_name`: the name of the file stands there",
    ]
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert sorted(row.get("n", 0) for row in rows) == [0, 1]


def test_an_edited_label_file_is_replaced_by_force_only(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.write("a.json", {"n": 1})
    scene.index("bare")
    folder, report = scene.instantiate("hf-imagefolder")
    assert scene.instantiate("hf-imagefolder", folder=folder)[1].already_there == 2
    table = folder / "metadata.jsonl"
    text = table.read_text()
    table.write_text("mine")
    _, report = scene.instantiate("hf-imagefolder", folder=folder)
    [why] = problems(report)
    assert why == "metadata.jsonl: was edited since it was instantiated; -f replaces it"
    assert table.read_text() == "mine"
    _, report = scene.instantiate("hf-imagefolder", folder=folder, force=True)
    assert (problems(report), table.read_text()) == ([], text)
    # The dataset changes: the table that LDB wrote is replaced, and removed by another format.
    scene.write("b.jpg")
    scene.write("b.json", {"n": 2})
    scene.index("bare")
    _, report = scene.instantiate("hf-imagefolder", folder=folder)
    assert (problems(report), len(table.read_text().splitlines())) == ([], 2)
    _, report = scene.instantiate("bare", folder=folder, force=True)
    assert (problems(report), report.removed, table.exists()) == ([], 1, False)


def test_a_file_of_somebody_else_is_never_replaced(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.index("bare")
    scene.out.mkdir()
    (scene.out / "metadata.jsonl").write_text("theirs")
    _, report = scene.instantiate("hf-imagefolder", folder=scene.out, force=True)
    assert problems(report) == ["metadata.jsonl: is there and was not made by LDB; move it away"]
    assert (scene.out / "metadata.jsonl").read_text() == "theirs"


def test_a_table_named_alone_speaks_of_what_is_indexed(images: Scene) -> None:
    table = images.write("train/metadata.jsonl", jsonl(ROWS))
    images.index("bare", paths=[images.data / "train/sub", images.data / "train/a.jpg"])
    report = images.index("hf-imagefolder", paths=[table])
    assert (problems(report), report.gone_paths, report.found_objects) == ([], 0, 0)
    assert images.notes() == {"train/a.jpg": NOTES["a.jpg"], "train/sub/b.jpg": NOTES["sub/b.jpg"]}


def test_reasons_of_loss_are_bounded(scene: Scene) -> None:
    for at in range(60):
        scene.write(f"{at}.jpg")
        scene.write(f"{at}.json", {"label": "x", f"key{at}": 1})
    scene.index("bare")
    _, report = scene.instantiate("infer")
    assert len(report.losses) == 51
    assert report.losses[-1].count == 10
