"""What every index is to its users: the ``Index`` protocol and the ``Hit`` it returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rac.records import Passage


@dataclass(frozen=True)
class Contribution:
    """What one strategy said of a passage: its own score and its rank among that strategy's passages (from 1)."""

    score: float
    rank: int


@dataclass(frozen=True)
class Hit:
    """A passage found for a query.

    Attributes:
        passage: The passage, d_i of D.
        score: Higher is better; comparable within one query and index only.
        rank: Position in the result, from 1.
        parts: Per strategy what it contributed (``bm25``, ``dense``, ``rerank``, ...).
        terms: Words of the query that the passage holds, as the query spells them; filled by ``explain=True``.
    """

    passage: Passage
    score: float
    rank: int
    parts: Mapping[str, Contribution] = field(default_factory=dict)
    terms: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain JSON types."""
        return {
            "rank": self.rank,
            "score": self.score,
            "passage": self.passage.to_dict(),
            "terms": list(self.terms),
            "parts": {name: {"score": part.score, "rank": part.rank} for name, part in self.parts.items()},
        }


@runtime_checkable
class Index(Protocol):
    """A searchable corpus. ``open_index`` opens one, ``build_index`` makes one."""

    def add(self, passages: Iterable[Passage]) -> int:
        """Add passages; they are found by the next search. Returns how many were added.

        Raises:
            UserError: if an id is already in the index or occurs twice; nothing is added then.
        """
        ...

    def delete(self, ids: Iterable[str]) -> int:
        """Remove passages by id; they are not found any more. Returns how many were removed.

        Raises:
            UserError: if an id is not in the index; nothing is removed then.
        """
        ...

    def search_batch(self, queries: Sequence[str], top_k: int, *, explain: bool = False) -> list[list[Hit]]:
        """Return for each query its best passages, best first; ties in the order of the corpus.

        A passage that has nothing to do with the query by the strategy's own measure (score 0) is no hit, so a list may
        be shorter than ``top_k`` or empty.
        """
        ...

    def save(self, path: Path | str) -> None:
        """Publish the index at ``path`` atomically, with everything that was added and deleted."""
        ...

    def info(self) -> dict[str, Any]:
        """Return what the index is: strategy, settings, counts, corpus checksum, models, size on disk."""
        ...

    def __len__(self) -> int:
        """Number of passages."""
        ...
