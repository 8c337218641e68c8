"""The passages of an index on disk: one JSON line each, found by row through memory-mapped offsets."""

from __future__ import annotations

import json
import mmap
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from rac.corpus.jsonl import id_hash, repeated_values
from rac.errors import DataError, UserError
from rac.records import Passage
from rac.retrieval.arrays import open_array

PASSAGES = "passages.jsonl"
OFFSETS = "passages.offsets.npy"


class StoreWriter:
    """Writes passages while they stream by; keeps 16 bytes per passage (offset, hash of the id)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle = (folder / PASSAGES).open("wb")
        self._offsets = array("q", [0])
        self._hashes = array("Q")
        self._position = 0
        self.count = 0

    def write(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """Yield the passages on, after writing each."""
        for passage in passages:
            line = json.dumps(passage.to_dict(), ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
            self._handle.write(line + b"\n")
            self._position += len(line) + 1
            self._offsets.append(self._position)
            self._hashes.append(id_hash(passage.id))
            self.count += 1
            yield passage

    def close(self) -> None:
        """Finish the files.

        Raises:
            UserError: if two passages have the same id; the message names their positions in the corpus.
        """
        self._handle.close()
        np.save(self._folder / OFFSETS, np.frombuffer(self._offsets, np.int64), allow_pickle=False)
        repeated = repeated_values(self._hashes)
        if repeated:
            self._refuse_duplicates(repeated)

    def _refuse_duplicates(self, repeated: set[int]) -> None:
        seen: dict[str, int] = {}
        with (self._folder / PASSAGES).open("rb") as handle:
            for number, line in enumerate(handle, start=1):
                if self._hashes[number - 1] not in repeated:
                    continue
                identity = json.loads(line)["id"]
                if identity in seen:
                    raise UserError(
                        f"passages {seen[identity]} and {number} of the corpus have the same id '{identity}'; passage "
                        "ids must be unique: rename or remove one of them"
                    )
                seen[identity] = number


class Store:
    """Reads passages by row. The file stays open, so a reader survives that the index is replaced."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PASSAGES
        self._offsets = open_array(folder / OFFSETS, "int64")
        try:
            handle = self._path.open("rb")
        except OSError as error:
            raise DataError(self._path, "is missing; build the index again") from error
        with handle:
            size = self._path.stat().st_size
            self._bytes = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        if len(self._offsets) == 0 or int(self._offsets[-1]) != size:
            raise DataError(self._path, "does not have the length that its index says; build the index again")
        self._rows: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> Passage:
        start, end = int(self._offsets[row]), int(self._offsets[row + 1])
        try:
            return Passage.model_validate(json.loads(self._bytes[start:end].decode("utf-8", "surrogatepass")))
        except (ValueError, ValidationError) as error:
            raise DataError(self._path, f"is damaged ({error}); build the index again", line=row + 1) from error

    def __iter__(self) -> Iterator[Passage]:
        return (self[row] for row in range(len(self)))

    def rows(self) -> dict[str, int]:
        """Return id -> row of every passage; read once, on the first call."""
        if self._rows is None:
            self._rows = {passage.id: row for row, passage in enumerate(self)}
        return self._rows

    def nearby(self, rows: Iterable[int]) -> list[Passage]:
        """Return the passages of several rows."""
        return [self[int(row)] for row in rows]


def row_dtype(count: int) -> np.dtype:
    """Return the smallest integer type for row numbers that scipy takes as they are."""
    return np.dtype(np.int32 if count < 2**31 - 1 else np.int64)
