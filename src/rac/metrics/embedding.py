"""Embedding similarity of a question with its references: cosine of sentence vectors, best reference.

Range -1..1, in practice 0..1. Needs ``sentence-transformers``. What fools it: two questions that differ in one name or
number have nearly the same vector, so it says nothing about faithfulness; it sees paraphrases that n-grams miss. Cost:
one model row per different text. Source: Reimers and Gurevych 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rac.metrics.reference import tokens, usable_references

Encode = Callable[[list[str]], np.ndarray]
"""Texts to vectors, shape (n, dimensions); they are normalised here."""


def embedding_similarity(
    questions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    model: str = "embedded",
    encode: Encode | None = None,
) -> list[float | None]:
    """Return for each question the cosine with its nearest reference.

    Args:
        questions: The questions.
        references: For each its references.
        model: A sentence-transformers model by id or path; ``embedded`` is the installed all-MiniLM-L6-v2.
        encode: Something else that makes vectors.

    Returns:
        One value per question; None without a reference that has a word. A question without a word scores 0.

    Raises:
        UserError: for lists of different length, or if the model cannot be loaded.
    """
    items = usable_references(questions, references)
    texts = sorted({text for question, golds in items if golds and tokens(question) for text in (question, *golds)})
    if not texts:
        return [0.0 if golds else None for _, golds in items]
    vectors = np.asarray((encode or _encoder(model))(texts), dtype=np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    where = {text: i for i, text in enumerate(texts)}
    scores: list[float | None] = []
    for question, golds in items:
        if not golds or not tokens(question):
            scores.append(0.0 if golds else None)
            continue
        rows = vectors[[where[gold] for gold in golds]]
        scores.append(float((rows @ vectors[where[question]]).max()))
    return scores


def _encoder(model: str) -> Encode:
    from rac.retrieval.encoders import bi_encoder

    loaded = bi_encoder(model)

    def encode(texts: list[str]) -> np.ndarray:
        return np.asarray(loaded.encode(texts, batch_size=64, convert_to_numpy=True, show_progress_bar=False))

    return encode
