"""Terms to numbers: a dictionary while indexing, a memory-mapped sorted list afterwards."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

from rac.errors import DataError
from rac.retrieval.arrays import open_array

TERMS = "vocabulary.txt"
OFFSETS = "vocabulary.offsets.npy"
NUMBERS = "vocabulary.numbers.npy"


def write_vocabulary(folder: Path, numbers: dict[str, int]) -> None:
    """Write term -> number as a sorted text file (one term a line), its offsets and the numbers in that order."""
    # Code points have the order of their UTF-8 bytes, so nothing has to be encoded before it is written.
    terms = sorted(numbers)
    offsets = np.zeros(len(terms) + 1, np.int64)
    with (folder / TERMS).open("wb") as handle:
        for place, term in enumerate(terms):
            offsets[place + 1] = handle.write(term.encode("utf-8", "surrogatepass") + b"\n")
    np.cumsum(offsets, out=offsets)
    np.save(folder / OFFSETS, offsets, allow_pickle=False)
    np.save(folder / NUMBERS, np.fromiter((numbers[term] for term in terms), np.int32, len(terms)), allow_pickle=False)


class Vocabulary:
    """Looks a term up by binary search in the file, so that opening costs nothing."""

    def __init__(self, folder: Path) -> None:
        # Views: an element of a NumPy array costs several times more to read than one of a view.
        self._offsets = open_array(folder / OFFSETS, "int64").data
        self._numbers = open_array(folder / NUMBERS, "int32").data
        path = folder / TERMS
        try:
            with path.open("rb") as handle:
                size = path.stat().st_size
                self._bytes = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except OSError as error:
            raise DataError(path, "is missing; build the index again") from error
        if len(self._offsets) != len(self._numbers) + 1 or self._offsets[-1] != size:
            raise DataError(path, "does not have the length that its index says; build the index again")

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, term: str) -> int | None:
        """Return the number of a term, None if no passage holds it."""
        wanted = term.encode("utf-8", "surrogatepass")
        low, high = 0, len(self._numbers)
        while low < high:
            middle = (low + high) // 2
            found = self._bytes[self._offsets[middle] : self._offsets[middle + 1] - 1]
            if found == wanted:
                return int(self._numbers[middle])
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return None
