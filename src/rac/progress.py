"""Progress of long steps: a bar on a terminal, a line now and then elsewhere, always with the time left."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


def format_seconds(seconds: float) -> str:
    """Return a duration as people write it: ``42 s``, ``3 min 05 s``, ``1 h 12 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts units of work and shows how far it is.

    On a terminal one line is redrawn; elsewhere a line is logged every ``interval`` seconds. Nothing is shown for work
    that ends within ``quiet`` seconds.

    Args:
        label: What is being done, as shown.
        total: Number of units, or None if it is not known.
        unit: Name of a unit, in the plural.
        done: Units that were done before (a resumed step); they do not count for the speed.
    """

    def __init__(
        self, label: str, total: int | None = None, *, unit: str = "items", done: int = 0,
        interval: float = 10.0, quiet: float = 1.5,
    ) -> None:  # fmt: skip
        self.label, self.total, self.unit, self.done = label, total, unit, done
        self.note = ""
        self._start, self._first = time.monotonic(), done
        self._terminal = sys.stderr.isatty()
        self._interval = 0.2 if self._terminal else interval
        self._next = self._start + quiet
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def advance(self, units: int = 1, note: str | None = None) -> None:
        """Say that ``units`` more are done; ``note`` is shown behind the numbers (a loss, say)."""
        self.done += units
        if note is not None:
            self.note = note
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval
            self._show(now)

    def _show(self, now: float) -> None:
        elapsed = now - self._start
        made = self.done - self._first
        parts = [f"{self.label}: {self.done}"]
        if self.total:
            parts[0] += f"/{self.total} {self.unit}"
            if made:
                left = elapsed / made * max(self.total - self.done, 0)
                parts.append(f"{format_seconds(left)} left")
        else:
            parts[0] += f" {self.unit}"
        if self.note:
            parts.append(self.note)
        text = ", ".join(parts)
        if self._terminal:
            sys.stderr.write("\r\x1b[2K" + text[:160])
            sys.stderr.flush()
        else:
            log.info("%s", text)
        self._drawn = True

    def close(self) -> None:
        """Finish the line."""
        if self._drawn and self._terminal:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def track(items: Iterable[T], label: str, *, total: int | None = None, unit: str = "items") -> Iterator[T]:
    """Yield ``items`` and show progress."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(label, total, unit=unit) as progress:
        for item in items:
            yield item
            progress.advance()
