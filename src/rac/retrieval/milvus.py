"""Milvus as the engine: the same recipe on a file (milvus-lite) or on a cluster, with the same client.

Words are analysed here, with the analyzer of the recipe, and the engine gets terms separated by spaces: so stemming,
stop words and accents work alike in every engine (milvus-lite has none of them). BM25, vector search and the fusion of
both run in the engine. Additions and deletions are seen at once; a rebuild fills a new collection and moves an alias
to it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rac
from rac.errors import UserError
from rac.progress import track
from rac.records import Passage
from rac.retrieval import generations
from rac.retrieval.analyzer import Analyzer
from rac.retrieval.base import Contribution, Hit, Index
from rac.retrieval.entries import entries, full_text
from rac.retrieval.fusion import Found
from rac.retrieval.local import NO_PASSAGES, check_search
from rac.retrieval.milvus_client import VALUE_LIMIT, Engine, connect, resolved_uri
from rac.retrieval.milvus_encoders import MilvusEncoders
from rac.retrieval.settings import IndexSettings

log = logging.getLogger(__name__)
_BATCH = 500


def build_milvus(passages: Iterable[Passage], settings: IndexSettings, path: Path) -> Index:
    """Load passages into a new collection, then let the alias ``settings.collection`` point at it.

    The index directory holds a small header only (settings, corpus checksum, models). Until the alias is moved, an
    older index stays as it is and usable.

    Raises:
        UserError: for an empty corpus, duplicate ids, passages over 64 KB, or a server that does not answer.
    """
    check(settings)
    with generations.new_generation(path) as folder:
        engine = connect(settings, path)
        encoders = MilvusEncoders(settings)
        name = f"{settings.collection}_{secrets.token_hex(4)}"
        engine.create(name, settings, encoders.dimensions)
        try:
            digest = hashlib.sha256()
            counts = _insert(engine, name, _checksummed(passages, digest), settings, encoders, unique=True)
            if not counts["passages"]:
                raise UserError(NO_PASSAGES)
            engine.flush(name)
            generations.write_header(
                folder,
                {
                    "rac": rac.__version__,
                    "settings": settings.model_copy(update={"uri": resolved_uri(settings.uri)}).model_dump(mode="json"),
                    "corpus": {"passages": counts["passages"], "sha256": digest.hexdigest()},
                    "entries": counts["entries"],
                    "retrievers": encoders.header(),
                },
            )
            engine.publish(name, settings.collection)
        except BaseException:
            engine.drop(name)
            raise
    return open_milvus(path, generations.current_generation(path), generations.read_header(folder), settings)


def open_milvus(path: Path, folder: Path, header: dict[str, Any], settings: IndexSettings) -> Index:
    """Open the collection behind the alias that a header names.

    Raises:
        UserError: if the server does not answer or has no such collection.
    """
    check(settings)
    engine = connect(settings, path)
    engine.require(settings.collection)
    return MilvusIndex(path, header, settings, engine)


def check(settings: IndexSettings) -> None:
    """Refuse settings that this engine cannot do.

    Raises:
        UserError: for weights of ranks, which the engine's reciprocal-rank fusion does not have.
    """
    if (
        len(settings.parts) > 1
        and settings.fusion == "rrf"
        and len({settings.weights.get(p, 1.0) for p in settings.parts}) > 1
    ):
        raise UserError(
            "Milvus fuses ranks without weights, but the index has different `weights`; use `fusion: weighted`, or "
            "leave the weights out"
        )


def document_key(identity: str) -> str:
    """Return what stands for a passage id in the engine: ids may hold any character and length, a filter may not."""
    return hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _checksummed(passages: Iterable[Passage], digest: Any) -> Iterator[Passage]:
    for passage in passages:
        digest.update(_line(passage).encode("utf-8", "surrogatepass") + b"\n")
        yield passage


def _line(passage: Passage) -> str:
    return json.dumps(passage.to_dict(), ensure_ascii=False, allow_nan=False)


def _insert(
    engine: Engine, name: str, passages: Iterable[Passage], settings: IndexSettings, encoders: MilvusEncoders, *,
    unique: bool,
) -> dict[str, int]:  # fmt: skip
    """Insert passages in batches; return counts. With ``unique`` a repeated id is refused, 16 bytes of memory each."""
    analyzer = Analyzer(settings)
    seen: set[bytes] = set()
    counts = {"passages": 0, "entries": 0}
    stream = iter(track(passages, "indexing", unit="passages"))
    while chunk := list(islice(stream, _BATCH)):
        rows: list[dict[str, Any]] = []
        texts: list[str] = []
        for passage in chunk:
            key = document_key(passage.id)
            if unique and bytes.fromhex(key) in seen:
                raise UserError(
                    f"passage {counts['passages'] + 1} of the corpus has the id '{passage.id}' of an earlier one; "
                    "passage ids must be unique: rename or remove one of them"
                )
            seen.add(bytes.fromhex(key))
            _check_size(passage, _line(passage))
            for number, text in enumerate(entries(passage, settings.fields)):
                terms = " ".join(analyzer.terms(text))
                _check_size(passage, terms)
                rows.append({"key": f"{key}:{number}", "document": key, "passage": passage.to_dict(), "text": terms})
                texts.append(text)
            counts["passages"] += 1
        encoders.fill(rows, texts)
        engine.insert(name, rows)
        counts["entries"] += len(rows)
    return counts


def _check_size(passage: Passage, text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > VALUE_LIMIT:
        raise UserError(
            f"passage '{passage.id}' has {size} bytes, but Milvus keeps {VALUE_LIMIT} at most; split the corpus into "
            "passages with `rac index --passage-tokens 200`"
        )


class MilvusIndex:
    """An index in Milvus. Ties are decided by passage id, since a collection has no order."""

    def __init__(self, path: Path, header: dict[str, Any], settings: IndexSettings, engine: Engine) -> None:
        self.path, self.settings, self._header, self._engine = path, settings, header, engine
        self._encoders = MilvusEncoders(settings, header["retrievers"])
        self._analyzer = Analyzer(settings)

    def __len__(self) -> int:
        return self._engine.count_documents(self.settings.collection, self.settings.fields in ("text", "title+text"))

    def search_batch(self, queries: Sequence[str], top_k: int, *, explain: bool = False) -> list[list[Hit]]:
        """See ``base.Index.search_batch``."""
        check_search(queries, top_k)
        settings = self.settings
        depth = top_k
        if settings.diversify != "none":
            depth = max(depth, settings.diversify_depth)
        if settings.reranker:
            depth = max(depth, settings.rerank_depth)
        asked = [number for number, query in enumerate(queries) if any(c.isalnum() for c in query)]
        results: list[list[Hit]] = [[] for _ in queries]
        if asked:
            texts = [queries[number] for number in asked]
            for number, hits in zip(asked, self._search(texts, top_k, depth, explain), strict=True):
                results[number] = hits
        return results

    def _search(self, queries: list[str], top_k: int, depth: int, explain: bool) -> list[list[Hit]]:
        table: list[Passage] = []
        found = self._rank(queries, depth, explain, table)
        settings = self.settings
        if settings.reranker:
            from rac.retrieval.rerank import rerank

            found = rerank(queries, found, table, settings)
        if settings.diversify != "none":
            from rac.retrieval.diversify import diversify

            found = diversify(found, top_k, lambda rows: self._similarities(table, rows), settings)
        results = []
        for query, ranking in zip(queries, found, strict=True):
            hits = []
            for rank, one in enumerate(ranking[:top_k], start=1):
                passage = table[one.row]
                terms = self._analyzer.matched(query, full_text(passage)) if explain else ()
                hits.append(Hit(passage, one.score, rank, one.parts, terms))
            results.append(hits)
        return results

    def _rank(self, queries: list[str], depth: int, explain: bool, table: list[Passage]) -> list[list[Found]]:
        """Search in the engine; passages found go into ``table``, whose positions are the rows of what is returned."""
        parts = self.settings.parts
        requests: dict[str, list[Any]] = {part: self._encoders.request(part, queries, self._analyzer) for part in parts}
        single = len(parts) == 1
        # Several entries of a passage may be among the best, so more of them than passages are asked for.
        reach = depth if self.settings.fields in ("text", "title+text") else depth * 4
        deep = reach if single else max(reach, self.settings.fusion_depth)
        alone: dict[str, list[dict[str, Contribution]]] = {}
        rankings: list[list[tuple[Passage, float]]]
        if single or explain:
            each = {
                part: [
                    _best_passages(hits)
                    for hits in self._engine.search(self.settings.collection, part, requests[part], deep)
                ]
                for part in parts
            }
            alone = {part: [_contributions(ranking) for ranking in each[part]] for part in parts}
        if single:
            rankings = [ranking[:depth] for ranking in each[parts[0]]]
        else:
            fused = self._engine.hybrid(self.settings.collection, requests, reach, self.settings)
            rankings = [_best_passages(hits)[:depth] for hits in fused]
        results = []
        for number, ranking in enumerate(rankings):
            line = []
            for passage, score in ranking:
                contributions = {p: alone[p][number][passage.id] for p in alone if passage.id in alone[p][number]}
                line.append(Found(len(table), score, contributions))
                table.append(passage)
            results.append(line)
        return results

    def _similarities(self, table: list[Passage], rows: Sequence[int]) -> NDArray[np.float64]:
        from rac.retrieval.diversify import term_similarity

        passages = [table[row] for row in rows]
        if "dense" in self.settings.parts:
            vectors = self._engine.vectors(self.settings.collection, [f"{document_key(p.id)}:0" for p in passages])
            return np.clip(vectors @ vectors.T, 0, 1).astype(np.float64)
        return term_similarity([self._analyzer.terms(full_text(passage)) for passage in passages])

    def add(self, passages: Iterable[Passage]) -> int:
        """See ``base.Index.add``; the passages are in the engine for everybody at once, without ``save``.

        On a server this costs as much as the new passages. milvus-lite counts words within each segment, so that words
        of a few new passages would weigh next to nothing: there the collection is written anew, which is atomic too.
        """
        new = list(passages)
        keys = [document_key(passage.id) for passage in new]
        repeated = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
        known = self._engine.known(self.settings.collection, keys)
        for passage, key in zip(new, keys, strict=True):
            if key in known or key in repeated:
                where = "already in the index" if key in known else "twice among the new passages"
                raise UserError(
                    f"the passage id '{passage.id}' is {where}, so nothing was added; delete one of them first"
                )
        engine, alias = self._engine, self.settings.collection
        if engine.weighs_by_segment and "bm25" in self.settings.parts and new:
            self._write_anew(new)
        else:
            _insert(engine, alias, new, self.settings, self._encoders, unique=False)
            engine.flush(alias)
        return len(new)

    def _write_anew(self, new: list[Passage]) -> None:
        """Put old and new entries into one collection and let the alias point at it."""
        engine, alias = self._engine, self.settings.collection
        name = f"{alias}_{secrets.token_hex(4)}"
        engine.create(name, self.settings, self._encoders.dimensions)
        try:
            for batch in engine.rows(alias, self.settings):
                engine.insert(name, batch)
            _insert(engine, name, new, self.settings, self._encoders, unique=False)
            engine.flush(name)
            engine.publish(name, alias)
        except BaseException:
            engine.drop(name)
            raise

    def delete(self, ids: Iterable[str]) -> int:
        """See ``base.Index.delete``; the passages are gone from the engine for everybody at once."""
        wanted = list(dict.fromkeys(ids))
        keys = {document_key(identity): identity for identity in wanted}
        known = self._engine.known(self.settings.collection, list(keys))
        unknown = [identity for key, identity in keys.items() if key not in known]
        if unknown:
            raise UserError(
                f"{len(unknown)} of {len(wanted)} ids to delete are not in the index ('{unknown[0]}' first), so "
                "nothing was deleted; give ids that `rac search --json` prints"
            )
        self._engine.delete(self.settings.collection, list(keys))
        return len(wanted)

    def save(self, path: Path | str) -> None:
        """See ``base.Index.save``: the engine has saved already; another path gets a copy of the header."""
        target = Path(path)
        if target.resolve() == self.path.resolve():
            return
        if not self.settings.uri:
            raise UserError(
                f"this index keeps its database inside {self.path}, so it cannot be saved to {target} by its header "
                "alone; copy the directory while nobody uses it, or build with `uri`"
            )
        with generations.new_generation(target) as folder:
            generations.write_header(
                folder, {k: v for k, v in self._header.items() if k not in ("files", "format", "kind")}
            )

    def info(self) -> dict[str, Any]:
        """See ``base.Index.info``; the corpus checksum is that of the last build, not of later additions."""
        return {
            "path": str(self.path),
            "strategy": "milvus",
            "passages": len(self),
            "entries": self._engine.count(self.settings.collection),
            "corpus": self._header["corpus"],
            "retrievers": self._header["retrievers"],
            "settings": self.settings.model_dump(mode="json"),
            "bytes": self._engine.bytes_on_disk(),
            "server": self._engine.version(),
            "format": self._header["format"],
            "rac": self._header["rac"],
        }


def _best_passages(hits: Sequence[tuple[dict[str, Any], float]]) -> list[tuple[Passage, float]]:
    """Collapse entries to passages, best entry each, best first, ties by id."""
    best: dict[str, tuple[Passage, float]] = {}
    for record, score in hits:
        passage = Passage.model_validate(record)
        if passage.id not in best or score > best[passage.id][1]:
            best[passage.id] = (passage, score)
    return sorted(best.values(), key=lambda pair: (-pair[1], pair[0].id))


def _contributions(ranking: Sequence[tuple[Passage, float]]) -> dict[str, Contribution]:
    return {passage.id: Contribution(score, rank) for rank, (passage, score) in enumerate(ranking, start=1)}
