"""`croissant`: record sets that name files, whoever wrote them; and what is written reads back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.conftest import Scene, again, files_below, problems


def column(name: str, at: str, **more: Any) -> dict[str, Any]:
    source = {"fileObject": {"@id": at}, "extract": {"column": name}}
    return {"@type": "cr:Field", "@id": f"images/{name}", "name": name, "source": source, **more}


TABLE = {
    "@context": {"cr": "http://mlcommons.org/croissant/"},
    "@type": "sc:Dataset",
    "name": "pets",
    "distribution": [
        {"@type": "cr:FileObject", "@id": "t", "contentUrl": "tables/t.csv"},
        {"@type": "cr:FileSet", "@id": "images", "includes": "images/*.jpg"},
    ],
    "recordSet": [
        {"@type": "cr:RecordSet", "@id": "splits", "data": [{"splits/name": "train"}]},
        {"@type": "cr:RecordSet", "@id": "images", "field": [column("img", "t"), column("n", "t")]},
    ],
}  # fmt: skip
INLINE = {
    "@context": {}, "conformsTo": "http://mlcommons.org/croissant/1.0", "name": "pets",
    "recordSet": {
        "@id": "r", "field": [],
        "data": [{"r/file": "images/a.jpg", "r/box": [1, 2]}, {"r/file": "images/zzz.jpg"}, 7],
    },
}  # fmt: skip


@pytest.fixture
def images(scene: Scene) -> Scene:
    scene.write("images/a.jpg")
    scene.write("images/b.jpg")
    return scene


def test_records_in_a_table(images: Scene) -> None:
    images.write("croissant.json", TABLE)
    images.write("tables/t.csv", "img,n,other\nimages/a.jpg,1,x\nimages/b.jpg,2,y\n")
    report = images.index("auto")
    assert problems(report) == []
    assert images.notes() == {"images/a.jpg": {"n": 1}, "images/b.jpg": {"n": 2}}
    assert (report.found_objects, report.label_files) == (2, 2)
    assert images.index("auto").labels_read == 0


def test_records_in_the_metadata(images: Scene) -> None:
    images.write("croissant.json", INLINE)
    assert problems(images.index("croissant")) == [
        "croissant.json: r[2]: names no file in 'file'",
        "croissant.json: r[1]: images/zzz.jpg is neither here nor in the index",
    ]
    assert images.notes() == {"images/a.jpg": {"box": [1, 2]}, "images/b.jpg": None}
    assert problems(images.index("croissant", "file-field=zzz")) == [
        "croissant.json: no record set of it names files that are here; "
        "-p file-field=NAME says which"
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty, not JSON"), ("[]", "is no JSON object"), ("{", "bad JSON"),
        ("7", "is no JSON"),
        ("{}", "no record set"), ('{"recordSet": 7}', "is no list of objects"),
        ('{"recordSet": [{"data": 7, "field": [{"source": 7}]}]}', "no record set"),
        ('{"distribution": [[]]}', "is no list of objects"),
        (json.dumps(TABLE), "no record set"),
        (json.dumps(TABLE).replace("tables/t.csv", "../../../etc/passwd.csv"), "no record set"),
    ],
)  # fmt: skip
def test_bad_metadata_is_a_problem(images: Scene, text: str, why: str) -> None:
    images.write("croissant.json", text)
    [found] = problems(images.index("croissant"))
    assert found.startswith("croissant.json: ")
    assert why in found


NOTES: dict[str, Any] = {
    "a": {"label": "cat", "n": 1, "x": 1, "deep": [{"k": None}], "none": None},
    "b": {"label": "ü", "n": 2, "x": 1.5, "deep": "text", "mixed": True},
    "c": {"mixed": "yes", "none": "some"},
    "d": {},
}


def test_round_trip(scene: Scene, tmp_path: Path) -> None:
    for name, note in NOTES.items():
        scene.write(f"{name}.jpg")
        scene.write(f"{name}.json", note)
    scene.write("none.jpg")
    scene.index("bare")
    folder, report = scene.instantiate("croissant", "name=pets")
    assert problems(report) == []
    assert [(each.why, each.count) for each in report.losses] == [
        ("the key `deep`: nested somewhere, so it is JSON text", 2)
    ]
    assert [name for name in files_below(folder) if not name.endswith(".jpg")] == [
        "annotations.jsonl", "croissant.json"
    ]  # fmt: skip
    value = json.loads((folder / "croissant.json").read_text())
    table = value["distribution"][0]
    digest = hashlib.sha256((folder / "annotations.jsonl").read_bytes()).hexdigest()
    assert (value["name"], table["sha256"]) == ("pets", digest)
    types = {each["name"]: each["dataType"] for each in value["recordSet"][0]["field"]}
    assert types == {
        "deep": "sc:Text", "file": "sc:Text", "label": "sc:Text", "mixed": "sc:Text",
        "n": "sc:Integer", "none": "sc:Text", "x": "sc:Float",
    }  # fmt: skip
    back = again(scene, folder, tmp_path)
    assert problems(back.index("auto")) == []
    assert [each[::2] for each in back.objects()] == [each[::2] for each in scene.objects()]
