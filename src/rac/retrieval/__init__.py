"""Finding passages for a query: one file per indexing strategy behind one small Protocol (``base.Index``).

``build_index`` and ``open_index`` are the two doors; ``settings.IndexSettings`` says which strategy lies behind them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rac.records import Passage
from rac.retrieval.base import Hit, Index
from rac.retrieval.settings import IndexSettings

if TYPE_CHECKING:
    from typing import Any


def build_index(passages: Iterable[Passage], settings: IndexSettings, path: Path | str) -> Index:
    """Index a stream of passages and publish the result at ``path``, atomically.

    Until the last moment an older index at ``path`` stays as it is and usable; readers that have it open keep it.

    Args:
        passages: The corpus, in an order that decides ties; read once.
        settings: Strategy, fields, analyzer.
        path: Where the index goes (a directory).

    Raises:
        UserError: for an empty corpus, duplicate passage ids, a model that cannot be loaded, a full device.
    """
    from rac.retrieval import build

    return build.build_index(passages, settings, Path(path))


def open_index(
    path: Path | str, settings: IndexSettings | None = None, *, verify: bool = False, **search: Any
) -> Index:
    """Open an index that ``build_index`` published; its arrays are memory-mapped, not read.

    Args:
        path: Directory of the index.
        settings: What the caller expects. Keys that are baked into the index (strategy, fields, analyzer, model) must
            agree with it; keys of searching (``settings.SEARCH_TIME``) replace the stored ones.
        verify: Check every byte against the stored checksums instead of sizes and samples.
        search: Keys of searching to replace, by name (``diversify="mmr"``).

    Raises:
        UserError: if there is no index, it is damaged, of another format version, or disagrees with ``settings``.
    """
    from rac.retrieval import build

    return build.open_index(Path(path), settings, verify=verify, **search)


__all__ = ["Hit", "Index", "IndexSettings", "build_index", "open_index"]
