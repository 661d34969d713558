"""XML from outside: read a piece at a time, never expanded, never deeper or larger than a bound."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.formats.base import Losses
from ldb.formats.boxes.losses import Told
from ldb.formats.boxes.xmlread import MAX_ELEMENT, children, plain
from ldb.formats.boxes.xmlwrite import Xml

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e SYSTEM "file:///etc/passwd">]>
<a><x>&d;&e;</x></a>"""


def of(data: bytes) -> list[Any]:
    return [plain(each) for each in children(BytesIO(data), "a", "a.xml")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "document type"),
        (b"<b></b>", "its root is <b>"),
        (b"", "bad XML"),
        (b"<a><x>", "bad XML"),
        (b"<a><x>&nbsp;</x></a>", "bad XML"),
        (b"<a>" + b"<x>" * 100, "nested deeper"),
        (b"<a><x>" + b"y" * (MAX_ELEMENT + 1) + b"</x></a>", "characters"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "bad XML"),
    ],
)
def test_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        of(data)
    assert caught.value.where == "a.xml"


def test_elements_before_the_damage_are_given() -> None:
    found = children(BytesIO(b"<a><x>1</x><y" + b" " * 70_000 + b"><</a>"), "a", "a.xml")
    assert plain(next(found)) == "1"
    with pytest.raises(BadInput):
        next(found)


def test_as_json() -> None:
    [found] = of(b'<a><x id="1">t<y>2</y><y>3</y><z/></x></a>')
    assert found == {"@id": "1", "#text": "t", "y": ["2", "3"], "z": ""}


_KEYS = st.sampled_from(["a", "b", "@c"])
_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=5)


@settings(max_examples=25)
@given(st.dictionaries(_KEYS, _TEXTS | st.dictionaries(_KEYS, _TEXTS, min_size=1), min_size=1))
def test_there_and_back(value: dict[str, Any]) -> None:
    value = {k: v for k, v in value.items() if isinstance(v, str) or not k.startswith("@")}
    losses = Losses()
    lines = Xml(Told(losses), "x").element("x", value)
    [found] = of("\n".join(["<a>", *lines, "</a>"]).encode())
    assert (found or {}) == value
    assert losses.found == []


def test_what_xml_cannot_hold_is_told() -> None:
    losses = Losses()
    xml = Xml(Told(losses), "x.jpg")
    assert xml.element("a b", "1") == []
    assert xml.element("a", "\0<\ud800") == ["  <a>\ufffd&lt;\ufffd</a>"]
    assert [(each.why, each.first) for each in losses.found] == [
        ("keys that cannot be elements of XML", "x.jpg"),
        ("characters that XML has no place for", "x.jpg"),
    ]
