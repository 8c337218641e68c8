"""Building and opening an index directory: passages stream once through the store and every retriever."""

from __future__ import annotations

import importlib
import logging
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

import rac
from rac.errors import DataError, UserError, did_you_mean
from rac.files import sha256_file
from rac.progress import track
from rac.records import Passage
from rac.retrieval import generations
from rac.retrieval.base import Index
from rac.retrieval.entries import entries
from rac.retrieval.entrymap import STARTS
from rac.retrieval.local import NO_PASSAGES
from rac.retrieval.settings import SEARCH_TIME, IndexSettings, validate_settings
from rac.retrieval.store import PASSAGES, StoreWriter

if TYPE_CHECKING:
    from rac.retrieval.local import Generation, Retriever

log = logging.getLogger(__name__)
_CHUNK = 2048

_RETRIEVERS = {
    "bm25": ("rac.retrieval.bm25", "BM25Writer", "BM25Retriever"),
    "dense": ("rac.retrieval.dense", "DenseWriter", "DenseRetriever"),
    "sparse": ("rac.retrieval.sparse", "SparseWriter", "SparseRetriever"),
}


class Writer(Protocol):
    """Writes one retriever's files while entries stream by.

    ``carries`` says whether what an older index holds of kept entries can be taken over (``carry``), or whether their
    texts have to be added again.
    """

    name: str
    carries: bool

    def add(self, texts: Sequence[str]) -> None:
        """Index entries."""
        ...

    def finish(self) -> dict[str, Any]:
        """Write the files; return what the header should say."""
        ...


def build_index(passages: Iterable[Passage], settings: IndexSettings, path: Path) -> Index:
    """See ``rac.retrieval.build_index``."""
    if settings.strategy == "milvus":
        from rac.retrieval.milvus import build_milvus

        return build_milvus(passages, settings, path)
    with generations.new_generation(path) as folder:
        write_generation(folder, passages, settings)
    return open_index(path, settings)


def write_generation(
    folder: Path, passages: Iterable[Passage], settings: IndexSettings, *,
    base: Generation | None = None, kept: NDArray | None = None, finish: Callable[[Path], None] | None = None,
) -> None:  # fmt: skip
    """Write all files of a generation into an empty directory, the header last.

    Args:
        folder: The directory.
        passages: New passages.
        settings: Strategy, fields, analyzer.
        base: An index whose passages come before the new ones.
        kept: Rows of the passages of ``base`` to keep, ascending.
        finish: Is called with the directory when all passages are written, to add files of its own before the header.
    """
    writers: list[Writer] = []
    for name in settings.retrievers:
        module, class_name, _ = _RETRIEVERS[name]
        writers.append(getattr(importlib.import_module(module), class_name)(folder / name, settings))
    store = StoreWriter(folder)
    one_each = settings.fields in ("text", "title+text")
    starts = None if one_each else array("q", [0])
    total = 0

    def index(stream: Iterable[Passage], targets: list[Writer]) -> None:
        nonlocal total
        written = iter(track(store.write(stream), "indexing", unit="passages"))
        while chunk := list(islice(written, _CHUNK)):
            texts: list[str] = []
            for passage in chunk:
                texts.extend(entries(passage, settings.fields))
                if starts is not None:
                    starts.append(total + len(texts))
            total += len(texts)
            for writer in targets:
                writer.add(texts)

    if base is not None and kept is not None:
        carriers = [writer for writer in writers if writer.carries]
        rows = base.entries.rows(kept)
        for writer in carriers:
            writer.carry(next(r for r in base.retrievers if r.name == writer.name), rows)  # type: ignore[attr-defined]
        index((base.store[int(row)] for row in kept), [writer for writer in writers if not writer.carries])
    index(passages, writers)
    if store.count == 0:
        store.close()
        raise UserError(NO_PASSAGES)
    store.close()
    if starts is not None:
        np.save(folder / STARTS, np.frombuffer(starts, np.int64), allow_pickle=False)
    made = {writer.name: writer.finish() for writer in writers}
    if finish is not None:
        finish(folder)
    generations.write_header(
        folder,
        {
            "rac": rac.__version__,
            "settings": settings.model_dump(mode="json"),
            "corpus": {"passages": store.count, "sha256": sha256_file(folder / PASSAGES)},
            "entries": total,
            "retrievers": made,
        },
    )


def open_index(path: Path, settings: IndexSettings | None = None, *, verify: bool = False, **search: Any) -> Index:
    """See ``rac.retrieval.open_index``."""
    from rac.retrieval.local import LocalIndex

    for attempt in range(5):
        folder = generations.current_generation(path)
        try:
            header = generations.read_header(folder, verify=verify)
            resolved = resolve(path, header, settings, search)
            if resolved.strategy == "milvus":
                from rac.retrieval.milvus import open_milvus

                return open_milvus(path, folder, header, resolved)
            return LocalIndex(path, folder, header, resolved)
        except (DataError, FileNotFoundError):
            # A rebuild may have replaced the generation between two of our reads; then the new one is whole.
            if attempt == 4 or generations.current_generation(path) == folder:
                raise
    raise AssertionError("unreachable")


def resolve(
    path: Path, header: dict[str, Any], expected: IndexSettings | None, search: dict[str, Any]
) -> IndexSettings:
    """Return the settings to search with: the stored ones, with keys of searching replaced.

    Raises:
        UserError: if a baked-in key differs from what the caller expects, or a key is unknown or baked in.
    """
    try:
        stored = IndexSettings.model_validate(header["settings"])
    except (KeyError, ValidationError) as error:
        raise DataError(path, f"has settings that this rac does not know ({error}); build the index again") from error
    changes: dict[str, Any] = {}
    if expected is not None:
        for key in IndexSettings.model_fields:
            wanted, have = getattr(expected, key), getattr(stored, key)
            if wanted == have or (key == "uri" and not wanted):
                continue
            if key in SEARCH_TIME:
                changes[key] = wanted
            elif _matters(key, stored):
                raise UserError(
                    f"the index {path} was built with {key} = {have!r}, but {wanted!r} is asked for; build it again, "
                    f"or ask for {key} = {have!r}"
                )
    for key, value in search.items():
        if key not in SEARCH_TIME:
            if key in IndexSettings.model_fields:
                raise UserError(f"'{key}' is fixed when an index is built and no setting of a search; build it again")
            raise UserError(f"'{key}' is no setting of a search; {did_you_mean(key, SEARCH_TIME)}")
        changes[key] = value
    if not changes:
        return stored
    return validate_settings({**stored.model_dump(), **changes}, "search")


def _matters(key: str, stored: IndexSettings) -> bool:
    """Whether a baked-in key has any effect on this index."""
    parts = stored.retrievers
    if key in ("k1", "b"):
        return "bm25" in parts
    if key in ("model", "approximate", "hnsw_links", "ef_build"):
        return "dense" in parts and (key in ("model", "approximate") or stored.approximate)
    if key == "sparse_model":
        return "sparse" in parts
    if key == "max_tokens":
        return "dense" in parts or "sparse" in parts
    if key == "parts":
        return stored.strategy in ("hybrid", "milvus")
    if key == "collection":
        return stored.strategy == "milvus"
    return key not in ("encode_batch", "build_threads")


def open_retriever(name: str, folder: Path, settings: IndexSettings, header: dict[str, Any], entries: int) -> Retriever:
    """Open one retriever of a generation."""
    module, _, retriever = _RETRIEVERS[name]
    return getattr(importlib.import_module(module), retriever)(folder, settings, header, entries)
