"""What happened while a corpus was read: files read, skipped and refused, and why; shown when the reading ends."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

log = logging.getLogger(__name__)
SHOWN = 20
"""Problems that are logged one by one; the report itself keeps all."""


class Problem(NamedTuple):
    """A file that was not read, or not to its end, and why."""

    file: str
    reason: str
    passages: int = 0
    """Passages that had been read before; they are kept."""


@dataclass
class ReadReport:
    """Counts and problems of one reading.

    Attributes:
        files: Files read, by format.
        passages: Passages that came out.
        problems: Files that could not be read, or not to their end.
        skipped: What was passed over, by reason ("kind '.png'", "hidden", ...), in files.
        notes: What was changed in what was read ("decoded as cp1252", ...), by kind, in files.
        unchanged: Files that an earlier reading had seen already.
        near_duplicates: Passages that are nearly the text of an earlier one.
        dropped: How many of these were left out.
    """

    files: Counter[str] = field(default_factory=Counter)
    passages: int = 0
    problems: list[Problem] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    near_duplicates: int = 0
    dropped: int = 0

    def lines(self) -> list[str]:
        """Return the report as lines for people, without what is zero; nothing if all went well and nothing is odd."""
        lines = []
        if self.skipped:
            most = ", ".join(f"{count} {reason}" for reason, count in self.skipped.most_common(12))
            lines.append(f"skipped: {most}")
        if self.notes:
            lines.append("notes: " + ", ".join(f"{count} {note}" for note, count in sorted(self.notes.items())))
        if self.near_duplicates:
            left = f"{self.dropped} left out" if self.dropped else "kept; --near-duplicates drop leaves them out"
            lines.append(f"near duplicates of earlier passages: {self.near_duplicates} ({left})")
        if self.problems:
            lines.append(f"files not read, or not to their end: {len(self.problems)}")
            for problem in self.problems[:SHOWN]:
                kept = f" ({problem.passages} passages before that are kept)" if problem.passages else ""
                lines.append(f"  {problem.file}: {problem.reason}{kept}")
            if len(self.problems) > SHOWN:
                lines.append(f"  ... and {len(self.problems) - SHOWN} more; --json lists all")
        return lines

    def log(self) -> None:
        """Log the report."""
        for line in self.lines():
            log.warning("%s", line)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {
            "files": dict(sorted(self.files.items())),
            "passages": self.passages,
            "unchanged": self.unchanged,
            "skipped": dict(sorted(self.skipped.items())),
            "notes": dict(sorted(self.notes.items())),
            "near_duplicates": self.near_duplicates,
            "dropped": self.dropped,
            "problems": [problem._asdict() for problem in self.problems],
        }
