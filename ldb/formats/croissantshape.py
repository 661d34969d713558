"""The JSON-LD of Croissant 1.0: record sets out of it, and a description of one's own.

Only what is needed: a record set with inline `data`, or whose fields are columns of one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ldb.errors import BadInput
from ldb.formats.base import why_of
from ldb.objects.codec import parse_json

CONFORMS = "http://mlcommons.org/croissant/1.0"
JSON_FIELD = "ldb:json"
"""A property of a field whose texts are JSON."""

TYPES = {"bool": "sc:Boolean", "int": "sc:Integer", "float": "sc:Float"}


@dataclass(slots=True)
class Set:
    """A record set."""

    name: str
    data: list[Any] = field(default_factory=list)
    """Records that stand in the metadata."""
    table: str = ""
    """Path or URL of the file that its fields are columns of."""
    columns: dict[str, str] = field(default_factory=dict)
    """Column → name of the field."""
    in_json: set[str] = field(default_factory=set)
    """Names of fields whose texts are JSON."""

    def of_inline(self, record: Any) -> dict[str, Any]:
        """A record of `data` by names of fields; empty for what is none."""
        if not isinstance(record, dict):
            return {}
        return self._parsed({key.removeprefix(f"{self.name}/"): record[key] for key in record})

    def of_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the table by names of fields."""
        return self._parsed({name: row[key] for key, name in self.columns.items() if key in row})

    def _parsed(self, found: dict[str, Any]) -> dict[str, Any]:
        for key in self.in_json & found.keys():
            if isinstance(found[key], str):
                found[key] = _json(key, found[key])
        return found


def _json(key: str, text: str) -> Any:
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"), f"field {key}")
    except BadInput as error:
        raise BadInput(f"field {key}", why_of(error)) from None


def record_sets(value: Any) -> list[Set]:
    """The record sets of a description; raises `BadInput` where it is none."""
    if not isinstance(value, dict):
        raise BadInput("metadata", "is no JSON object")
    urls = {}
    for each in _objects(value, "distribution"):
        url = _text(each, "contentUrl")
        if url:
            urls[_text(each, "@id") or _text(each, "name")] = url
    return [_set(each, urls) for each in _objects(value, "recordSet")]


def _set(value: Mapping[str, Any], urls: Mapping[str, str]) -> Set:
    found = Set(_text(value, "@id") or _text(value, "name"))
    data = value.get("data")
    found.data = data if isinstance(data, list) else []
    tables: dict[str, None] = {}
    for each in _objects(value, "field"):
        name = (_text(each, "name") or _text(each, "@id")).removeprefix(f"{found.name}/")
        if each.get(JSON_FIELD) is True:
            found.in_json.add(name)
        source = each.get("source")
        if not isinstance(source, dict):
            continue
        extract = source.get("extract")
        column = _text(extract, "column") if isinstance(extract, dict) else ""
        at = _reference(source.get("fileObject") or source.get("distribution"))
        if column and at in urls:
            tables[urls[at]] = None
            found.columns[column] = name
    if len(tables) == 1:
        found.table = next(iter(tables))
    elif tables:
        found.columns = {}  # joined from several files, which is not done here
    return found


def _objects(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key, [])
    some: Sequence[Any] = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in some):
        raise BadInput(key, "is no list of objects")
    return list(some)


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key, "")
    return found if isinstance(found, str) else ""


def _reference(value: Any) -> str:
    """The id that `{"@id": …}`, or a text, refers to."""
    if isinstance(value, dict):
        return _text(value, "@id")
    return value if isinstance(value, str) else ""


CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "ldb": "urn:ldb:",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def described(
    name: str,
    table: str,
    digest: str,
    size: int,
    kinds: Mapping[str, str],
    endings: Mapping[str, str],
) -> dict[str, Any]:
    """The description of data files by their endings (with types), and of a table of records."""
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": f"files-{ending}" if ending else "files",
            "name": f"files-{ending}" if ending else "files",
            "encodingFormat": kind,
            "includes": f"*.{ending}" if ending else "*",
        }
        for ending, kind in sorted(endings.items())
    ]
    records = {
        "@type": "cr:FileObject",
        "@id": table,
        "name": table,
        "contentUrl": table,
        "contentSize": f"{size} B",
        "encodingFormat": "application/jsonlines",
        "sha256": digest,
    }
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": name,
        "description": f"The dataset {name}, written by LDB.",
        "distribution": [records, *sets],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "records",
                "name": "records",
                "field": [_field(table, key, kinds[key]) for key in sorted(kinds)],
            }
        ],
    }


def _field(table: str, key: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"records/{key}",
        "name": key,
        "dataType": TYPES.get(kind, "sc:Text"),
        "source": {"fileObject": {"@id": table}, "extract": {"column": key}},
    }
    return {**found, JSON_FIELD: True} if kind == "json" else found
