"""XML from outside, read an element at a time and never expanded.

A document type is refused, so there are no entities of the file's own and nothing is fetched;
depth and size of one element are bounded, so a file of any length takes little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from ldb.errors import BadInput

MAX_DEPTH = 64
MAX_ELEMENT = 16 * 1024 * 1024
"""Characters and tags, each counted as 64, of one element below the root."""
CHUNK = 1 << 16


class _Children:
    """Takes what the parser meets; collects whole elements right below the root."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.root: Element | None = None
        self.done: list[Element] = []
        self._depth = 0
        self._size = 0
        self._builder = TreeBuilder()

    def doctype(self, *_: object) -> None:
        raise BadInput(self.where, "has a document type (<!DOCTYPE …>), which is not read")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self.root = Element(tag, attributes)
            return
        if self._depth == 2:
            self._builder, self._size = TreeBuilder(), 0
        if self._depth > MAX_DEPTH:
            raise BadInput(self.where, f"elements nested deeper than {MAX_DEPTH}")
        self._grow(64 + sum(len(name) + len(value) for name, value in attributes.items()))
        self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        if self._depth >= 1:
            self._builder.end(tag)
        if self._depth == 1:
            self.done.append(self._builder.close())

    def data(self, text: str) -> None:
        if self._depth > 1:
            self._grow(len(text))
            self._builder.data(text)

    def close(self) -> None:
        pass

    def _grow(self, by: int) -> None:
        self._size += by
        if self._size > MAX_ELEMENT:
            raise BadInput(self.where, f"an element of more than {MAX_ELEMENT} characters")


def children(file: BinaryIO, root: str, where: str) -> Iterator[Element]:
    """The elements right below the root, which must be a `root`; raises `BadInput`.

    Those before a place where the text is no XML are given first.
    """
    target = _Children(where)
    parser = XMLParser(target=target)
    checked = False
    for data in _chunks(file):
        error = None
        try:
            parser.feed(data) if data else parser.close()
        except (ParseError, ValueError, LookupError) as failed:
            error = BadInput(where, f"bad XML: {failed}")
        if not checked and target.root is not None:
            checked = True
            if target.root.tag != root:
                raise BadInput(where, f"its root is <{target.root.tag[:60]}>, not <{root}>")
        done, target.done = target.done, []
        yield from done
        if error:
            raise error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data
    yield b""


def plain(element: Element) -> Any:
    """An element as JSON: its text, or an object of what it holds, repeated tags as a list.

    Attributes get an `@` in front, text beside elements is `#text`.
    """
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    value: dict[str, Any] = {f"@{name}": given for name, given in element.attrib.items()}
    for each in element:
        put(value, each.tag, plain(each))
    if text:
        value["#text"] = text
    return value


def put(value: dict[str, Any], key: str, content: Any) -> None:
    """Add to `value`; a key that is there already gets a list."""
    if key not in value:
        value[key] = content
    elif isinstance(value[key], list):
        value[key].append(content)
    else:
        value[key] = [value[key], content]
