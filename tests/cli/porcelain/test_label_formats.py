"""Label formats on the command line: `-m`, `-p`, what is said, and what a workspace makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ldb
from tests.cli.porcelain.conftest import write


@pytest.fixture
def pets(ldb: Ldb) -> Ldb:
    """Three images in folders, in a storage location."""
    ldb("init", "inst")
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/3.jpg"):
        write(Path("data") / name, name, None)
    assert ldb("add-storage", "data").code == 0
    return ldb


def test_out_and_in_again(pets: Ldb) -> None:
    done = pets("index", "-m", "infer", "-p", "label-key=class", "data")
    assert (done.code, done.err.splitlines()[:2]) == (
        0, ["data objects: 3 found, 3 new", "annotations:  3 found, 3 new"]
    )  # fmt: skip
    assert "-m tensorflow-inferred -p label-key=class data" in pets("log", "ds:root").out
    done = pets("instantiate", "ds:root", "-m", "hf-imagefolder", "-p", "split=train", "-t", "out")
    assert (done.code, "and 1 label file to" in done.err) == (0, True)
    rows = [json.loads(line) for line in Path("out/train/metadata.jsonl").read_text().splitlines()]
    assert sorted(row["class"] for row in rows) == ["cat", "cat", "dog"]
    pets("add-storage", "out")
    done = pets("index", "out")
    assert (done.code, done.err.splitlines()[:2]) == (
        0,
        [
            f"{Path('out').absolute()}: read as hf-imagefolder: train/metadata.jsonl is there",
            "label files:  1 found, 1 read",
        ],
    )
    assert "data objects: 3 found, 0 new" in done.err
    value = json.loads(pets("index", "--json", "out").out)
    assert value["formats"] == [
        {
            "path": str(Path("out").absolute()),
            "format": "hf-imagefolder",
            "why": "train/metadata.jsonl is there",
        }
    ]
    assert value["label_files"]["found"] == 1


@pytest.mark.parametrize(
    ("words", "why", "hint"),
    [
        (("index", "-m", "infre", "data"), "'infre' is no format; did you mean infer?", "--help"),
        (("index", "-m", "infer", "-p", "bse-label=x", "data"), "no parameter", "mean base-label?"),
        (("index", "-p", "x", "data"), "not of the form KEY=VALUE", ""),
        (("instantiate", "ds:root", "-m", "auto", "-t", "o"), "can only be read", "--help"),
        (("instantiate", "ds:root", "-m", "wds", "-p", "samples=-1", "-t", "o"), "whole", ""),
        (("get", "ds:root", "-m", "annot", "-p", "single-file=si", "-t", "o"), "neither true", ""),
    ],
)  # fmt: skip
def test_what_is_misspelt_is_a_usage_error(
    pets: Ldb, words: tuple[str, ...], why: str, hint: str
) -> None:
    pets("index", "data")
    done = pets(*words)
    assert done.code == 2
    assert why in done.err
    assert hint in done.err
    assert not Path("o").exists()


def test_what_cannot_be_carried_over_is_said(pets: Ldb) -> None:
    write(Path("data/cat/1.json"), "", None)
    Path("data/cat/1.json").write_text('{"label": "cat", "box": [1]}')
    pets("index", "-m", "bare", "data")
    done = pets("instantiate", "ds:root", "-m", "infer", "-t", "out")
    assert done.code == 0
    assert "warning: not carried over: keys beside the label: box (cat/1-" in done.err
    assert "put beside the folders (" in done.err
    assert ", 2 times)" in done.err
    value = json.loads(pets("instantiate", "ds:root", "-m", "infer", "-t", "more", "--json").out)
    assert sorted(each["count"] for each in value["not_carried_over"]) == [1, 2]


def test_label_files_in_a_workspace_are_no_edited_annotations(pets: Ldb) -> None:
    work = Path("work").absolute()
    pets("index", "-m", "infer", "data")
    done = pets("get", "ds:root", "-m", "annot", "-t", "work")
    assert (done.code, len(list(work.glob("*.json")))) == (0, 3)
    done = pets("-C", str(work), "add", ".")
    assert (done.code, "data object not found: ." in done.err) == (3, True)
    done = pets("-C", str(work), "eval", "-j", "--indent", "none", "ds:root")
    assert done.err == ""
    found = done.out.splitlines()
    assert sorted(found) == ['{"label":"cat"}', '{"label":"cat"}', '{"label":"dog"}']
    # Edited and indexed as what they are, they are new annotations.
    for path in work.glob("*.json"):
        path.write_text(path.read_text().replace('"dog"', '"wolf"'))
    assert pets("index", "-m", "annot", str(work)).code == 0
    found = pets("eval", "-j", "--indent", "none", "ds:root").out.splitlines()
    assert '{"label":"wolf"}' in found
