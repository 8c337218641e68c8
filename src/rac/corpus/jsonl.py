"""Passages from JSON Lines, one at a time: a corpus of any size is read in constant memory (8 bytes per passage)."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from rac.errors import DataError
from rac.files import check_header, iterate_json_lines, parse_record, warn_of_unknown_keys
from rac.records import Passage


def id_hash(identity: str) -> int:
    """Return 64 bits that stand for an id; equal ids have equal bits, on every machine."""
    return int.from_bytes(hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def read_jsonl(path: Path) -> Iterator[Passage]:
    """Yield the passages of a JSON Lines file in the order of its lines.

    Keys that a passage does not know are ignored, counted and logged. Duplicate ids are found when the file ends, so
    that only a hash of each id has to be kept.

    Raises:
        DataError: for a line that is no passage; for a file none of whose lines has anything to search for
            (examples given for passages, say); for two lines with the same id, naming both.
    """
    check_header(path)
    hashes = array("Q")
    unknown: Counter[str] = Counter()
    # Held back until one has something to search for, so that nothing of a file without any is passed on.
    bare = 0
    searchable = False
    for number, value in iterate_json_lines(path):
        unknown.update(name for name in value if name not in Passage.model_fields)
        passage = parse_record(Passage, value, path, number)
        hashes.append(id_hash(passage.id))
        if not searchable and not _is_searchable(passage):
            bare += 1
            continue
        if not searchable:
            searchable = True
            for line, held in islice(iterate_json_lines(path), bare):
                yield parse_record(Passage, held, path, line)
        yield passage
    warn_of_unknown_keys(path, unknown, Passage.model_fields, "passage")
    if bare and not searchable:
        hint = " (they look like examples, which a recipe's data.source or `rac index --queries` takes)"
        raise DataError(
            path, f"none of its {bare:,} lines has anything to search for{hint * ('query' in unknown)}; a passage "
            "has an 'id' and a 'title', a 'text' or both"
        )  # fmt: skip
    repeated = repeated_values(hashes)
    if repeated:
        _refuse_duplicates(path, repeated)


def _is_searchable(passage: Passage) -> bool:
    return any(text.strip() for text in (passage.title, passage.text, passage.description, *passage.types))


def repeated_values(hashes: array[int]) -> set[int]:
    """Return the values that occur more than once."""
    values = np.sort(np.frombuffer(hashes, dtype=np.uint64)) if len(hashes) else np.empty(0, np.uint64)
    return {int(value) for value in np.unique(values[1:][values[1:] == values[:-1]])}


def _refuse_duplicates(path: Path, repeated: set[int]) -> None:
    """Read the file again and raise for the first id that really occurs twice (hashes could collide)."""
    seen: dict[str, int] = {}
    for number, value in iterate_json_lines(path):
        identity = str(value.get("id", ""))
        if id_hash(identity) not in repeated:
            continue
        if identity in seen:
            raise DataError(
                path, f"id '{identity}' was already used in line {seen[identity]}; passage ids must be unique",
                line=number, field="id",
            )  # fmt: skip
        seen[identity] = number
