"""One finding of ``rac doctor``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["ok", "note", "warning", "problem"]
"""``problem``: it cannot work. ``warning``: it may not work, or badly. ``note``: an estimate, or something optional."""


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do about it.

    Attributes:
        name: What was looked at.
        status: How bad it is.
        found: What was found, in one line.
        advice: What to do, "" if nothing.
        figures: Numbers behind it, for ``--json``.
    """

    name: str
    status: Status
    found: str
    advice: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain JSON types."""
        return asdict(self)
