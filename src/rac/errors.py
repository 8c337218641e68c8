"""The one exception that reaches users as a sentence instead of a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Something the user gave cannot work.

    The message is one sentence in three parts: what was given, why it cannot work, what to do instead. The command
    line prints it without a traceback and exits with status 2.
    """


class DataError(UserError):
    """A record of a data file is wrong.

    Args:
        path: The file.
        problem: What is wrong and what would be right.
        line: 1-based line number, if the file has lines.
        field: The field of the record, if it is known.
    """

    def __init__(self, path: Path | str, problem: str, *, line: int | None = None, field: str | None = None) -> None:
        self.path = str(path)
        self.line = line
        self.field = field
        where = f"{path}" if line is None else f"{path}, line {line}"
        if field:
            where += f", field '{field}'"
        super().__init__(f"{where}: {problem}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is spelled most like ``word``, or None if none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` or the list of known words, for the end of an error message."""
    known = sorted(known)
    best = nearest(word, known)
    return f"did you mean '{best}'?" if best else f"known: {', '.join(known)}"
