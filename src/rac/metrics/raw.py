"""The ``raw`` columns: what readers expect, a question treated as if it were a statement. Kept as the baseline.

* ``raw_summac_zs``: each sentence of the question is an NLI hypothesis against each sentence of D (with its title);
  max over premises, mean over the question's sentences (SummaC-ZS, Laban et al. 2022; entailment class only).
* ``raw_alignscore``: D joined and cut into chunks of about 350 words; max over chunks, mean over sentences (AlignScore,
  Zha et al. 2023, aggregation only: the probabilities are those of the given model). The embedded model reads much less
  at a time; for it the chunks are the windows of the claim-based metrics.
* ``raw_parent``: PARENT of the question against gold questions with D flattened into one table.

Range 0..1; None where there is no passage, no word in the question, or (``raw_parent``) no gold question. What fools
them: a question entails nothing, so an NLI model sees an odd hypothesis; D flattened into one table cannot see an
attribute of one passage joined to the name of another. Unlike the originals nothing is dropped for being short:
"Which one?" is scored as it stands. Cost: one model row per (premise, sentence) pair, equal pairs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from rac.errors import UserError
from rac.metrics.entailment_windows import split_sentences, windows
from rac.metrics.parent import flat_table, parent
from rac.metrics.reference import tokens
from rac.records import Passage

CHUNK_WORDS = 350
"""Words of D per premise in ``raw_alignscore``, as published."""
LONGEST_CHUNK = 16 * CHUNK_WORDS

Scores = list[float | None]
Premises = Callable[[Sequence[Passage]], list[str]]


class Entailer(Protocol):
    """What is needed of ``rac.metrics.entailment.EntailmentScorer``."""

    def entail_probs(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return P_ent of each (premise, hypothesis) pair."""
        ...


def raw_summac_zs(questions: Sequence[str], passages: Sequence[Sequence[Passage]], scorer: Entailer) -> Scores:
    """Return SummaC-ZS of each question against its D: mean over its sentences of the best sentence of D."""
    return _aggregate(questions, passages, scorer, _sentence_premises)


def raw_alignscore(
    questions: Sequence[str], passages: Sequence[Sequence[Passage]], scorer: Entailer, *, chunk_words: int | None = None
) -> Scores:
    """Return AlignScore's aggregation for each question: mean over its sentences of the best chunk of D.

    Args:
        questions: The questions.
        passages: Their D.
        scorer: The entailment model.
        chunk_words: Words per chunk; by default 350, and for the embedded model the windows of ``windows``, since the
            rest of a chunk would be cut off.
    """
    if chunk_words is None:
        if getattr(scorer, "embedded", False):
            return _aggregate(questions, passages, scorer, _window_premises)
        chunk_words = CHUNK_WORDS
    if not 1 <= chunk_words <= LONGEST_CHUNK:
        raise UserError(f"chunk_words is {chunk_words}, but a premise has 1 to {LONGEST_CHUNK} words; use 350")
    size = chunk_words
    return _aggregate(questions, passages, scorer, lambda d: chunks(d, size))


def raw_parent(
    questions: Sequence[str], references: Sequence[Sequence[str]], passages: Sequence[Sequence[Passage]]
) -> Scores:
    """Return the F of PARENT for each question against its gold questions, D as one table (lambda 0.5)."""
    _same_length(questions, references, passages)
    scores = parent(
        [tokens(q) for q in questions],
        [[tokens(gold) for gold in golds if tokens(gold)] for golds in references],
        [flat_table(d) for d in passages],
    )
    return [
        None if score is None else score.f if tokens(question) else 0.0
        for question, score in zip(questions, scores, strict=True)
    ]


def chunks(passages: Sequence[Passage], size: int) -> list[str]:
    """Return D as chunks of whole sentences, at most ``size`` words each unless one sentence is longer."""
    found: list[list[str]] = []
    words = 0
    for passage in passages:
        labels = ", ".join([*passage.types, *([passage.description] if passage.description else [])])
        head = f"{passage.title} ({labels})" if labels else passage.title
        for sentence in [*([f"{head.strip()}."] if head.strip() else []), *split_sentences(passage.text)]:
            length = len(sentence.split())
            if not found or words + length > size:
                found.append([])
                words = 0
            found[-1].append(sentence)
            words += length
    return [" ".join(chunk) for chunk in found]


def _sentence_premises(passages: Sequence[Passage]) -> list[str]:
    return [window for passage in passages for window in windows(passage, sentences=1)]


def _window_premises(passages: Sequence[Passage]) -> list[str]:
    return [window for passage in passages for window in windows(passage)]


def _aggregate(
    questions: Sequence[str], passages: Sequence[Sequence[Passage]], scorer: Entailer, premises: Premises
) -> Scores:
    _same_length(questions, passages)
    pairs: list[tuple[str, str]] = []
    shapes: list[tuple[int, int]] = []
    for question, d in zip(questions, passages, strict=True):
        hypotheses = [s for s in split_sentences(question) if tokens(s)]
        texts = premises(d)
        shapes.append((len(hypotheses), len(texts)))
        pairs += [(premise, hypothesis) for hypothesis in hypotheses for premise in texts]
    probs = scorer.entail_probs(pairs)
    scores: Scores = []
    start = 0
    for rows, columns in shapes:
        if rows and columns:
            block = probs[start : start + rows * columns].reshape(rows, columns)
            scores.append(float(block.max(axis=1).mean()))
        else:
            scores.append(None)
        start += rows * columns
    return scores


def _same_length(first: Sequence[object], *others: Sequence[object]) -> None:
    for other in others:
        if len(other) != len(first):
            raise UserError(
                f"{len(first)} questions but {len(other)} lists of passages or references were given, so they cannot "
                "be paired; give one list per question"
            )
