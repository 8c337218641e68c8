"""Where passages come from: ``read_corpus`` turns a corpus name, file or folder into a stream of passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rac.records import Passage


def read_corpus(source: str | Path) -> Iterator[Passage]:
    """Stream the passages of a corpus, in its own order.

    Args:
        source: ``wikipedia`` for the embedded English summaries; a ``.jsonl`` file of passages; a ``.txt`` or ``.md``
            file (one passage); a folder of such files, read in the order of their relative paths; ``trec:PATH``, a
            collection in TREC format; or ``ir_datasets:NAME``.

    Raises:
        DataError: for a missing file or a bad record, naming file, line and field.
        UserError: for a source that is no corpus, or whose package is not installed.
    """
    from rac.benchmarks.user_collections import is_collection, read_user_collection
    from rac.corpus import files, wikipedia

    if is_collection(str(source)):
        return read_user_collection(str(source))
    if str(source) == wikipedia.NAME:
        return wikipedia.read_wikipedia()
    return files.read_files(Path(source))


__all__ = ["read_corpus"]
