"""Values as JSON text, as every writer spells it."""

from __future__ import annotations

import json
from typing import Any

import orjson

from ldb.errors import BadInput


def json_text(value: Any, indented: bool = False) -> bytes:
    """UTF-8 with a newline at its end, keys in the order they have; or `BadInput`."""
    options = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indented else 0)
    try:
        return orjson.dumps(value, option=options)
    except orjson.JSONEncodeError:
        # It stops at 254 levels, two short of what is stored.
        try:
            text = json.dumps(value, indent=2 if indented else None, ensure_ascii=False)
            return text.encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise BadInput("annotation", f"cannot be written as JSON: {error}") from None
