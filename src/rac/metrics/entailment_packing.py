"""Packing: a premise and all claims about it in one row, so that the premise is read once.

The embedded entailment model is trained for such rows (``entailment_training.model``); this module makes them, for
training and for scoring alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass
class Row:
    """One premise and claims about it; ``members`` are the claims' positions in the caller's list of pairs."""

    premise: list[int]
    claims: list[list[int]] = field(default_factory=list)
    members: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Length of the row in tokens."""
        return len(self.premise) + sum(map(len, self.claims))


def pack_rows(premises: Sequence[list[int]], claims: Sequence[list[int]], max_row_tokens: int) -> list[Row]:
    """Group pairs by premise.

    Args:
        premises: Token ids of each pair's premise, ``[CLS] ... [SEP]``.
        claims: Token ids of each pair's claim, ``[CLS] ... [SEP]``.
        max_row_tokens: A premise whose claims need more than this gets further rows; one claim always fits.

    Returns:
        Rows that hold every pair exactly once.
    """
    rows: list[Row] = []
    latest: dict[tuple[int, ...], Row] = {}
    for i, (premise, claim) in enumerate(zip(premises, claims, strict=True)):
        key = tuple(premise)
        row = latest.get(key)
        if row is None or row.tokens + len(claim) > max_row_tokens:
            row = latest[key] = Row(premise)
            rows.append(row)
        row.claims.append(claim)
        row.members.append(i)
    return rows


def cut(ids: list[int], limit: int) -> list[int]:
    """Return token ids of at most ``limit`` tokens that still end with [SEP].

    Premise and claim have limits of their own, so that no pair's score depends on what else is scored.
    """
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


def pair_rows(
    tokenizer: Any, pairs: Sequence[tuple[str, str]], premise_tokens: int, claim_tokens: int, row_tokens: int
) -> tuple[list[Row], int]:
    """Tokenize (premise, claim) pairs, each different text once, and pack them.

    Args:
        tokenizer: A ``tokenizers.Tokenizer`` that adds [CLS] and [SEP] and neither pads nor truncates.
        pairs: The pairs.
        premise_tokens: Longest premise; the rest is cut.
        claim_tokens: Longest claim; the rest is cut.
        row_tokens: Longest row, unless a premise and one claim are longer.

    Returns:
        The rows and how many different texts were cut.
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    ids = {text: e.ids for text, e in zip(texts, tokenizer.encode_batch(texts), strict=True)}
    shortened = {p for p, _ in pairs if len(ids[p]) > premise_tokens}
    shortened |= {h for _, h in pairs if len(ids[h]) > claim_tokens}
    premises = [cut(ids[p], premise_tokens) for p, _ in pairs]
    return pack_rows(premises, [cut(ids[h], claim_tokens) for _, h in pairs], row_tokens), len(shortened)


def row_arrays(rows: Sequence[Row], *, multiple: int = 1) -> dict[str, Ints]:
    """Return the model's inputs for a batch of rows; claims come row by row, in the order of ``members``.

    Args:
        rows: The batch.
        multiple: Pad the token dimension to a multiple of this.

    Returns:
        ``input_ids``, ``position_ids``, ``segments`` of shape (rows, tokens) and ``claim_index``, ``claim_mask`` of
        shape (claims, longest claim). Padding has id 0 and segment -1. Claims continue the premise's positions.
    """
    width = -(-max(row.tokens for row in rows) // multiple) * multiple
    ids, positions = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    segments = np.full((len(rows), width), -1, np.int64)
    longest = max(len(claim) for row in rows for claim in row.claims)
    count = sum(len(row.claims) for row in rows)
    index, mask = np.zeros((count, longest), np.int64), np.zeros((count, longest), np.int64)
    at = 0
    for r, row in enumerate(rows):
        size = len(row.premise)
        ids[r, :size], positions[r, :size], segments[r, :size] = row.premise, np.arange(size), 0
        start = size
        for number, claim in enumerate(row.claims, start=1):
            end = start + len(claim)
            ids[r, start:end] = claim
            positions[r, start:end] = np.arange(size, size + len(claim))
            segments[r, start:end] = number
            index[at, : len(claim)] = np.arange(r * width + start, r * width + end)
            mask[at, : len(claim)] = 1
            start = end
            at += 1
    return {"input_ids": ids, "position_ids": positions, "segments": segments, "claim_index": index, "claim_mask": mask}
