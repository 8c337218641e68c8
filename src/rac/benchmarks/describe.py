"""Statistics of a benchmark or of a user's examples: sizes, lengths, grounding of the gold, leaks, damage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rac.benchmarks.gold_grounding import gold_grounding
from rac.benchmarks.leakage import overlap
from rac.benchmarks.text import has_mojibake, plain_words
from rac.records import ClarificationExample, Passage

TokenCounter = Callable[[str], int]
_TOKEN = re.compile(r"\w+|[^\w\s]")


def count_words(text: str) -> int:
    """Return the number of words and punctuation marks: the default unit of lengths."""
    return len(_TOKEN.findall(text))


def summary(values: Sequence[float]) -> dict[str, float | int | None]:
    """Return n, mean, median, 95th percentile (nearest rank) and maximum; all but n are None for no values."""
    if not values:
        return {"n": 0, "mean": None, "median": None, "p95": None, "max": None}
    ordered = sorted(values)
    n = len(ordered)
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    p95 = ordered[max(0, -(-95 * n // 100) - 1)]
    return {"n": n, "mean": sum(ordered) / n, "median": median, "p95": p95, "max": ordered[-1]}


def describe(
    examples: Sequence[ClarificationExample],
    corpus: Sequence[Passage] = (),
    *,
    others: Mapping[str, Sequence[ClarificationExample]] | None = None,
    count_tokens: TokenCounter = count_words,
) -> dict[str, Any]:
    """Describe a set of examples, by split.

    Args:
        examples: Of any splits.
        corpus: Everything that can be retrieved, if the set brings it.
        others: Other sets by name, to look for shared queries, questions and passages.
        count_tokens: Gives the length of a text.

    Returns:
        JSON-ready: ``splits`` (name -> sizes, lengths, grounding of the gold), ``corpus``, ``leakage`` (between
        splits), ``shared`` (with other sets, only where anything is), ``compared`` (names of the sets looked at) and
        ``notes`` (damage found).
    """
    splits: dict[str, list[ClarificationExample]] = {}
    for example in examples:
        splits.setdefault(example.split or "(no split)", []).append(example)
    # What is trained on comes first, so that each pair reads "what of the held-out split is in the training split".
    names = sorted(splits, key=lambda name: "train" not in name)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    shared = {name: overlap(theirs, examples) for name, theirs in (others or {}).items()}
    return {
        "splits": {name: describe_split(splits[name], count_tokens) for name in names},
        "corpus": _describe_corpus(corpus, count_tokens),
        "leakage": [{"from": a, "to": b, **overlap(splits[a], splits[b]).to_dict()} for a, b in pairs],
        "shared": {name: found.to_dict() for name, found in shared.items() if found.any},
        "compared": list(shared),
        "notes": damage(examples, corpus),
    }


def describe_split(
    examples: Sequence[ClarificationExample], count_tokens: TokenCounter = count_words
) -> dict[str, Any]:
    """Return the sizes, lengths and grounding of one split; lengths in the counter's tokens."""
    passages = {p.id: p for e in examples for p in e.passages}
    found: dict[str, Any] = {
        "queries": len(examples),
        "different_queries": len({" ".join(plain_words(e.query)) for e in examples}),
        "groups": len({e.cluster for e in examples}),
        "with_history": sum(bool(e.history) for e in examples),
        "with_labels": sum(bool(e.labels) for e in examples),
        "without_question": sum(not e.questions for e in examples),
        "questions": sum(len(e.questions) for e in examples),
        "questions_per_query": summary([len(e.questions) for e in examples]),
        "facets_per_query": summary([len(e.facets) for e in examples]),
        "answers_per_query": summary([len(e.answers) for e in examples]),
        "gold_passages_per_query": summary([len(e.gold_ids) for e in examples]),
        "gold_passages": len({i for e in examples for i in e.gold_ids}),
        "judged_per_query": summary([len(e.qrels) for e in examples]),
        "query_tokens": summary([count_tokens(e.query) for e in examples]),
        "question_tokens": summary([count_tokens(q) for e in examples for q in e.questions]),
        "passage_tokens": summary([count_tokens(_full_text(p)) for p in passages.values()]),
        "grounding": gold_grounding(examples),
        "facet_grounding": gold_grounding(examples, texts_of=lambda e: e.facets),
    }
    natural = [e for e in examples if e.meta.get("natural")]
    if natural and len(natural) < len(examples):
        found["natural"] = {"queries": len(natural), "grounding": gold_grounding(natural)}
    return found


def _full_text(passage: Passage) -> str:
    return " ".join(t for t in (passage.title, *passage.types, passage.description, passage.text) if t)


def _describe_corpus(corpus: Sequence[Passage], count_tokens: TokenCounter) -> dict[str, Any]:
    texts = Counter(" ".join(plain_words(_full_text(p))) for p in corpus)
    return {
        "passages": len(corpus),
        "documents": len({p.source for p in corpus if p.source}),
        "repeated_texts": len(corpus) - len(texts),
        "tokens": summary([count_tokens(_full_text(p)) for p in corpus]),
    }


def damage(examples: Sequence[ClarificationExample], corpus: Sequence[Passage] = ()) -> dict[str, int]:
    """Count what is odd about the texts; nothing is changed. Only what occurs is returned."""
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for example in examples:
        counts["queries with mojibake"] += has_mojibake(example.query)
        counts["gold questions with mojibake"] += sum(map(has_mojibake, example.questions))
        counts["facets with mojibake"] += sum(map(has_mojibake, example.facets))
        key = example.model_copy(update={"id": "", "split": "", "labels": {}, "meta": {}}).model_dump_json()
        counts["examples that repeat another but for id, labels and notes"] += key in seen
        seen.add(key)
        counts["examples that list a gold question twice"] += len(set(example.questions)) < len(example.questions)
    passages: Iterable[Passage] = corpus or {p.id: p for e in examples for p in e.passages}.values()
    for passage in passages:
        counts["passages with mojibake"] += has_mojibake(_full_text(passage))
        counts["passages without text"] += not passage.text.strip()
    return {name: count for name, count in counts.items() if count}
