"""Where passages come from: ``read_corpus`` turns a corpus name, file or folder into a stream of passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rac.records import Passage


def read_corpus(source: str | Path) -> Iterator[Passage]:
    """Stream the passages of a corpus, in its own order.

    Args:
        source: ``wikipedia`` for the embedded English summaries; a ``.jsonl`` file of passages; a ``.txt`` or ``.md``
            file (one passage); or a folder of such files, read in the order of their relative paths.

    Raises:
        DataError: for a missing file or a bad record, naming file, line and field.
        UserError: for a source that is no corpus, or whose package is not installed.
    """
    from rac.corpus import files, wikipedia

    if str(source) == wikipedia.NAME:
        return wikipedia.read_wikipedia()
    return files.read_files(Path(source))


__all__ = ["read_corpus"]
