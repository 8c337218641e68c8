"""Plots of ``docs/metrics.md`` as SVG: AUC by kind of fault, and support of labelled claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from rac.metrics.output_validation import ClaimAccuracy
from rac.metrics.validation import NUISANCE, Separation

BLUE, GREEN, RED, ORANGE = "#1f5fa8", "#2e8b57", "#c0392b", "#d9822b"


def faults_plot(rows: Sequence[tuple[str, Mapping[str, Separation]]]) -> str:
    """Draw AUC by kind of fault for headline, faith_strict and the best nuisance metric.

    Args:
        rows: For every kind its label and metric -> separation.
    """
    left, right, row, top = 280, 30, 24, 34
    width, height = 760, top + row * len(rows) + 34

    def x(value: float) -> float:
        return left + (max(value, 0.4) - 0.4) / 0.6 * (width - left - right)

    lines = _start(
        width, height, "AUC: blue headline with 95 % interval, green faith (strict), red best nuisance metric"
    )
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        lines.append(f'<line x1="{x(tick):.1f}" y1="{top - 6}" x2="{x(tick):.1f}" y2="{height - 28}" stroke="#ddd"/>')
        lines.append(f'<text x="{x(tick):.1f}" y="{height - 12}" text-anchor="middle" fill="#444">{tick}</text>')
    for index, (label, own) in enumerate(rows):
        y = top + row * index + row / 2
        lines.append(f'<text x="8" y="{y + 4:.1f}" fill="#222">{escape(label)}</text>')
        nuisance = max((own[n].auc or 0.0) for n in NUISANCE if n in own)
        lines.append(f'<rect x="{x(nuisance) - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{RED}"/>')
        if (strict := own.get("faith_strict")) is not None and strict.auc is not None:
            lines.append(f'<circle cx="{x(strict.auc):.1f}" cy="{y:.1f}" r="4" fill="{GREEN}" opacity="0.85"/>')
        head = own["headline"]
        if head.auc is not None and head.auc_low is not None and head.auc_high is not None:
            lines.append(
                f'<line x1="{x(head.auc_low):.1f}" y1="{y:.1f}" x2="{x(head.auc_high):.1f}" y2="{y:.1f}" '
                f'stroke="{BLUE}" stroke-width="2"/>'
            )
            lines.append(f'<circle cx="{x(head.auc):.1f}" cy="{y:.1f}" r="5" fill="{BLUE}" opacity="0.85"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def support_plot(accuracy: ClaimAccuracy, tau: float) -> str:
    """Draw how many supported and unsupported claims have which support, with the threshold."""
    left, top, half = 46, 30, 110
    width, height = 760, top + 2 * half + 44
    bins = len(accuracy.histogram["supported"])
    step = (width - left - 20) / bins
    middle = top + half
    lines = _start(width, height, "Support of labelled claims: supported above the line, unsupported below, own scales")
    for name, colour, sign in (("supported", GREEN, -1), ("unsupported", ORANGE, 1)):
        highest = max(accuracy.histogram[name]) or 1
        for index, count in enumerate(accuracy.histogram[name]):
            tall = count / highest * (half - 16)
            start = left + index * step
            y = middle - tall if sign < 0 else middle
            lines.append(
                f'<rect x="{start + 1:.1f}" y="{y:.1f}" width="{step - 2:.1f}" height="{tall:.1f}" fill="{colour}"/>'
            )
            if count:
                at = middle - tall - 3 if sign < 0 else middle + tall + 12
                lines.append(
                    f'<text x="{start + step / 2:.1f}" y="{at:.1f}" text-anchor="middle" font-size="10" fill="#444">'
                    f"{count}</text>"
                )
    edge = left + tau * bins * step
    lines.append(f'<line x1="{left}" y1="{middle}" x2="{width - 20}" y2="{middle}" stroke="#444"/>')
    lines.append(
        f'<line x1="{edge:.1f}" y1="{top}" x2="{edge:.1f}" y2="{top + 2 * half}" stroke="{RED}" '
        'stroke-dasharray="4 3"/>'
    )
    lines.append(f'<text x="{edge - 4:.1f}" y="{top + 10}" text-anchor="end" fill="{RED}">τ = {tau:.3f}</text>')
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = left + tick * bins * step
        lines.append(f'<text x="{at:.1f}" y="{height - 14}" text-anchor="middle" fill="#444">{tick}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _start(width: int, height: int, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="18" fill="#222">{escape(title)}</text>',
    ]
