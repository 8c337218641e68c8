"""An index on this machine: passages, entries and one or more retrievers in one directory."""

from __future__ import annotations

import logging
import shutil
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rac.arithmetic import usable_cores
from rac.errors import DataError, UserError
from rac.records import Passage
from rac.retrieval import generations
from rac.retrieval.analyzer import Analyzer
from rac.retrieval.base import Contribution, Hit
from rac.retrieval.entries import full_text
from rac.retrieval.entrymap import EntryMap
from rac.retrieval.fusion import Found, fuse
from rac.retrieval.postings import Ranked
from rac.retrieval.settings import IndexSettings
from rac.retrieval.store import Store

log = logging.getLogger(__name__)


NO_PASSAGES = "the corpus has no passages, so there is nothing to index; check that it is the right file"


class Retriever(Protocol):
    """One strategy over the entries of an index."""

    name: str

    def search(self, queries: Sequence[str], depth: int, *, threads: int = 1) -> list[Ranked]:
        """Return for each query the best entries and their scores, best first, ties by row."""
        ...


@runtime_checkable
class ModelRetriever(Protocol):
    """A strategy whose files hold what a model made of the entries."""

    def load_model(self) -> Any:
        """Load the model; ``OtherModelError`` if it is not the one of the files."""
        ...


@dataclass(frozen=True)
class Generation:
    """The opened files of one generation. A search takes hold of one and is done with it, whatever is updated."""

    folder: Path
    header: dict[str, Any]
    store: Store
    entries: EntryMap
    retrievers: tuple[Retriever, ...]

    @classmethod
    def open(cls, folder: Path, header: dict[str, Any], settings: IndexSettings) -> Generation:
        """Open the files that a header describes."""
        from rac.retrieval.build import open_retriever

        store = Store(folder)
        try:
            count, passages = int(header["entries"]), int(header["corpus"]["passages"])
            retrievers = tuple(
                open_retriever(name, folder / name, settings, header["retrievers"][name], count)
                for name in settings.retrievers
            )
        except (KeyError, TypeError) as error:
            raise DataError(folder / generations.HEADER, f"lacks {error}; build the index again") from error
        if len(store) != passages:
            raise DataError(folder, "holds another number of passages than its header says; build the index again")
        return cls(folder, header, store, EntryMap.open(folder, count, passages), retrievers)


class LocalIndex:
    """What ``open_index`` returns for every strategy but ``milvus``. Searching is safe from several threads."""

    def __init__(self, path: Path, folder: Path, header: dict[str, Any], settings: IndexSettings) -> None:
        self.path, self.settings = path, settings
        self.opened = Generation.open(folder, header, settings)
        self._analyzer = Analyzer(settings)

    def __len__(self) -> int:
        return len(self.opened.store)

    def search_batch(self, queries: Sequence[str], top_k: int, *, explain: bool = False) -> list[list[Hit]]:
        """See ``base.Index.search_batch``."""
        check_search(queries, top_k)
        opened, settings = self.opened, self.settings
        depth = top_k
        if settings.diversify != "none":
            depth = max(depth, settings.diversify_depth)
        if settings.reranker:
            depth = max(depth, settings.rerank_depth)
        found = self._retrieve(opened, list(queries), depth)
        if settings.reranker:
            from rac.retrieval.rerank import rerank

            found = rerank(list(queries), found, opened.store, settings)
        if settings.diversify != "none":
            from rac.retrieval.diversify import diversify

            found = diversify(found, top_k, lambda rows: self._similarities(opened, rows), settings)
        return [
            self._hits(opened, query, ranking[:top_k], explain) for query, ranking in zip(queries, found, strict=True)
        ]

    def search(self, query: str, top_k: int, *, explain: bool = False) -> list[Hit]:
        """Search for one query."""
        return self.search_batch([query], top_k, explain=explain)[0]

    def _retrieve(self, opened: Generation, queries: list[str], depth: int) -> list[list[Found]]:
        """Rank passages: each retriever's entries collapsed to passages, then fused."""
        threads = self.settings.threads or usable_cores()
        retrievers = opened.retrievers
        reach = max(depth, self.settings.fusion_depth) if len(retrievers) > 1 else depth
        rankings = {}
        for retriever in retrievers:

            def search(some: list[str], k: int, retriever: Retriever = retriever) -> list[Ranked]:
                return retriever.search(some, k, threads=threads)

            rankings[retriever.name] = opened.entries.passages(search, queries, reach)
        if len(rankings) == 1:
            ((name, ranked),) = rankings.items()
            return [_alone(name, *ranking) for ranking in ranked]
        return [
            fuse({name: ranked[number] for name, ranked in rankings.items()}, self.settings)[:depth]
            for number in range(len(queries))
        ]

    def _similarities(self, opened: Generation, rows: Sequence[int]) -> NDArray[np.float64]:
        """Return how alike passages are, [n, n] in 0..1: cosine of vectors if there are any, else of shared terms."""
        from rac.retrieval.dense import DenseRetriever
        from rac.retrieval.diversify import term_similarity

        for retriever in opened.retrievers:
            if isinstance(retriever, DenseRetriever):
                vectors = retriever.vectors([opened.entries.first(row) for row in rows])
                return np.clip(vectors @ vectors.T, 0, 1).astype(np.float64)
        return term_similarity([self._analyzer.terms(full_text(opened.store[row])) for row in rows])

    def _hits(self, opened: Generation, query: str, found: Sequence[Found], explain: bool) -> list[Hit]:
        hits = []
        for rank, one in enumerate(found, start=1):
            passage = opened.store[one.row]
            terms = self._analyzer.matched(query, full_text(passage)) if explain else ()
            hits.append(Hit(passage, one.score, rank, one.parts, terms))
        return hits

    def check_models(self) -> None:
        """Load the models and refuse those that are not the ones that the index was built with.

        Raises:
            OtherModelError: for such a model.
            UserError: for one that cannot be loaded.
        """
        for retriever in self.opened.retrievers:
            if isinstance(retriever, ModelRetriever):
                retriever.load_model()

    def passages(self) -> Iterator[Passage]:
        """Stream the passages of the index in its order."""
        return iter(self.opened.store)

    def add(self, passages: Iterable[Passage]) -> int:
        """See ``base.Index.add``. Word statistics are made anew, vectors of old passages are kept: add in batches."""
        return self._update(passages, set())

    def delete(self, ids: Iterable[str]) -> int:
        """See ``base.Index.delete``; it costs as much as ``add``."""
        wanted = list(dict.fromkeys(ids))
        known = self.opened.store.rows()
        unknown = [identity for identity in wanted if identity not in known]
        if unknown:
            raise UserError(
                f"{len(unknown)} of {len(wanted)} ids to delete are not in the index ('{unknown[0]}' first), so "
                "nothing was deleted; give ids that `rac search --json` prints"
            )
        if len(wanted) == len(self):
            raise UserError(
                f"deleting all {len(wanted)} passages would leave an empty index, which finds nothing; remove the "
                "directory instead"
            )
        if wanted:
            self._update((), {known[identity] for identity in wanted})
        return len(wanted)

    def _update(self, added: Iterable[Passage], deleted: set[int]) -> int:
        """Write a generation of kept and added passages beside the published one; return how many were added."""
        from rac.retrieval.build import write_generation

        before = self.opened
        work = generations.work_folder(self.path)
        try:
            kept = np.array([row for row in range(len(before.store)) if row not in deleted], np.int64)
            write_generation(work, added, self.settings, base=before, kept=kept)
            self.opened = Generation.open(work, generations.read_header(work), self.settings)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        weakref.finalize(self, shutil.rmtree, work, True)
        return len(self) - len(kept)

    def save(self, path: Path | str) -> None:
        """See ``base.Index.save``. Unsaved additions and deletions end with the process."""
        target, folder = Path(path), self.opened.folder
        published = folder.parent.resolve() == target.resolve() and not folder.name.startswith(".")
        if published and generations.current_generation(target) == target / folder.name:
            return
        with generations.new_generation(target) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)

    def info(self) -> dict[str, Any]:
        """See ``base.Index.info``."""
        header = self.opened.header
        files = header["files"]
        return {
            "path": str(self.path),
            "strategy": self.settings.strategy,
            "passages": len(self),
            "entries": header["entries"],
            "corpus": header["corpus"],
            "retrievers": header["retrievers"],
            "settings": self.settings.model_dump(mode="json"),
            "bytes": sum(file["bytes"] for file in files.values()),
            "bytes_by_part": _by_part(files),
            "format": header["format"],
            "rac": header["rac"],
        }


def _alone(name: str, rows: NDArray, scores: NDArray) -> list[Found]:
    """Return one retriever's ranking as it is."""
    pairs = zip(rows.tolist(), scores.tolist(), strict=True)
    return [Found(row, score, {name: Contribution(score, rank)}) for rank, (row, score) in enumerate(pairs, start=1)]


def _by_part(files: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return bytes per retriever, and ``passages`` for the store."""
    parts: dict[str, int] = {}
    for name, file in files.items():
        part = name.split("/")[0] if "/" in name else "passages"
        parts[part] = parts.get(part, 0) + int(file["bytes"])
    return parts


def check_search(queries: Sequence[str], top_k: int) -> None:
    """Refuse what cannot be searched for.

    Raises:
        UserError: for a string instead of a list, or a ``top_k`` below 1.
    """
    if isinstance(queries, str):
        raise UserError("search_batch got one string; give a list of queries")
    if top_k < 1:
        raise UserError(f"top_k is {top_k}, so nothing could be found; give a number from 1")
