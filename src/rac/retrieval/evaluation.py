"""How well a ranking serves clarification: relevance by ``ir-measures``, and how many facets the top covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rac.errors import UserError
from rac.records import ClarificationExample, Passage
from rac.retrieval.analyzer import Analyzer
from rac.retrieval.entries import full_text
from rac.retrieval.settings import IndexSettings

MEASURES: dict[str, str] = {
    "nDCG@10": "nDCG@10",
    "MRR@10": "RR@10",
    "Recall@2": "R@2",
    "Recall@5": "R@5",
    "Recall@10": "R@10",
    "α-nDCG@5": "alpha_nDCG@5",
}
"""Name here -> name in ``ir-measures``."""

ALL_AT = (2, 5)
FACETS_AT = (2, 5)
_MOST_FACET_PASSAGES = 50


@dataclass(frozen=True)
class Judged:
    """Queries whose relevant passages are known.

    Attributes:
        queries: Query id -> text.
        relevant: Query id -> passage id -> grade above 0.
        facets: Query id -> for each facet the passages that cover it.
        clusters: Query id -> unit of resampling.
        counts: What was read and what was left out, and why.
    """

    queries: dict[str, str]
    relevant: dict[str, dict[str, int]]
    facets: dict[str, list[frozenset[str]]]
    clusters: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)


def judge(examples: Iterable[ClarificationExample], corpus: Sequence[Passage]) -> Judged:
    """Take queries and judgements from examples: ``qrels`` if there are any, else the gold passages with grade 1.

    A query's facets are its facet texts, if it has at least two: one is covered by the relevant passage that shares
    most of its words, and by every passage that holds all of them. Otherwise each relevant passage is a facet.

    Args:
        examples: Queries with judgements; those without are left out and counted.
        corpus: All passages.
    """
    analyzer = Analyzer(IndexSettings())
    terms = {passage.id: frozenset(analyzer.terms(full_text(passage))) for passage in corpus}
    holders: dict[str, set[str]] = {}
    for identity, words in terms.items():
        for word in words:
            holders.setdefault(word, set()).add(identity)
    counts = {"queries": 0, "queries with facet texts": 0, "queries without a judgement (left out)": 0}
    judged = Judged({}, {}, {}, {}, counts)
    missing = 0
    for example in examples:
        grades = example.qrels or dict.fromkeys(example.gold_ids, 1)
        known = {identity: grade for identity, grade in grades.items() if grade > 0 and identity in terms}
        missing += sum(grade > 0 for grade in grades.values()) - len(known)
        if not known:
            counts["queries without a judgement (left out)"] += 1
            continue
        counts["queries"] += 1
        judged.queries[example.id] = example.query
        judged.relevant[example.id] = known
        judged.clusters[example.id] = example.cluster
        if len(example.facets) >= 2:
            counts["queries with facet texts"] += 1
            judged.facets[example.id] = [
                _covering(frozenset(analyzer.terms(facet)), known, terms, holders) for facet in example.facets
            ]
        else:
            judged.facets[example.id] = [frozenset([identity]) for identity in sorted(known)]
    if missing:
        counts["relevant passages that the corpus lacks"] = missing
    return judged


def _covering(
    facet: frozenset[str], relevant: Mapping[str, int], terms: Mapping[str, frozenset[str]],
    holders: Mapping[str, set[str]],
) -> frozenset[str]:  # fmt: skip
    """Return the passages that cover a facet: the nearest relevant one, and all that hold every word of it."""
    nearest = max(sorted(relevant), key=lambda identity: len(facet & terms[identity]))
    rarest = sorted(facet, key=lambda word: (len(holders.get(word, ())), word))
    full: set[str] = set(holders.get(rarest[0], ())) if rarest else set()
    for word in rarest[1:]:
        full &= holders.get(word, set())
    # A facet of general words only would be covered by half the corpus, which says nothing about it.
    return frozenset({nearest} | (full if len(full) <= _MOST_FACET_PASSAGES else set()))


def measure(rankings: Mapping[str, Sequence[str]], judged: Judged) -> dict[str, dict[str, float]]:
    """Return measure -> query id -> value; a query for which nothing was found has 0 everywhere.

    α-nDCG is left out where every query has one facet: there is no novelty to measure then.

    Besides ``MEASURES``: ``all relevant@k`` (1 if every relevant passage is among the first k) and ``facet recall@k``
    (share of the facets that one of the first k covers).

    Args:
        rankings: Query id -> passage ids, best first.
        judged: The judgements.

    Raises:
        UserError: if a package behind ``ir-measures`` is missing.
    """
    import ir_measures

    # Ranks as scores: the tools behind it break ties by id, but the order of the index is what is measured.
    run = [
        ir_measures.ScoredDoc(query, identity, float(-rank))
        for query, ranking in rankings.items()
        for rank, identity in enumerate(ranking)
    ]
    qrels = [
        ir_measures.Qrel(query, identity, grade)
        for query, grades in judged.relevant.items()
        for identity, grade in grades.items()
    ]
    subtopics = [
        ir_measures.Qrel(query, identity, 1, str(number))
        for query, facets in judged.facets.items()
        for number, facet in enumerate(facets, start=1)
        for identity in sorted(facet)
    ]
    values: dict[str, dict[str, float]] = {}
    one_facet = all(len(facets) == 1 for facets in judged.facets.values())
    for name, standard in MEASURES.items():
        if one_facet and standard.startswith("alpha"):
            continue
        values[name] = dict.fromkeys(judged.queries, 0.0)
        wanted = ir_measures.parse_measure(standard)
        judgements: Any = subtopics if standard.startswith("alpha") else qrels
        try:
            computed = list(ir_measures.iter_calc([wanted], judgements, run))
        except ValueError as error:
            raise UserError(
                f"the measure {name} needs a package that is not installed; install it with "
                "`pip install 'rac-clarify[indexes]'`"
            ) from error
        for metric in computed:
            if metric.query_id in values[name]:
                values[name][metric.query_id] = float(metric.value)
    for depth in ALL_AT:
        values[f"all relevant@{depth}"] = {
            query: float(set(grades) <= set(rankings.get(query, ())[:depth]))
            for query, grades in judged.relevant.items()
        }
    for depth in FACETS_AT:
        values[f"facet recall@{depth}"] = {
            query: sum(bool(facet & set(rankings.get(query, ())[:depth])) for facet in facets) / len(facets)
            for query, facets in judged.facets.items()
        }
    return values
