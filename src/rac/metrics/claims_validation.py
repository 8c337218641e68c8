"""How well the claim rules agree with labels: facet precision, recall and F1 on labelled questions of all benchmarks.

A predicted claim matches a labelled one when their words overlap by Dice >= 0.8 (function words aside if anything else
is left), one to one. ``exact`` asks for the same set of words. Kinds are compared on matched claims only, so that F1 is
about what was found and kind accuracy about what it was taken for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rac.files import read_text
from rac.metrics.claims import Claim, claims
from rac.metrics.locked import check_locked
from rac.metrics.text import content_keys, words

DATA = Path(__file__).parent / "validation_data"
LOCKED_SHA256 = "964255836dd581e5d53382c501ea635ca9988ed413ce579544d0bd61220e1976"
"""Checksum of the locked half: labels that were changed after the rules had been tuned would not pass."""
DICE = 0.8

Half = Literal["open", "locked"]
Splitter = Callable[[str, str], Sequence[Claim]]
Labels = dict[str, Any]
"""A labelled question: id, source, query, question, and claims with kind and text."""


@dataclass(frozen=True)
class ClaimAgreement:
    """Agreement of a splitter with labels.

    Attributes:
        f1: Facet F1 over all claims of all questions, in 0..1.
        low: Lower end of its 95 % interval (questions resampled).
        high: Upper end.
        precision: Share of predicted claims that match a label.
        recall: Share of labelled claims that were found.
        exact_f1: F1 when the words must be the same.
        kind_accuracy: Share of matched claims with the label's kind.
        questions: Number of questions.
        claims: Number of labelled claims.
        by_source: F1 by benchmark.
    """

    f1: float
    low: float
    high: float
    precision: float
    recall: float
    exact_f1: float
    kind_accuracy: float
    questions: int
    claims: int
    by_source: dict[str, float]


def read_labels(half: Half) -> list[Labels]:
    """Return the labelled questions of one half.

    Raises:
        DataError: if the locked half is not what it was when it was locked.
    """
    path = DATA / f"claim_labels_{half}.json"
    if half == "locked":
        check_locked(path, LOCKED_SHA256)
    labels: list[Labels] = json.loads(read_text(path))
    return labels


def agreement(labels: Sequence[Labels], splitter: Splitter = claims, *, seed: int = 0) -> ClaimAgreement:
    """Compare a splitter's claims with labels."""
    predicted = []
    for row in labels:
        # As written: words filled in from elsewhere are not compared.
        found = splitter(row["question"], row["query"])
        predicted.append([(c.kind, row["question"][c.start : c.end]) for c in found])
    return _agreement(labels, predicted, seed)


def annotator_agreement(first: Sequence[Labels], second: Sequence[Labels], *, seed: int = 0) -> ClaimAgreement:
    """Compare the claims of a second annotator with those of the first, question by question."""
    by_id = {row["id"]: row for row in second}
    return _agreement(first, [[(c["kind"], c["text"]) for c in by_id[row["id"]]["claims"]] for row in first], seed)


def _agreement(labels: Sequence[Labels], predicted: Sequence[Sequence[tuple[str, str]]], seed: int) -> ClaimAgreement:
    rows = [_compare(row["claims"], found) for row, found in zip(labels, predicted, strict=True)]
    counts = np.array([[r.matched, r.predicted, r.labelled, r.exact, r.kind] for r in rows], dtype=float)
    rng = np.random.default_rng(seed)
    samples = counts[rng.integers(0, len(rows), size=(2000, len(rows)))].sum(axis=1)
    resampled = 2 * samples[:, 0] / np.maximum(samples[:, 1] + samples[:, 2], 1)
    matched, claimed, labelled, exact, kind = counts.sum(axis=0)
    sources = sorted({row["source"] for row in labels})
    by_source = {}
    for source in sources:
        own = counts[[i for i, row in enumerate(labels) if row["source"] == source]].sum(axis=0)
        by_source[source] = float(2 * own[0] / max(own[1] + own[2], 1))
    return ClaimAgreement(
        f1=float(2 * matched / (claimed + labelled)),
        low=float(np.percentile(resampled, 2.5)),
        high=float(np.percentile(resampled, 97.5)),
        precision=float(matched / claimed),
        recall=float(matched / labelled),
        exact_f1=float(2 * exact / (claimed + labelled)),
        kind_accuracy=float(kind / max(matched, 1)),
        questions=len(rows),
        claims=int(labelled),
        by_source=by_source,
    )


@dataclass(frozen=True)
class _Counts:
    matched: int
    predicted: int
    labelled: int
    exact: int
    kind: int


def _compare(labelled: Sequence[dict[str, Any]], predicted: Sequence[tuple[str, str]]) -> _Counts:
    left = [_words(c["text"]) for c in labelled]
    right = [_words(text) for _, text in predicted]
    scored = sorted(
        ((2 * len(a & b) / max(len(a) + len(b), 1), i, j) for i, a in enumerate(left) for j, b in enumerate(right)),
        key=lambda t: (-t[0], t[1], t[2]),
    )
    used_left: set[int] = set()
    used_right: set[int] = set()
    exact = kind = 0
    for dice, i, j in scored:
        if dice < DICE or i in used_left or j in used_right:
            continue
        used_left.add(i)
        used_right.add(j)
        exact += left[i] == right[j]
        kind += labelled[i]["kind"] == predicted[j][0]
    return _Counts(len(used_left), len(predicted), len(labelled), exact, kind)


def _words(text: str) -> frozenset[str]:
    return frozenset(content_keys(text) or {w.key for w in words(text)})
