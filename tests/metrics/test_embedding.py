"""Embedding similarity: aggregation with made vectors, and the real encoder where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from rac.metrics.embedding import embedding_similarity

VECTORS = {"a b": [1.0, 0.0], "a c": [3.0, 4.0], "d": [0.0, 2.0], "zero": [0.0, 0.0]}


def encode(texts):
    assert len(texts) == len(set(texts)), "equal texts are encoded once"
    return np.array([VECTORS[text] for text in texts])


def test_cosine_with_the_nearest_reference():
    scores = embedding_similarity(["a b", "a b", "a b"], [["a c"], ["d"], ["d", "a c"]], encode=encode)
    assert scores == pytest.approx([0.6, 0.0, 0.6])


def test_unscored_and_empty():
    assert embedding_similarity(["a b", "", "?"], [[], ["d"], ["d"]], encode=encode) == [None, 0.0, 0.0]
    assert embedding_similarity(["zero"], [["d"]], encode=encode) == [0.0]
    assert embedding_similarity([], [], encode=encode) == []


@pytest.mark.extra
def test_paraphrases_are_nearer_than_other_questions():
    near, far, changed = embedding_similarity(
        ["Which film do you mean?", "How tall is the tower?", "Which book do you mean?"], [["What movie is meant?"]] * 3
    )
    assert near > 0.6 > far
    assert changed > far
