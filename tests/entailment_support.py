"""Parts of the entailment tests: a model that counts its runs, a small word tokenizer, a small random encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class FakeRow:
    tokens: int
    members: list[int]
    pair: tuple[str, str]


class FakeModel:
    """P_ent = share of the claim's words in the premise; counts the pairs that it was run on."""

    name = "fake"
    has_contradiction = True
    parallel = 2

    def __init__(self, revision: str = "r1", limit: int = 1000) -> None:
        self.revision, self.limit = revision, limit
        self.seen: list[tuple[str, str]] = []
        self.batches: list[int] = []

    def rows(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[FakeRow], int]:
        made = [FakeRow(len(f"{p} {h}".split()), [i], (p, h)) for i, (p, h) in enumerate(pairs)]
        return made, sum(row.tokens > self.limit for row in made)

    def run(self, rows: Sequence[FakeRow]) -> Any:
        self.batches.append(len(rows))
        values = []
        for row in rows:
            self.seen.append(row.pair)
            premise, words = set(row.pair[0].split()), row.pair[1].split()
            entail = sum(w in premise for w in words) / max(len(words), 1)
            values.append((entail, 0.9 if "not" in words else 0.05))
        return np.array(values)


def word_tokenizer(words: Sequence[str]) -> Any:
    """A ``tokenizers.Tokenizer`` of whole words with [CLS] and [SEP]; unknown words become [UNK]."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def small_encoder(seed: int = 0) -> Any:
    """A random ``ClaimEncoder`` of two narrow layers."""
    import torch

    from rac.metrics.entailment_training.model import ClaimEncoder, Shape

    torch.manual_seed(seed)
    return ClaimEncoder(Shape(vocabulary=60, positions=128, hidden=64, inner=128, layers=2, heads=4)).eval()
