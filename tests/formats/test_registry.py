"""Names and parameters of label formats: what is misspelt is refused with the right spelling."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from ldb.errors import BadInput
from ldb.formats.base import joined
from ldb.formats.registry import FORMATS, PAIRS, chosen, names
from ldb.instantiate.labels import LabelWriter
from ldb.instantiate.listing import Before
from ldb.instantiate.manifest import Listed
from ldb.instantiate.write import BatchResult, WriteOptions


def test_every_spelling_is_one_formats() -> None:
    for reading in (True, False):
        words = names(reading)
        assert len(words) == len(set(words))
    assert chosen("infer", {}, True).name == "tensorflow-inferred"
    assert chosen("bare", {}, True).is_pairs


@pytest.mark.parametrize("format_", [each for each in FORMATS if each.name not in PAIRS])
def test_modules_have_what_the_registry_says(format_: object) -> None:
    from ldb.formats.base import Format

    assert isinstance(format_, Format)
    module = import_module(f"ldb.formats.{format_.module}")
    assert hasattr(module, "reader") == (format_.reads is not None)
    assert hasattr(module, "writer") == (format_.writes is not None)
    assert hasattr(module, "recognise") == bool(format_.hints)
    for params in (format_.reads or (), format_.writes or ()):
        assert len({each.name for each in params}) == len(params)
        assert all(each.help.endswith(".") for each in params)


@pytest.mark.parametrize(
    ("name", "given", "why", "hint"),
    [
        ("tensorflow-infered", {}, "no format", "tensorflow-inferred"),
        ("zzzzzzzz", {}, "no format", "known are auto"),
        ("infer", {"label_key": "x"}, "no parameter 'label_key'", "label-key"),
        ("infer", {"zz": "x"}, "no parameter 'zz'", "it takes: base-label, label-key"),
        ("strict", {"zz": "x"}, "no parameter 'zz'", "it takes: none"),
    ],
)
def test_suggestions(name: str, given: dict[str, str], why: str, hint: str) -> None:
    with pytest.raises(BadInput) as failed:
        chosen(name, given, True)
    assert why in failed.value.why
    assert hint in failed.value.hint


def test_auto_cannot_be_written() -> None:
    with pytest.raises(BadInput, match="can only be read"):
        chosen("auto", {}, False)


@pytest.mark.parametrize("text", ["=x", "base-label", ""])
def test_a_parameter_is_key_and_value(text: str) -> None:
    with pytest.raises(BadInput, match="KEY=VALUE"):
        chosen("infer", [text], True)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.jpg", "a/b.jpg"), ("./a//b.jpg", "a/b.jpg"), ("a/../b.jpg", "b.jpg"),
        ("../b.jpg", ""), ("a/../../b.jpg", ""), ("", ""), (".", ""),
    ],
)  # fmt: skip
def test_a_path_never_leads_out(path: str, name: str) -> None:
    assert joined(path.split("/")) == name


@pytest.mark.parametrize("path", ["../x", "/x", "a/../x", "", "a//x", ".", "a\nb", "x\x01"])
def test_a_label_file_stays_in_the_folder(tmp_path: Path, path: str) -> None:
    """Whatever a writer asks for."""
    options = WriteOptions(str(tmp_path / "out"), "md5", "copy", force=False, annotations_only=True)
    (tmp_path / "out").mkdir()
    folder = LabelWriter(None, options, Before(Listed(), False), BatchResult())  # type: ignore[arg-type]
    with folder, pytest.raises(BadInput), folder.create(path) as file:
        file.write(b"x")
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == [".ldb_instantiated"]
