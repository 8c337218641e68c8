"""Keeps the caches of the word-based scorers from growing with every text that clients send."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rac.records import Passage

MOST_CHARACTERS = 500_000
"""Passage text that may lie in the caches; prepared for matching it takes some 20 times its length (10 MB), and a
passage that is not there costs a tenth of a millisecond."""


class TextCaches:
    """Counts the characters that went into the caches and empties them when it is too much.

    The caches hold numbers of entries, which is right for a corpus of short passages; a client may send long ones.
    """

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self.most, self.characters = most, 0

    def saw(self, passages: Iterable[Passage]) -> None:
        """Say that passages are about to be matched."""
        self.characters += sum(len(p.text) + len(p.title) + 200 for p in passages)
        if self.characters > self.most:
            self.characters = 0
            empty_caches()


def empty_caches() -> None:
    """Empty every cache of ``rac.metrics``; they fill again by use."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith("rac.metrics"):
            for value in list(vars(module).values()):
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()
