"""Exponents fitted to points, and the picture of them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from bench.chart import svg
from bench.growth import Growth, Point, growth

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def grown(exponent: float, factor: float, start: float = 0.2) -> Growth:
    points = [Point(n, start + factor * n**exponent, n < 1_000_000) for n in SIZES]
    return growth("query", "a query", start, points)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.4])
def test_the_exponent_is_found_beneath_start_up(exponent: float) -> None:
    found = grown(exponent, 1e-4, start=0.001).fit
    assert found is not None
    assert found.exponent == pytest.approx(exponent)
    assert found.used == 3
    assert found.seconds(10_000) == pytest.approx(0.001 + 1e-4 * 10_000**exponent)


def test_what_is_lost_in_start_up_has_no_say() -> None:
    points = [Point(10_000, 0.19, True), Point(100_000, 0.4, True), Point(1_000_000, 2.2, True)]
    found = growth("query", "a query", 0.2, points).fit
    assert found is not None
    assert found.used == 2
    assert found.exponent == pytest.approx(1.0)


def test_small_sizes_have_no_say() -> None:
    points = [Point(1_000, 50.0, True), Point(10_000, 1.2, True), Point(100_000, 10.2, True)]
    found = growth("query", "a query", 0.2, points).fit
    assert found is not None
    assert found.exponent == pytest.approx(1.0)


def test_a_cost_that_does_not_grow_is_called_flat() -> None:
    flat = growth("status", "status", 0.1, [Point(n, 0.11, True) for n in SIZES])
    assert flat.fit is None
    assert flat.verdict == "flat: start-up only"
    few = growth("status", "status", 0.1, [Point(1_000, 0.3, True), Point(10_000, 9.0, True)])
    assert few.verdict == "too few sizes"


def test_the_picture_is_xml_with_a_panel_an_operation() -> None:
    unmeasured = growth("none", "not <drawn>", 0.1, [])
    picture = svg([grown(1.0, 1e-4), unmeasured, grown(0.5, 1e-2)], "2 cores & more")
    root = ElementTree.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}g")) == 2
    kinds = [circle.get("class") for circle in root.iter(f"{space}circle")]
    # Three with files and one without in each panel, and the legend.
    assert kinds == ["files", "files", "files", "none"] * 2 + ["files", "none"]
    words = [text.text for text in root.iter(f"{space}text")]
    assert "2 cores & more" in words
    assert words.count("grows as n^1.00") == words.count("grows as n^0.50") == 1
    assert "prefers-color-scheme: dark" in picture


def test_everything_drawn_lies_inside_the_picture() -> None:
    root = ElementTree.fromstring(svg([grown(1.0, 1e-4)] * 5, ""))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    space = "{http://www.w3.org/2000/svg}"
    for group in root.findall(f"{space}g"):
        x, y = map(float, re.findall(r"[\d.]+", group.get("transform", "")))
        for circle in group.iter(f"{space}circle"):
            assert 0 < x + float(circle.get("cx", -1)) < width
            assert 0 < y + float(circle.get("cy", -1)) < height


def test_a_larger_cost_is_drawn_higher() -> None:
    root = ElementTree.fromstring(svg([grown(1.0, 1e-4)], ""))
    panel = root.find("{http://www.w3.org/2000/svg}g")
    assert panel is not None
    circles = list(panel.iter("{http://www.w3.org/2000/svg}circle"))
    heights = [float(circle.get("cy", 0)) for circle in circles]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 4


def test_a_cost_that_stays_is_not_called_growth() -> None:
    points = [Point(n, 0.5, True) for n in (10_000, 100_000, 1_000_000)]
    assert growth("commit_100", "commit", 0.2, points).verdict == "does not grow"
