"""XML as text: what JSON holds as elements, with nothing in it that XML cannot hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.shape import spelt

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_DEPTH = 32


class Xml:
    """Makes elements; what cannot be one is told as lost."""

    def __init__(self, told: Told, where: str) -> None:
        self._told, self._where = told, where

    def text(self, value: Any) -> str:
        """A value as the text of an element or attribute, not escaped yet."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return spelt(value)
        if value is None:
            return ""
        if isinstance(value, bytes):
            value = value.hex()
        clean = _NOT_XML.sub("\ufffd", str(value))
        if clean != value:
            self._told.add("characters that XML has no place for", self._where)
        return clean

    def element(self, tag: str, value: Any, indent: str = "  ") -> list[str]:
        """The lines of an element: text, or what `xmlread.plain` made of one."""
        if not _NAME.fullmatch(tag) or len(indent) > MAX_DEPTH:
            self._told.add("keys that cannot be elements of XML", self._where)
            return []
        if isinstance(value, list):
            return [line for each in value for line in self.element(tag, each, indent)]
        if not isinstance(value, dict):
            return [f"{indent}<{tag}>{escape(self.text(value))}</{tag}>"]
        given = {k[1:]: v for k, v in value.items() if k.startswith("@") and _NAME.fullmatch(k[1:])}
        inside = [
            line
            for key, each in value.items()
            if not key.startswith("@") and key != "#text"
            for line in self.element(key, each, indent + "  ")
        ]
        text = escape(self.text(value.get("#text", "")))
        return [f"{indent}<{tag}{self.attributes(given)}>{text}", *inside, f"{indent}</{tag}>"]

    def attributes(self, values: Mapping[str, Any]) -> str:
        """Attributes as they stand in a tag, each with a space in front."""
        return "".join(f" {name}={quoteattr(self.text(v))}" for name, v in values.items())
