"""A disk cache of entailment probabilities: SQLite, keyed by model name, model revision and exact text."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from rac.errors import UserError

log = logging.getLogger(__name__)

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entailment (key BLOB PRIMARY KEY, entail REAL NOT NULL, contradict REAL) WITHOUT ROWID"
)
_CHUNK = 500  # keys per SELECT, below SQLite's limit on variables


def cache_key(name: str, revision: str, premise: str, hypothesis: str) -> bytes:
    """Return the key of a pair: SHA-256 over the four texts, each with its length so that no two joins collide."""
    digest = hashlib.sha256()
    for text in (name, revision, premise, hypothesis):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.digest()


class EntailmentCache:
    """Probabilities on disk; several processes may use one file.

    Args:
        path: The SQLite file; made when missing.

    Raises:
        UserError: if the file cannot be opened or is not such a cache.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30.0, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._db.commit()
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"the entailment cache {self.path} cannot be used ({error}); delete that file, give another place, or "
                "switch the cache off"
            ) from error

    def get(self, keys: Sequence[bytes]) -> dict[bytes, tuple[float, float | None]]:
        """Return (P_ent, P_contra or None) of those keys that are known."""
        found: dict[bytes, tuple[float, float | None]] = {}
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(f"SELECT key, entail, contradict FROM entailment WHERE key IN ({marks})", part)
            found.update({key: (entail, contradict) for key, entail, contradict in rows})
        return found

    def put(self, rows: Iterable[tuple[bytes, float, float | None]]) -> None:
        """Store (key, P_ent, P_contra or None) rows in one transaction."""
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO entailment VALUES (?, ?, ?)", rows)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT COUNT(*) FROM entailment").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()
