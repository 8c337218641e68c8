"""PARENT for tables, equal to the published algorithm.

PARENT (Dhingra et al. 2019, "Handling Divergent Reference Texts when Evaluating Table-to-Text Generation"). Prediction
G, reference R, table T of entries (attribute, value) or (head, relation, tail); all tokenized. For n-grams g of order
n, with w(g) = share of g's tokens among the values of T:

    E_p^n = sum_g [min(#G, #R) + (#G - min(#G, #R)) w(g)] / sum_g #G          P = exp(mean_n ln E_p^n)
    E_r^n = sum_g w(g) min(#R, #G) / sum_g w(g) #R                            E_r(R) = exp(mean_n ln E_r^n)
    E_r(T) = mean over entries of LCS(value, G) / |value|
    R = E_r(R)^(1 - lambda) E_r(T)^lambda                                     F = 2 P R / (P + R + 1e-8)

Zeros are smoothed as in the authors' script: to 1e-5 for n > 1; with E_p^1 = 0, P = 0. The reference with the best F
counts. Range 0..1. Cost: 0.2 ms an item of 40 entries (``bench/metrics.py``). What fools it: copying the table; it
knows words, not who did what to whom.
PARENT-Q, for clarifying questions, is in ``parent_q``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from rac.errors import UserError
from rac.records import Passage

Tokens = Sequence[str]
Table = Sequence[Sequence[Tokens]]
"""Entries (attribute, value) or (head, relation, tail), each part tokenized."""

SMOOTHING = 1e-5
MAX_ORDER = 4


class ParentScore(NamedTuple):
    """PARENT of one item; all in 0..1."""

    precision: float
    recall: float
    f: float


def parent(
    predictions: Sequence[Tokens], references: Sequence[Sequence[Tokens]], tables: Sequence[Table], *,
    lambda_weight: float | None = 0.5, smoothing: float = SMOOTHING, max_order: int = MAX_ORDER,
) -> list[ParentScore | None]:  # fmt: skip
    """Return PARENT for each item.

    Args:
        predictions: Tokenized texts.
        references: For each item its tokenized references.
        tables: For each item its table; every entry with a value of at least one token counts.
        lambda_weight: Weight of the table in the recall; None takes the paper's heuristic, one minus the table's
            recall in the reference, for each reference.
        smoothing: What zeros become, see the module.
        max_order: Longest n-gram.

    Returns:
        One score per item; None where there is no reference or no entry with a value (nothing to compare with).

    Raises:
        UserError: for lists of different length, entries that are neither pairs nor triples (or both in one table), or
            a number out of range.
    """
    if not len(predictions) == len(references) == len(tables):
        raise UserError(
            f"{len(predictions)} predictions, {len(references)} lists of references and {len(tables)} tables were "
            "given, so they cannot be paired; give one of each per item"
        )
    if (lambda_weight is not None and not 0 <= lambda_weight <= 1) or max_order < 1 or smoothing <= 0:
        raise UserError(
            f"lambda_weight={lambda_weight}, smoothing={smoothing}, max_order={max_order} are not what PARENT is "
            "defined for; use 0 <= lambda_weight <= 1, smoothing > 0, max_order >= 1"
        )
    return [
        _parent_item(list(g), r, _entry_values(t), lambda_weight, smoothing, max_order)
        for g, r, t in zip(predictions, references, tables, strict=True)
    ]


def _entry_values(table: Table) -> list[list[str]]:
    """Return the values of a table's entries: the second of a pair, head and tail of a triple."""
    kinds = {len(entry) for entry in table}
    if not kinds <= {2} and not kinds <= {3}:
        raise UserError(
            f"a table has entries of {sorted(kinds)} parts, but an entry is (attribute, value) or (head, relation, "
            "tail), and all entries of a table are of one kind"
        )
    values = [list(entry[1]) if len(entry) == 2 else [*entry[0], *entry[2]] for entry in table]
    return [value for value in values if value]


def _parent_item(
    prediction: list[str], references: Sequence[Tokens], values: list[list[str]], lambda_weight: float | None,
    smoothing: float, max_order: int,
) -> ParentScore | None:  # fmt: skip
    if not references or not values:
        return None
    # What does not depend on the reference is computed once: the table's tokens, the prediction's n-grams, E_r(T).
    in_table = {token for value in values for token in value}
    text = _Ngrams(prediction, in_table, max_order)
    table_recall = _table_recall(values, prediction) or smoothing
    best: ParentScore | None = None
    for reference in references:
        precisions, recalls = _by_order(text, _Ngrams(reference, in_table, max_order), in_table)
        smooth = slice(1, None)
        precisions[smooth] = [p or smoothing for p in precisions[smooth]]
        recalls[smooth] = [r or smoothing for r in recalls[smooth]]
        precision = geometric_mean(precisions) if all(precisions) else 0.0
        reference_recall = geometric_mean(recalls) if all(recalls) else smoothing
        weight_of_table = 1.0 - _table_recall(values, reference) if lambda_weight is None else lambda_weight
        recall = reference_recall ** (1.0 - weight_of_table) * table_recall**weight_of_table
        score = ParentScore(precision, recall, 2.0 * precision * recall / (precision + recall + 1e-8))
        if best is None or score.f > best.f:
            best = score
    return best


class _Ngrams:
    """N-grams of one text, counted when asked for, and the sums of their weights, which need no counting."""

    def __init__(self, tokens: Tokens, in_table: set[str], max_order: int) -> None:
        self.tokens, self.max_order = tokens, max_order
        self.totals = [max(len(tokens) - n + 1, 0) for n in range(1, max_order + 1)]
        # sum_g #g n w(g) is the number of table tokens in all windows of n: a difference of sums of prefix sums.
        prefix = [0, *accumulate(token in in_table for token in tokens)]
        self.weights = [sum(prefix[n:]) - sum(prefix[:-n]) if t else 0 for n, t in enumerate(self.totals, start=1)]
        self._counts: dict[int, Counter[tuple[str, ...]]] = {}

    def counts(self, n: int) -> Counter[tuple[str, ...]]:
        if n not in self._counts:
            self._counts[n] = Counter(zip(*(self.tokens[i:] for i in range(n)), strict=False))
        return self._counts[n]


def _by_order(text: _Ngrams, reference: _Ngrams, in_table: set[str]) -> tuple[list[float], list[float]]:
    """Return E_p^n and E_r^n for each order n.

    An n-gram that is not shared enters E_p^n by its weight only, so that E_p^n = [sum #G w + sum over shared ones of
    min(#G, #R) (1 - w)] / sum #G, and only shared n-grams are visited; where no (n-1)-gram is shared, no n-gram is.
    """
    precisions, recalls = [], []
    any_shared = True
    for n in range(1, text.max_order + 1):
        shared_count = shared_weight = 0  # sums of min(#G, #R), and of that times n w(g)
        if any_shared:
            count, ref_count = text.counts(n), reference.counts(n)
            shared = count.keys() & ref_count.keys()
            any_shared = bool(shared)
            for g in shared:
                both = min(count[g], ref_count[g])
                shared_count += both
                shared_weight += both * sum(token in in_table for token in g)
        total, ref_weight = text.totals[n - 1], reference.weights[n - 1]
        entailed = (text.weights[n - 1] - shared_weight) / n + shared_count
        precisions.append(entailed / total if total else 0.0)
        recalls.append(shared_weight / ref_weight if ref_weight else 1.0)
    return precisions, recalls


def geometric_mean(values: Sequence[float]) -> float:
    """Return exp of the mean logarithm of positive values."""
    return math.exp(math.fsum(math.log(v) for v in values) / len(values))


def _table_recall(values: Sequence[Sequence[str]], text: Tokens) -> float:
    masks = position_masks(text)
    return sum(lcs_length(value, masks, len(text)) / len(value) for value in values) / len(values)


def position_masks(text: Tokens) -> dict[str, int]:
    """Return for each token of a text the bit mask of its positions, for ``lcs_length``."""
    masks: dict[str, int] = {}
    for i, token in enumerate(text):
        masks[token] = masks.get(token, 0) | 1 << i
    return masks


def lcs_length(tokens: Tokens, masks: dict[str, int], length: int) -> int:
    """Return the length of the longest common subsequence of ``tokens`` and a text given by its position masks.

    Bit-parallel (Hyyrö 2004): a zero bit of ``rows`` marks a position where the LCS with the text's prefix grows; one
    token costs a few operations on an integer of ``length`` bits, and tokens that the text lacks cost a look-up.
    """
    rows = full = (1 << length) - 1
    for token in tokens:
        mask = masks.get(token)
        if mask:
            hit = rows & mask
            rows = (rows + hit | rows - hit) & full
    return length - rows.bit_count()


def flat_table(passages: Sequence[Passage]) -> list[tuple[list[str], list[str]]]:
    """Return D flattened into one table, for the ``raw`` column: which passage says what is lost on purpose.

    One (attribute, value) entry for each title, type and description, and one for each sentence of a text. Values are
    lower-cased words.
    """
    from rac.metrics.entailment_windows import split_sentences
    from rac.metrics.reference import tokens

    entries: list[tuple[list[str], list[str]]] = []
    for passage in passages:
        parts = [("title", passage.title), *(("type", t) for t in passage.types), ("description", passage.description)]
        parts += [("text", sentence) for sentence in split_sentences(passage.text)]
        entries += [([name], tokens(value)) for name, value in parts if tokens(value)]
    return entries
