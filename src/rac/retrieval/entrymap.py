"""Entries and the passages they point at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rac.errors import DataError
from rac.retrieval.arrays import open_array
from rac.retrieval.postings import Ranked

STARTS = "entries.npy"


class EntryMap:
    """Entry rows to passage rows. The entries of a passage are neighbours, in the order of the passages.

    Args:
        starts: [passages + 1] first entry of each passage and the end; None if entry and passage rows are the same.
        entries: Number of entries.
    """

    def __init__(self, starts: NDArray | None, entries: int) -> None:
        self._starts, self._entries = starts, entries
        self.most = 1 if starts is None else int(np.max(np.diff(starts)))

    @classmethod
    def open(cls, folder: Path, entries: int, passages: int) -> EntryMap:
        """Open the map of an index; an index with one entry per passage has no file for it."""
        if not (folder / STARTS).exists():
            if entries != passages:
                raise DataError(folder / STARTS, "is missing from the index; build the index again")
            return cls(None, entries)
        starts = open_array(folder / STARTS, "int64")
        if len(starts) != passages + 1 or int(starts[-1]) != entries:
            raise DataError(folder / STARTS, "does not fit the passages of the index; build the index again")
        return cls(starts, entries)

    def first(self, passage: int) -> int:
        """Return the first entry of a passage."""
        return passage if self._starts is None else int(self._starts[passage])

    def span(self, passage: int) -> tuple[int, int]:
        """Return the entries of a passage as (first, end)."""
        if self._starts is None:
            return passage, passage + 1
        return int(self._starts[passage]), int(self._starts[passage + 1])

    def rows(self, passages: NDArray) -> NDArray[np.int64]:
        """Return the entries of several passages, in their order."""
        if self._starts is None:
            return passages.astype(np.int64)
        if not len(passages):
            return np.empty(0, np.int64)
        return np.concatenate([np.arange(*self.span(int(row)), dtype=np.int64) for row in passages])

    def passages(
        self, search: Callable[[list[str], int], list[Ranked]], queries: list[str], depth: int
    ) -> list[Ranked]:
        """Return passages instead of entries, each with the score of its best entry.

        Args:
            search: Finds entries for (queries, depth).
            queries: The queries.
            depth: Passages wanted per query.
        """
        if self._starts is None:
            return search(queries, depth)
        results: list[Ranked | None] = [None] * len(queries)
        open_numbers, reach = list(range(len(queries))), depth * min(self.most, 4)
        while open_numbers:
            reach = min(reach, self._entries)
            found = search([queries[number] for number in open_numbers], reach)
            short = []
            for number, (rows, scores) in zip(open_numbers, found, strict=True):
                owners = np.searchsorted(self._starts, rows, side="right") - 1
                _, best = np.unique(owners, return_index=True)  # the first of each owner is its best entry
                best.sort()
                results[number] = (owners[best][:depth].astype(np.int64), scores[best][:depth])
                if len(best) < depth and len(rows) == reach < self._entries:
                    short.append(number)
            open_numbers, reach = short, reach * 4
        return [result for result in results if result is not None]
