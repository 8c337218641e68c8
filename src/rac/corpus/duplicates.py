"""Passages that are nearly the same text, found while they stream by: MinHash of word shingles, with banding.

Broder, "On the resemblance and containment of documents" (1997); 64 minima in 16 bands of 4. Two passages count as near
duplicates if at least ``THRESHOLD`` of their minima agree, an estimate of the Jaccard similarity of their shingles
(standard error 0.05). Pairs of similarity 0.8 share a band, and so are compared, in 99.98 % of cases. All hashes are
fixed, so the same passages give the same result everywhere. Memory: about 1.5 kB per passage.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.8
_MINIMA, _BANDS = 64, 16
_SHINGLE = 4
_SHORTEST = 8
"""Passages with fewer words are near duplicates only if all of them are the same."""
_WORD = re.compile(r"\w+")

_random = np.random.Generator(np.random.PCG64(20_261))
_FACTORS = (_random.integers(1, 2**63, _MINIMA, dtype=np.uint64) << np.uint64(1)) | np.uint64(1)
_SHIFTS = _random.integers(0, 2**63, _MINIMA, dtype=np.uint64)
_POSITIONS = np.array([pow(0x9E3779B97F4A7C15, n + 1, 2**64) for n in range(_SHINGLE)], dtype=np.uint64)


@lru_cache(maxsize=1 << 18)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def signature(text: str) -> NDArray[np.uint32] | None:
    """Return the 64 minima of a text's shingles of four words, in small letters; None for a text of a few words."""
    found = _WORD.findall(text.lower())
    if len(found) < _SHORTEST:
        return None
    hashes = np.array([_word_hash(word) for word in found], dtype=np.uint64)
    with np.errstate(over="ignore"):
        windows = np.lib.stride_tricks.sliding_window_view(hashes, _SHINGLE)
        shingles = np.unique((windows * _POSITIONS).sum(axis=1, dtype=np.uint64))
        mixed = shingles[None, :] * _FACTORS[:, None] + _SHIFTS[:, None]
        return (mixed >> np.uint64(32)).min(axis=1).astype(np.uint32)


class DuplicateFinder:
    """Finds for each text whether an earlier one was nearly the same."""

    def __init__(self) -> None:
        self._signatures: list[NDArray[np.uint32]] = []
        self._owners: list[int] = []
        self._buckets: dict[bytes, list[int]] = {}
        self._short: dict[str, int] = {}

    def add(self, text: str, owner: int, *, keep: bool = True) -> int | None:
        """Return the owner of an earlier text that is nearly this one, else None and remember this one.

        Args:
            text: The text.
            owner: A number that stands for where it is from.
            keep: Whether to remember it even if it is a near duplicate.
        """
        own = signature(text)
        if own is None:
            key = " ".join(_WORD.findall(text.lower()))
            earlier = self._short.get(key) if key else None
            if key and earlier is None:
                self._short[key] = owner
            return earlier
        bands = [bytes([n]) + band.tobytes() for n, band in enumerate(own.reshape(_BANDS, -1))]
        candidates = sorted({row for band in bands for row in self._buckets.get(band, ())})
        found = None
        if candidates:
            agree = (np.stack([self._signatures[row] for row in candidates]) == own).mean(axis=1)
            best = int(agree.argmax())
            found = self._owners[candidates[best]] if agree[best] >= THRESHOLD else None
        if found is None or keep:
            self._signatures.append(own)
            self._owners.append(owner)
            for band in bands:
                rows = self._buckets.setdefault(band, [])
                if len(rows) < 32:
                    rows.append(len(self._signatures) - 1)
        return found
