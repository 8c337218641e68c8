"""Distribution plots as inline SVG: one figure per metric, one row per system, mean and interval drawn over it.

Pure functions of numbers to SVG text. Colours come from CSS classes, so that one figure serves light and dark pages;
every text that comes from outside is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from rac.report.data import MetricInfo, Summary, format_value

WIDTH, LABEL, RIGHT, ROW, TOP, BOTTOM = 360, 96, 46, 36, 6, 22
"""Pixels: whole width, column of system names, column of means, height of a row, margins."""
BINS = 20


def domain(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of the x-axis: 0..1 if all values lie in it, else from 0 (or below) to a round number."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    step = 10.0 ** math.floor(math.log10(max(abs(low), abs(high), 1e-9)))
    for fraction in (0.1, 0.2, 0.5, 1.0):
        if max(abs(low), abs(high)) / (step * fraction) <= 10:
            step *= fraction
            break
    return min(0.0, math.floor(low / step) * step), max(0.0, math.ceil(high / step) * step)


def bin_count(values: Sequence[float], low: float, high: float) -> int:
    """Return how many bins to use: one a number for whole numbers in a small range (word counts), else ``BINS``."""
    whole = all(value == int(value) for value in values)
    return int(high - low) if whole and 5 <= high - low <= 2 * BINS else BINS


def histogram(values: Sequence[float], low: float, high: float, bins: int = BINS) -> list[float]:
    """Return the share of the values in each of ``bins`` equal bins; the last bin includes its upper end."""
    counts = [0] * bins
    for value in values:
        index = int((value - low) / (high - low) * bins)
        counts[min(max(index, 0), bins - 1)] += 1
    return [count / len(values) if values else 0.0 for count in counts]


def distribution_plot(
    metric: MetricInfo, values: Mapping[str, Sequence[float | None]], summaries: Mapping[str, Summary]
) -> Markup:
    """Draw the distribution of a metric for each system.

    Args:
        metric: The metric.
        values: system -> one value per item; None is unscored and left out.
        summaries: system -> mean and interval, drawn as a dot on a line.

    Returns:
        One ``<svg>`` element, or an empty text if no system has a value.
    """
    scored = {system: [v for v in row if v is not None] for system, row in values.items()}
    scored = {system: row for system, row in scored.items() if row}
    if not scored:
        return Markup("")
    everything = [value for row in scored.values() for value in row]
    low, high = domain(everything)
    plot = WIDTH - LABEL - RIGHT
    height = TOP + ROW * len(scored) + BOTTOM

    def x(value: float) -> float:
        return round(LABEL + plot * (value - low) / (high - low), 2)

    # Shares of one-or-zero metrics need no histogram: mean and interval say everything.
    binary = set(everything) <= {0.0, 1.0}
    bins = bin_count(everything, low, high)
    shares = {system: histogram(row, low, high, bins) for system, row in scored.items()}
    parts = [
        Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            WIDTH, height, _description(metric, scored, summaries)
        )
    ]
    base_y = TOP + ROW * len(scored)
    for tick in (low, (low + high) / 2, high):
        parts.append(
            Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x(tick), TOP, base_y)
            + Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                x(tick), base_y + 14, format_tick(tick, metric)
            )
        )
    for row, (system, share) in enumerate(shares.items()):
        bottom = TOP + ROW * (row + 1) - 6
        parts.append(_label(system, bottom))
        if not binary:
            parts.append(_bars(share, bottom, plot))
        parts.append(
            Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x(low), x(high), bottom, bottom)
        )
        summary = summaries.get(system)
        if summary and summary["mean"] is not None:
            parts.append(_interval(summary, x, bottom - (ROW // 3 if binary else 0)))
            parts.append(
                Markup('<text class="value" x="{}" y="{}" text-anchor="end">{}</text>').format(
                    WIDTH - 2, bottom - 7, format_value(summary["mean"], metric)
                )
            )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def format_tick(value: float, metric: MetricInfo) -> str:
    """Return an axis label: as short as can be."""
    return f"{100 * value:g} %" if metric.percent else f"{value:g}"


def _label(system: str, bottom: float) -> Markup:
    short = system if len(system) <= 14 else system[:13] + "…"
    return Markup('<text class="name" x="{}" y="{}" text-anchor="end">{}<title>{}</title></text>').format(
        LABEL - 8, bottom - 7, short, system
    )


def _bars(share: Sequence[float], bottom: float, plot: int) -> Markup:
    # Each row has its own scale: one system that always scores 1 would otherwise flatten all the others.
    width, tallest = plot / len(share), max(share)
    bars = [
        Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>').format(
            round(LABEL + i * width + 0.5, 2), round(bottom - part / tallest * (ROW - 10), 2),
            round(width - 1, 2), round(part / tallest * (ROW - 10), 2),
        )
        for i, part in enumerate(share)
        if part > 0
    ]  # fmt: skip
    return Markup("").join(bars)


def _interval(summary: Summary, x: Callable[[float], float], y: float) -> Markup:
    assert summary["mean"] is not None
    drawn = Markup("")
    if summary["low"] is not None and summary["high"] is not None:
        drawn += Markup('<line class="interval" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            x(summary["low"]), x(summary["high"]), y, y
        )
    return drawn + Markup('<circle class="mean" cx="{}" cy="{}" r="3.5"/>').format(x(summary["mean"]), y)


def _description(metric: MetricInfo, scored: Mapping[str, Sequence[float]], summaries: Mapping[str, Summary]) -> str:
    means = [
        f"{system}: mean {format_value(summaries[system]['mean'], metric)}, {len(row)} values"
        for system, row in scored.items()
        if system in summaries
    ]
    return f"Distribution of {metric.title}. " + "; ".join(means)
