"""Where the names of points go in a chart, so that they cover neither each other nor a point; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHAR, LINE = 6.4, 13.0
"""Rough width of a letter and height of a line at 12 pixels."""


@dataclass(frozen=True)
class Label:
    """A placed text: where it starts or ends (``anchor``), its base line, and whether a stroke leads to its point."""

    x: float
    y: float
    anchor: str
    leader: bool


Box = tuple[float, float, float, float]


def place(
    names: Sequence[tuple[str, float, float]], dots: Sequence[tuple[float, float]], bounds: Box
) -> list[Label]:  # fmt: skip
    """Return a place for each name, near its point: the first of a growing ring of places that is free.

    Args:
        names: (text, x, y) of each point that is named.
        dots: Every point of the chart.
        bounds: left, top, right, bottom of the room there is.
    """
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    placed = []
    for text, x, y in names:
        width = CHAR * len(text)
        best: tuple[float, Label, Box] | None = None
        for ring in range(12):
            reach = 8 + 7 * ring
            for side, dy in ((1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1), (0, 1)):
                left = {0: x - width / 2, 1: x + 8, -1: x - 8 - width}[side]
                base = y + 4 + dy * reach if dy else y + 4
                box = (left, base - LINE + 3, left + width, base + 3)
                cost = sum(_overlap(box, other) for other in taken) + 4 * _outside(box, bounds)
                anchor, at = {1: ("start", left), -1: ("end", left + width), 0: ("middle", x)}[side]
                if best is None or cost < best[0]:
                    best = (cost, Label(round(at, 1), round(base, 1), anchor, ring > 0 and dy != 0), box)
            if best is not None and best[0] == 0:
                break
        assert best is not None
        taken.append(best[2])
        placed.append(best[1])
    return placed


def _overlap(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _outside(box: Box, bounds: Box) -> float:
    width = max(0.0, bounds[0] - box[0]) + max(0.0, box[2] - bounds[2])
    height = max(0.0, bounds[1] - box[1]) + max(0.0, box[3] - bounds[3])
    return width * LINE + height * (box[2] - box[0])


def front(points: Sequence[tuple[float, float]], *, low_x: bool) -> list[int]:
    """Return the positions of points that no other beats: better in one number and at least as good in the other.

    Args:
        points: (cost or speed, quality); more quality is better.
        low_x: Whether less of the first number is better.
    """
    sign = -1 if low_x else 1

    def beaten(a: int) -> bool:
        x, y = points[a]
        return any(sign * u >= sign * x and v >= y and (u != x or v != y) for b, (u, v) in enumerate(points) if b != a)

    return [number for number in range(len(points)) if not beaten(number)]
