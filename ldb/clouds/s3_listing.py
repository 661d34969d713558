"""A page of an S3 listing in a tenth of the time that botocore takes to parse one.

botocore reads every field of every key by its description of the API, and times by a parser of
dates in any format: 220 ms for 1,000 keys, against 20 ms here. A session takes another parser as a
component, which is what `quicken` gives it; every other answer goes to botocore's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

LISTING = "ListObjectsV2Output"


def quicken(session: Any) -> None:
    """Let the clients of an `AioSession` parse listings so."""
    from aiobotocore.parsers import AioResponseParserFactory

    session.register_component("response_parser_factory", _Factory(AioResponseParserFactory()))


class _Factory:
    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def set_parser_defaults(self, **defaults: Any) -> None:
        self._factory.set_parser_defaults(**defaults)

    def create_parser(self, protocol: str) -> Any:
        return _Parser(self._factory.create_parser(protocol))


class _Parser:
    def __init__(self, parser: Any) -> None:
        self._parser = parser

    async def parse(self, answer: Mapping[str, Any], shape: Any) -> Any:
        if answer["status_code"] == 200 and shape is not None and shape.name == LISTING:
            parsed = _listing(answer["body"])
            headers = {name.lower(): value for name, value in answer["headers"].items()}
            parsed["ResponseMetadata"] = {"HTTPStatusCode": 200, "HTTPHeaders": headers}
            return parsed
        return await self._parser.parse(answer, shape)


def _listing(body: bytes) -> dict[str, Any]:
    """The fields of the answer that we read, as botocore names them."""
    parsed: dict[str, Any] = {"Contents": [], "CommonPrefixes": []}
    for element in ElementTree.fromstring(body):
        name = element.tag.rpartition("}")[2]
        if name == "Contents":
            fields = {field.tag.rpartition("}")[2]: field.text or "" for field in element}
            parsed[name].append(
                {
                    "Key": fields["Key"],
                    "Size": int(fields["Size"]),
                    "ETag": fields.get("ETag", ""),
                    "LastModified": datetime.fromisoformat(
                        fields["LastModified"].replace("Z", "+00:00")
                    ),
                }
            )
        elif name == "CommonPrefixes":
            parsed[name].append({"Prefix": element[0].text or ""})
        elif name == "IsTruncated":
            parsed[name] = element.text == "true"
        else:
            parsed[name] = element.text or ""
    return parsed
