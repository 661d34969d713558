"""All label formats by name, and what `-p` may say of each; a module is loaded when it is used.

A new format is an entry here, a module beside it (`base.py` says what is in that) and a section of
docs/formats/labels.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ldb.errors import BadInput
from ldb.formats.base import Format, Param, Peek, Reader, Values, Writer
from ldb.formats.pairs import AUTO, BARE, STRICT

if TYPE_CHECKING:
    from ldb.formats.webdataset import Shards

PAIRS = frozenset((AUTO, STRICT, BARE))
"""Formats that `indexing` and `instantiate` know themselves: pairs.py."""

_LABEL_KEY = Param("label-key", "Where the label is in the annotation: a key, or a.b.", "label")
_BASE_LABEL = Param("base-label", "Label of the files that lie right in the folder.")
_PATH_KEY = Param("path-key", "Where in a task the URL of the data file is: data.image.")
_DOCUMENT_ROOT = Param("document-root", "Folder from which Label Studio serves local files.")
_FIRST_PIXEL = Param(
    "first-pixel", "Number of the first pixel: 0, or 1 as VOC's own.", "0", choices=("0", "1")
)

FORMATS = (
    Format(AUTO, "", "What fits the files; pairs where nothing else does.", writes=None),
    Format(STRICT, "", "a.jpg with a.json; files without one are left out.", ("strict",)),
    Format(BARE, "", "a.jpg with or without a.json.", ("bare",)),
    Format(
        "tensorflow-inferred", "inferred", "Names of folders are labels.", ("infer",),
        reads=(_BASE_LABEL, _LABEL_KEY),
        writes=(_BASE_LABEL, _LABEL_KEY),
    ),
    Format(
        "annotation-only", "annotations", "Annotations with ids, no data files.", ("annot",),
        writes=(Param("single-file", "One file for all.", "false", "flag"),),
        hints=("*.json",), has_data=False,
    ),
    Format(
        "label-studio", "labelstudio", "Tasks of Label Studio.",
        reads=(_PATH_KEY, _DOCUMENT_ROOT),
        writes=(
            _PATH_KEY, _DOCUMENT_ROOT,
            Param("tasks-per-file", "Most tasks of a file; 0: all in one.", "0", "number"),
        ),
        hints=("*.json",), has_data=False,
    ),
    Format(
        "hf-imagefolder", "imagefolder", "Hugging Face: images and metadata.jsonl.",
        ("imagefolder",),
        writes=(Param("split", "Folder for the files, such as train."),),
        hints=("metadata.jsonl", "*/metadata.jsonl", "metadata.csv", "*/metadata.csv",
               "metadata.parquet", "*/metadata.parquet"),
    ),
    Format(
        "parquet", "parquet", "A table of ids or paths and annotations.",
        reads=(
            Param("path-column", "Column of the paths; by default one of the usual names."),
            Param("id-column", "Column of the ids; by default one of the usual names."),
            Param("annotation-column", "The column that is the annotation; by default all others."),
        ),
        writes=(Param("annotation-column", "One column of JSON, by this name, for all keys."),),
        hints=("annotations.parquet", "*/annotations.parquet"), alone=True,
    ),
    Format(
        "webdataset", "webdataset", "Tar files of samples: members that share a key.", ("wds",),
        writes=(
            Param("samples", "Most samples of a shard; 0: any number.", "10000", "number"),
            Param("megabytes", "Most MiB of a shard; 0: any size.", "1000", "number"),
            Param("prefix", "What names of shards begin with.", "shard"),
        ),
        hints=("*.tar",), unpacks=True,
    ),
    Format(
        "croissant", "croissant", "MLCommons Croissant: metadata in JSON-LD, records beside it.",
        reads=(Param("file-field", "Field that names files; by default the first that does."),),
        writes=(Param("name", "Name of the dataset.", "dataset"),),
        hints=("croissant.json", "*/croissant.json"),
    ),
    Format(
        "coco", "boxes.coco", "JSON of images with objects, keypoints, captions.",
        reads=(Param("labels", "Pattern of the label files; default: those called as COCO's."),),
        hints=("*annotations*.json", "*instances*.json", "*captions*.json", "*keypoints*.json",
               "*panoptic*.json", "*coco*.json", "*train*.json", "*val*.json", "*test*.json"),
    ),
    Format(
        "yolo", "boxes.yolo", "A text file of boxes beside each image; data.yaml, or darknet's.",
        reads=(Param("confidence", "The last number of a line is a score.", "false", "flag"),),
        writes=(
            Param("layout", "Whose files.", "ultralytics", choices=("ultralytics", "darknet")),
            Param("task", "Kind of lines; auto: what all objects have.", "auto",
                  choices=("auto", "detect", "segment", "pose")),
            Param("names", "Classes in order, commas between; default: as read, else by name."),
        ),
        hints=("*.yaml", "*.yml", "*.names", "*.txt"),
    ),
    Format(
        "voc", "boxes.voc", "Pascal VOC: an XML file for each image.",
        reads=(_FIRST_PIXEL,), writes=(_FIRST_PIXEL,), hints=("*.xml",),
    ),
    Format("cvat", "boxes.cvat", "CVAT for images: one XML file.", hints=("*.xml",)),
    Format(
        "openimages", "boxes.openimages", "Open Images: CSV files of boxes and labels.",
        aliases=("open-images",), hints=("*annotations-*.csv",),
    ),
    Format(
        "imagenet", "boxes.imagenet", "train/LABEL/…: the folder is the class of the image.",
        hints=("n0*/*", "n1*/*", "*/n0*/*", "*/n1*/*"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """A format, with parameters."""

    format: Format
    params: Values
    given: tuple[str, ...] = ()
    """The parameters that were given, as `K=V`, sorted."""
    why: str = ""
    folders: tuple[str, ...] = ()
    """Folders of images that may be classes, where nothing but pairs was recognised."""
    """How `auto` came to it."""
    alone: bool = False
    """Label files outside of all storage locations: no data file is looked at there."""

    @property
    def name(self) -> str:
        return self.format.name

    @property
    def with_data(self) -> bool:
        """Whether data files lie among the label files."""
        return self.format.has_data and not self.alone

    @property
    def is_pairs(self) -> bool:
        return self.format.name in PAIRS

    @property
    def words(self) -> list[str]:
        """The options that say the same on the command line."""
        return ["-m", self.name, *(word for each in self.given for word in ("-p", each))]

    def reader(self) -> Reader:
        """What reads it; raises `Unsupported` where a library is missing."""
        made: Reader = _module(self.format).reader(self.params)
        return made

    def shards(self) -> Shards:
        """What unpacks the files of a format that has data objects inside of them."""
        made: Shards = _module(self.format).reader(self.params)
        return made

    def writer(self) -> Writer:
        """What writes it; raises `Unsupported` where a library is missing."""
        made: Writer = _module(self.format).writer(self.params)
        return made


def recognise(format: Format, peek: Peek) -> str:  # noqa: A002  (what it is)
    """Why a location looks like this format; empty where it does not."""
    why: str = _module(format).recognise(peek)
    return why


def _module(format: Format) -> Any:  # noqa: A002
    return import_module(f"ldb.formats.{format.module}")


def names(reading: bool) -> list[str]:
    """Every spelling of the formats that can be read, or written."""
    known = [each for each in FORMATS if (each.reads if reading else each.writes) is not None]
    return [word for each in known for word in (each.name, *each.aliases)]


def chosen(name: str, given: Mapping[str, str] | Sequence[str], reading: bool) -> Chosen:
    """The format that `name` spells with these parameters; raises `BadInput`."""
    known = names(reading)
    found = next((each for each in FORMATS if name in (each.name, *each.aliases)), None)
    if found is None or name not in known:
        raise _no_format(name, known, found, reading)
    texts = given if isinstance(given, Mapping) else dict(map(split_param, given))
    params = (found.reads if reading else found.writes) or ()
    values = {each.name: _value(each, each.default) for each in params}
    for key, text in texts.items():
        values[key] = _value(_param(found, params, key), text)
    return Chosen(found, values, tuple(f"{key}={texts[key]}" for key in sorted(texts)))


def split_param(text: str) -> tuple[str, str]:
    """`K=V` as key and value."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput("-p", f"{text!r} is not of the form KEY=VALUE")
    return key, value


def _no_format(name: str, known: list[str], found: Format | None, reading: bool) -> BadInput:
    if found is not None:
        why = f"{name} can only be {'written' if reading else 'read'}"
        return BadInput("--format", why, f"known are {', '.join(known)}")
    near = get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return BadInput("--format", f"{name!r} is no format", hint)


def _param(format: Format, params: Sequence[Param], key: str) -> Param:  # noqa: A002
    for each in params:
        if each.name == key:
            return each
    near = get_close_matches(key, [each.name for each in params], 1, 0.5)
    taken = ", ".join(each.name for each in params) or "none"
    hint = f"did you mean {near[0]}?" if near else f"it takes: {taken}"
    raise BadInput("-p", f"{format.name} has no parameter {key!r} here", hint)


def _value(param: Param, text: str) -> Any:
    if param.choices and text not in param.choices:
        raise BadInput(f"-p {param.name}", f"{text!r} is not one of {', '.join(param.choices)}")
    if param.kind == "flag":
        return _flag(param, text)
    if param.kind == "number":
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise BadInput(f"-p {param.name}", f"{text!r} is not a whole number, 0 or more")
        return int(text)
    return text


def _flag(param: Param, text: str) -> bool:
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0", ""):
        return False
    raise BadInput(f"-p {param.name}", f"{text!r} is neither true nor false")
