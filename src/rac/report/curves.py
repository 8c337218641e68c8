"""Charts of numbers against numbers as SVG: lines or points, linear or logarithmic; pure functions.

The colours follow the reader's light or dark scheme, so that a file can stand in a page or on its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from rac.report.labels import place

Point = tuple[float, float]

WIDTH, HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 44
STYLE = Markup(
    "svg{font:12px system-ui,sans-serif}"
    ".ink{fill:#1d2126}.soft{fill:#5b6470}.grid{stroke:#d9d6cf}.axis{stroke:#5b6470}"
    ".c0{stroke:#1f5f8b;fill:#1f5f8b}.c1{stroke:#b4560f;fill:#b4560f}.c2{stroke:#1c7a4a;fill:#1c7a4a}"
    ".c3{stroke:#8a3ffc;fill:#8a3ffc}.c4{stroke:#b3261e;fill:#b3261e}.c5{stroke:#6c6c6c;fill:#6c6c6c}"
    ".line{fill:none;stroke-width:2}.name{stroke:none}"
    "@media(prefers-color-scheme:dark){.ink{fill:#e7e4de}.soft{fill:#a2abb5}.grid{stroke:#363c43}.axis{stroke:#a2abb5}"
    ".c0{stroke:#7fbce6;fill:#7fbce6}.c1{stroke:#f0a268;fill:#f0a268}.c2{stroke:#62cf98;fill:#62cf98}"
    ".c3{stroke:#be95ff;fill:#be95ff}.c4{stroke:#f28b82;fill:#f28b82}.c5{stroke:#a8a8a8;fill:#a8a8a8}.line{fill:none}}"
)
"""Style of every chart; a page that holds charts puts it in its own style sheet."""


def ticks(low: float, high: float, *, log: bool) -> list[float]:
    """Return the numbers at an axis: powers of ten, or round steps."""
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return [10.0**exponent for exponent in range(first, max(last, first + 1) + 1)]
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span))
    for factor in (0.1, 0.2, 0.5, 1.0):
        if span / (step * factor) <= 6:
            step *= factor
            break
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def short(value: float) -> str:
    """Return a number as an axis shows it: ``10 k``, ``1 M``, ``0.01``."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def chart(
    title: str, series: Mapping[str, Sequence[Point]], x_label: str, *,
    log_x: bool = True, log_y: bool = True, lines: bool = True, named: Collection[str] | None = None,
) -> Markup:  # fmt: skip
    """Draw one chart.

    Args:
        title: Heading, which names the y-axis.
        series: Name -> points; on a logarithmic axis numbers must be above 0.
        x_label: Name of the x-axis.
        log_x: Whether the x-axis is logarithmic.
        log_y: Whether the y-axis is logarithmic.
        lines: Join the points of a series and name it at its end; otherwise each point is named.
        named: Without lines, the series that are named; all by default. The others tell their name when pointed at.
    """
    points = [point for row in series.values() for point in row]
    if not points:
        return Markup("")
    x_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points), log=log_x)
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points), log=log_y)

    def scale(value: float, marks: list[float], start: float, end: float, log: bool) -> float:
        low, high, at = marks[0], marks[-1], value
        if log:
            low, high, at = math.log10(low), math.log10(high), math.log10(value)
        return round(start + (end - start) * (at - low) / (high - low), 1)

    def x(value: float) -> float:
        return scale(value, x_ticks, LEFT, WIDTH - RIGHT, log_x)

    def y(value: float) -> float:
        return scale(value, y_ticks, HEIGHT - BOTTOM, TOP, log_y)

    parts = [
        Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            WIDTH, HEIGHT, describe(title, series)
        ),
        Markup('<text class="ink" x="{}" y="18" font-weight="600">{}</text>').format(LEFT, title),
        Markup('<text class="soft" x="{}" y="{}" text-anchor="end">{}</text>').format(
            WIDTH - RIGHT, HEIGHT - 6, x_label
        ),
    ]
    for tick in x_ticks:
        parts.append(
            Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x(tick), TOP, HEIGHT - BOTTOM)
            + Markup('<text class="soft" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                x(tick), HEIGHT - BOTTOM + 16, short(tick)
            )
        )
    for tick in y_ticks:
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, y(tick), y(tick))
            + Markup('<text class="soft" x="{}" y="{}" text-anchor="end">{}</text>').format(
                LEFT - 6, y(tick) + 4, short(tick)
            )
        )
    for number, (name, row) in enumerate(series.items()):
        colour = f"c{number % 6}"
        if lines:
            path = " ".join(f"{x(a)},{y(b)}" for a, b in row)
            parts.append(Markup('<polyline class="{} line" points="{}"/>').format(colour, path))
        for a, b in row:
            parts.append(
                Markup('<circle class="{}" cx="{}" cy="{}" r="3.5"><title>{}</title></circle>').format(
                    colour, x(a), y(b), f"{name}: {short(a)}, {b:.4g}"
                )
            )
    numbers = [number for number, name in enumerate(series) if lines or named is None or name in named]
    rows = list(series.items())
    ends = [(rows[number][0], x(rows[number][1][-1][0]), y(rows[number][1][-1][1])) for number in numbers]
    dots = [(x(a), y(b)) for a, b in points]
    if lines:  # names keep off the lines too
        dots += [
            (x0 + (x1 - x0) * step / 24, y0 + (y1 - y0) * step / 24)
            for row in series.values()
            for (x0, y0), (x1, y1) in pairwise((x(a), y(b)) for a, b in row)
            for step in range(1, 24)
        ]
    labels = place(ends, dots, (LEFT, TOP - 8, WIDTH - 2, HEIGHT - BOTTOM))
    for number, (name, a, b), label in zip(numbers, ends, labels, strict=True):
        if label.leader:
            parts.append(
                Markup('<line class="c{}" x1="{}" y1="{}" x2="{}" y2="{}" stroke-width="0.7"/>').format(
                    number % 6, a, b, label.x, label.y - 4
                )
            )
        parts.append(
            Markup('<text class="c{} name" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                number % 6, label.x, label.y, label.anchor, name
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def describe(title: str, series: Mapping[str, Sequence[Point]]) -> str:
    """Return what a chart shows in words, for readers who do not see it."""
    rows = [f"{name}: " + ", ".join(f"{short(a)}: {b:.4g}" for a, b in row) for name, row in series.items()]
    return f"{title}. " + "; ".join(rows)


def panels(charts: Sequence[Markup], columns: int = 2) -> str:
    """Return charts side by side as one SVG file."""
    rows = -(-len(charts) // columns)
    placed = [
        Markup('<svg x="{}" y="{}" width="{}" height="{}">{}</svg>').format(
            (number % columns) * WIDTH, (number // columns) * HEIGHT, WIDTH, HEIGHT, drawn
        )
        for number, drawn in enumerate(charts)
    ]
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}"><style>{}</style>{}</svg>\n'
        ).format(WIDTH * columns, HEIGHT * rows, WIDTH * columns, STYLE, Markup("").join(placed))
    )
