"""Further columns of an evaluation beside the claim-based ones: references, facets, PARENT, raw, lists, the corpus.

Every function takes the rows with what they were made from and adds keys to them; None is unscored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rac.metrics.claims import FRAME_KEYS, Claim
from rac.metrics.lexical import prepare
from rac.metrics.support import QuestionSupport, SupportFit, support
from rac.metrics.text import content_keys, content_words, match_keys
from rac.records import ClarificationExample, Passage

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer
    from rac.retrieval.base import Hit

OFFERED = ("OPTION", "TOPIC", "NOT-TYPE")


class Searchable(Protocol):
    """What is needed of ``rac.retrieval.Index``."""

    def search_batch(self, queries: Sequence[str], top_k: int) -> list[list[Hit]]:
        """Return for each query its best passages, best first."""
        ...


@dataclass(frozen=True)
class Scored:
    """What the rows were made from, one entry per asked example in the same order as ``rows``."""

    rows: list[dict[str, Any]]
    examples: list[ClarificationExample]
    passages: list[list[Passage]]
    supports: list[QuestionSupport]

    @property
    def questions(self) -> list[str]:
        """The questions."""
        return [row["question"] for row in self.rows]

    @property
    def queries(self) -> list[str]:
        """The queries."""
        return [e.query for e in self.examples]

    def put(self, name: str, values: Sequence[float | None]) -> None:
        """Write one value per row."""
        for row, value in zip(self.rows, values, strict=True):
            row[name] = value


def add_references(scored: Scored, metrics: Sequence[str]) -> None:
    """Add overlap with the gold questions, where there are any."""
    golds = [list(e.questions) for e in scored.examples]
    if not metrics or not any(golds):
        return
    from rac.metrics.reference import reference_scores

    for name, values in reference_scores(scored.questions, golds, metrics).items():
        scored.put(name, values)


def add_embedding(scored: Scored, model: str) -> None:
    """Add the cosine with the nearest gold question."""
    golds = [list(e.questions) for e in scored.examples]
    if not model or not any(golds):
        return
    from rac.metrics.embedding import embedding_similarity

    scored.put("embedding", embedding_similarity(scored.questions, golds, model=model))


def add_facets(scored: Scored) -> None:
    """Add coverage of gold facets, where there are any."""
    if not any(e.facets for e in scored.examples):
        return
    from rac.metrics.facets import facet_coverage

    found = facet_coverage([s.claims for s in scored.supports], [e.facets for e in scored.examples], scored.queries)
    for name in ("facet_coverage", "facet_hit", "facet_fit"):
        scored.put(name, [getattr(score, name) for score in found])


def add_parent(scored: Scored) -> None:
    """Add PARENT-Q, and PARENT with D as one table where there are gold questions."""
    from rac.metrics.parent_q import parent_q

    found = parent_q(scored.questions, scored.queries, [s.claims for s in scored.supports], scored.passages)
    scored.put("parent_q", [score.f for score in found])
    scored.put("parent_q_precision", [score.precision for score in found])
    scored.put("parent_q_recall", [score.recall for score in found])
    golds = [list(e.questions) for e in scored.examples]
    if any(golds):
        from rac.metrics.raw import raw_parent

        scored.put("raw_parent", raw_parent(scored.questions, golds, scored.passages))


def add_raw(scored: Scored, entailment: EntailmentScorer) -> None:
    """Add the whole question as NLI hypothesis, the baseline."""
    from rac.metrics.raw import raw_alignscore, raw_summac_zs

    scored.put("raw_summac_zs", raw_summac_zs(scored.questions, scored.passages, entailment))
    scored.put("raw_alignscore", raw_alignscore(scored.questions, scored.passages, entailment))


_CAPITAL = re.compile(r"[A-ZÀ-ÖØ-Þ]")


def add_unsupported_words(scored: Scored) -> None:
    """Add ``unsupported_words``: names, numbers and other content words of the claims that neither D nor query has.

    What the user is said to have said counts too: a name that nobody mentioned is an invention wherever it stands. The
    columns ``unsupported_names`` and ``unsupported_numbers`` count them.
    """
    for row, example, passages, result in zip(
        scored.rows, scored.examples, scored.passages, scored.supports, strict=True
    ):
        found = unsupported_words(row["question"], example.query, result.claims, passages)
        row["unsupported_words"] = found
        row["unsupported_names"] = float(len(found["names"])) if passages else None
        row["unsupported_numbers"] = float(len(found["numbers"])) if passages else None


def unsupported_words(
    question: str, query: str, claims: Sequence[Claim], passages: Sequence[Passage]
) -> dict[str, list[str]]:
    """Return the words of a question's claims that stand in no passage and not in the query, as written.

    ``numbers`` are numbers and dates, ``names`` words with a capital (the first word of a claim aside, unless the claim
    stands inside the question), ``words`` the rest.
    """
    prepared = [prepare(p) for p in passages]
    known = {k for w in content_keys(query) for k in match_keys(w)} | FRAME_KEYS
    found: dict[str, list[str]] = {"names": [], "numbers": [], "words": []}
    for claim in claims:
        if claim.kind == "NOT-TYPE":
            continue
        span = question[claim.start : claim.end]
        for word in content_words(span):
            if known.intersection(match_keys(word.key)) or any(p.has(word.key) for p in prepared):
                continue
            text = span[word.start : word.end]
            first = claim.start + word.start == 0
            kind = "numbers" if word.is_number else "names" if _CAPITAL.match(text) and not first else "words"
            if text not in found[kind]:
                found[kind].append(text)
    return found


def add_retrieval_gain(
    scored: Scored, index: Searchable, fit: SupportFit, entailment: EntailmentScorer | None, *, k: int = 10
) -> None:
    """Add what the question is worth to search (``rac.metrics.retrieval_gain``), where it is known what is relevant."""
    from rac.metrics.retrieval_gain import MEASURES, retrieval_gain

    if not any(e.gold_ids or e.qrels for e in scored.examples):
        return
    known = {p.id: p for passages in scored.passages for p in passages}
    gains = retrieval_gain(
        scored.questions, scored.examples, index, passages=known, k=k, entailment=entailment, fit=fit
    )
    for name in MEASURES:
        scored.put(f"delta_{name}", [gain.row()[f"delta_{name}"] for gain in gains])


def add_corpus_support(
    scored: Scored, index: Searchable, fit: SupportFit, entailment: EntailmentScorer | None, *, top_k: int = 5
) -> None:
    """Add support by the corpus: each offered claim against what ``query + option`` retrieves, D included.

    ``faith_corpus`` is the mean over offered claims of max(s_j by D, s_j by the corpus); ``missed_by_d`` the share of
    offered claims that the corpus supports and D does not: invented from D's point of view, but answerable.
    """
    wanted = [(i, c) for i, s in enumerate(scored.supports) for c in s.claims if c.kind in OFFERED]
    if not wanted:
        return
    hits = index.search_batch([f"{scored.examples[i].query} {c.text}" for i, c in wanted], top_k)
    items = [
        (scored.examples[i].query, [claim], [hit.passage for hit in found])
        for (i, claim), found in zip(wanted, hits, strict=True)
    ]
    results = support(items, entailment=entailment, fit=fit)
    values: dict[int, list[tuple[float, float]]] = {}
    per_claim = {
        (i, id(c)): s for i, result in enumerate(scored.supports)
        for c, s in zip(result.claims, result.per_claim, strict=True)
    }  # fmt: skip
    for (i, claim), result in zip(wanted, results, strict=True):
        values.setdefault(i, []).append((per_claim[i, id(claim)], result.per_claim[0]))
    for i, row in enumerate(scored.rows):
        pairs = values.get(i)
        row["faith_corpus"] = sum(max(p) for p in pairs) / len(pairs) if pairs else None
        missed = [d < fit.tau <= corpus for d, corpus in pairs] if pairs else []
        row["missed_by_d"] = sum(missed) / len(missed) if missed else None
