"""The growth of every operation as one SVG: a panel each, both axes logarithmic and shared.

Written by hand: no drawing library, and the same bytes for the same figures. Colours follow the
reader's light or dark mode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.generate import show_size
from bench.growth import Growth, Point

COLUMNS = 4
WIDTH, HEIGHT = 190, 128
"""Of the plotting area of a panel."""
LEFT, TOP, RIGHT, BOTTOM = 56, 50, 18, 26
"""Room around it."""
HEAD, FOOT = 62, 48

# Spelt out rather than by CSS variables, which some renderers do not know.
_LIGHT = {"paper": "#ffffff", "ink": "#1b1f24", "soft": "#59636e"}
_LIGHT |= {"grid": "#e4e8ec", "line": "#1f6fb2"}
_DARK = {"paper": "#12161b", "ink": "#e8ecf0", "soft": "#9aa4af"}
_DARK |= {"grid": "#2a3038", "line": "#6db3f2"}


def _colours(of: dict[str, str]) -> str:
    return "\n".join(
        (
            f"text {{ fill: {of['soft']} }}",
            f".head, .title, .value {{ fill: {of['ink']} }}",
            f".paper {{ fill: {of['paper']} }}",
            f".grid {{ stroke: {of['grid']} }}",
            f".fit, .files, .none {{ stroke: {of['line']} }}",
            f".files {{ fill: {of['line']} }}",
            f".none {{ fill: {of['paper']} }}",
            f".start {{ stroke: {of['soft']} }}",
        )
    )


STYLE = f"""
text {{ font: 11px system-ui, -apple-system, "Segoe UI", sans-serif }}
.head {{ font-size: 16px; font-weight: 600 }}
.title {{ font-size: 12.5px; font-weight: 600 }}
.fit {{ fill: none; stroke-width: 1.6; stroke-linejoin: round }}
.files, .none {{ stroke-width: 1.6 }}
.start {{ stroke-dasharray: 2 3 }}
{_colours(_LIGHT)}
@media (prefers-color-scheme: dark) {{
{_colours(_DARK)}
}}
"""


class _Axes:
    """From size and seconds to places in a panel; whole decades."""

    def __init__(self, points: Sequence[Point]) -> None:
        sizes = [math.log10(point.size) for point in points]
        seconds = [math.log10(point.seconds) for point in points]
        self.left, self.right = math.floor(min(sizes)), math.ceil(max(sizes))
        self.right = max(self.right, self.left + 1)
        self.low, self.high = math.floor(min(seconds)), math.ceil(max(seconds))
        self.high = max(self.high, self.low + 1)

    def x(self, size: float) -> float:
        return LEFT + (math.log10(size) - self.left) / (self.right - self.left) * WIDTH

    def y(self, seconds: float) -> float:
        share = (math.log10(seconds) - self.low) / (self.high - self.low)
        return TOP + HEIGHT * (1 - share)


def svg(growths: Sequence[Growth], subtitle: str) -> str:
    """The picture; at least one operation must have a point."""
    shown = [each for each in growths if each.points]
    axes = _Axes([point for each in shown for point in each.points])
    panel_width, panel_height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    rows = math.ceil(len(shown) / COLUMNS)
    width, height = COLUMNS * panel_width, HEAD + rows * panel_height + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="Cost against size">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        _text(16, 28, "Cost against size: seconds by number of data objects", "head"),
        _text(16, 47, subtitle),
    ]
    for at, each in enumerate(shown):
        x, y = at % COLUMNS * panel_width, HEAD + at // COLUMNS * panel_height
        parts += [f'<g transform="translate({x} {y})">', *_panel(each, axes), "</g>"]
    parts += [*_legend(height - FOOT + 22), "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(each: Growth, axes: _Axes) -> list[str]:
    parts = [
        _text(LEFT, 20, each.title, "title"),
        _text(LEFT, 36, each.verdict, "value"),
        *_grid(axes),
    ]
    if math.log10(each.start) >= axes.low:
        y = axes.y(each.start)
        parts.append(_line(LEFT, y, LEFT + WIDTH, y, "start"))
    if each.fit is not None:
        first, last = each.points[0].size, each.points[-1].size
        steps = [first * (last / first) ** (step / 40) for step in range(41)]
        places = [(axes.x(size), axes.y(each.fit.seconds(size))) for size in steps]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places if y <= TOP + HEIGHT)
        parts.append(f'<polyline class="fit" points="{joined}"/>')
    for point in each.points:
        kind = "files" if point.files else "none"
        x, y = axes.x(point.size), axes.y(point.seconds)
        parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.2">'
            f"<title>{show_size(point.size)}: {seconds(point.seconds)}</title></circle>"
        )
    largest = each.points[-1]
    x, y = axes.x(largest.size), axes.y(largest.seconds)
    parts.append(_text(x, y - 8, seconds(largest.seconds), "value", "end" if x > 200 else "middle"))
    return parts


def _grid(axes: _Axes) -> list[str]:
    parts = []
    for decade in range(axes.left, axes.right + 1):
        x = axes.x(10**decade)
        parts.append(_line(x, TOP, x, TOP + HEIGHT, "grid"))
        parts.append(_text(x, TOP + HEIGHT + 15, show_size(10**decade), "", "middle"))
    for decade in range(axes.low, axes.high + 1):
        y = axes.y(10.0**decade)
        parts.append(_line(LEFT, y, LEFT + WIDTH, y, "grid"))
        parts.append(_text(LEFT - 6, y + 4, f"{10.0**decade:g} s", "", "end"))
    return parts


def _legend(y: float) -> list[str]:
    return [
        f'<circle class="files" cx="22" cy="{y - 4}" r="3.2"/>',
        _text(32, y, "real files"),
        f'<circle class="none" cx="112" cy="{y - 4}" r="3.2"/>',
        _text(122, y, "annotations without files"),
        _line(282, y - 4, 306, y - 4, "start"),
        _text(312, y, "the same command over 10 objects: its start-up"),
        _line(600, y - 4, 624, y - 4, "fit"),
        _text(630, y, "start-up + c · n^k, least squares on logarithms, 10k and more"),
    ]


def seconds(value: float) -> str:
    """Three digits are enough: 0.08 s, 2.4 s, 130 s."""
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
