"""How the cost of an operation grows with size: points, and the exponent fitted to them.

What an operation takes over ten objects is its start-up: interpreter, imports, opening the
instance. It is taken off before fitting, or every cost would look flat while start-up dominates.
The exponent k is that of `start-up + c · n^k`: the slope of a straight line through the logarithms
of size and of the rest, by least squares, over sizes of 10k and more. Where the rest is not more
than a tenth of the start-up it is noise, and the point has no say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BASE = 10
"""Objects of the run that stands for start-up."""

FROM = 10_000
"""Smallest size that is fitted."""

RESOLUTION = 0.1
"""Share of the start-up below which a difference is noise."""


@dataclass(frozen=True, slots=True)
class Point:
    """Median seconds at one size; `files` tells real files from annotations without any."""

    size: int
    seconds: float
    files: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """`seconds = start + factor * size ** exponent`; `used` says how many points decided."""

    start: float
    factor: float
    exponent: float
    used: int

    def seconds(self, size: float) -> float:
        """What the fit says of a size."""
        return self.start + self.factor * math.pow(size, self.exponent)


@dataclass(frozen=True, slots=True)
class Growth:
    """One operation; no fit where fewer than two points stand out from start-up."""

    operation: str
    title: str
    start: float
    points: Sequence[Point]
    fit: Fit | None

    @property
    def verdict(self) -> str:
        """The exponent in words."""
        if self.fit is not None and self.fit.exponent < 0.05:
            return "does not grow"
        if self.fit is not None:
            return f"grows as n^{self.fit.exponent:.2f}"
        fitted = [point for point in self.points if point.size >= FROM]
        return "flat: start-up only" if len(fitted) > 1 else "too few sizes"


def growth(operation: str, title: str, start: float, points: Sequence[Point]) -> Growth:
    """Fit the points of an operation whose start-up takes `start` seconds."""
    return Growth(operation, title, start, points, _fit(start, points))


def _fit(start: float, points: Sequence[Point]) -> Fit | None:
    beyond = [
        (math.log(point.size), math.log(point.seconds - start))
        for point in points
        if point.size >= FROM and point.seconds - start > RESOLUTION * start
    ]
    if len({x for x, _ in beyond}) < 2:
        return None
    mean_x = sum(x for x, _ in beyond) / len(beyond)
    mean_y = sum(y for _, y in beyond) / len(beyond)
    spread = sum((x - mean_x) ** 2 for x, _ in beyond)
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in beyond) / spread
    return Fit(start, math.exp(mean_y - exponent * mean_x), exponent, len(beyond))
