"""Inverse document frequency of words from a fixed, shipped table, so that a score never depends on other items.

The table counts in how many of the 10,033 embedded Wikipedia summaries a key occurs (keys in fewer than three are left
out and count as seen once). ``idf(t) = ln((N + 1) / (df(t) + 1))``: 0 for a word in every text, 8.5 for an unseen one.
Rebuild it with ``python -m rac.metrics.idf`` after a change of ``rac.metrics.text.key``; a test says when that is due.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from rac.errors import DataError
from rac.files import read_text, write_text
from rac.metrics.text import words
from rac.records import Passage

TABLE = Path(__file__).parent / "idf_wikipedia.txt"
LEAST = 3


def count(passages: Iterable[Passage]) -> tuple[int, dict[str, int]]:
    """Return the number of passages and in how many of them each key occurs (from ``LEAST`` on)."""
    total, found = 0, Counter[str]()
    for passage in passages:
        total += 1
        found.update({w.key for w in words(f"{passage.title}. {passage.description}. {passage.text}")})
    return total, {k: n for k, n in found.items() if n >= LEAST}


def write_table(path: Path, total: int, counts: dict[str, int]) -> None:
    """Write the table: the number of texts, then one line per count with the keys that have it."""
    groups: dict[int, list[str]] = {}
    for key, n in counts.items():
        groups.setdefault(n, []).append(key)
    lines = [str(total), *(f"{n} {' '.join(sorted(groups[n]))}" for n in sorted(groups))]
    write_text(path, "\n".join(lines) + "\n")


def read_table(path: Path = TABLE) -> tuple[int, dict[str, int]]:
    """Read what ``write_table`` wrote.

    Raises:
        DataError: if the file is not of that form.
    """
    first, *rest = read_text(path).splitlines()
    try:
        counts = {key: int(line.split(" ", 1)[0]) for line in rest for key in line.split(" ")[1:]}
        return int(first), counts
    except ValueError as error:
        raise DataError(path, f"is not a table of document frequencies ({error}); build it again") from error


@lru_cache(maxsize=1)
def _table() -> dict[str, float]:
    total, counts = read_table()
    return {key: math.log((total + 1) / (n + 1)) for key, n in counts.items()} | {"": math.log((total + 1) / 2)}


def idf(term: str) -> float:
    """Return the inverse document frequency of a key."""
    table = _table()
    return table.get(term, table[""])


def main() -> None:
    """Rebuild the shipped table from the embedded corpus."""
    from rac.corpus import read_corpus

    write_table(TABLE, *count(read_corpus("wikipedia")))


if __name__ == "__main__":
    main()
