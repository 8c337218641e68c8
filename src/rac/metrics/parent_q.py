"""PARENT-Q: PARENT for clarifying questions, with claims for the n-grams and one passage for the table.

For claim j of the question (denied types aside), G_j are the n-grams of its content words, n <= min(4, number of them),
with at least one word outside query and frame; w_i(g) is the share of g's words that passage d_i or the query has;
i*(j) = argmax_i mean_g w_i(g), so that one passage must carry the whole claim:

    P_n = sum_j sum_g w_{i*(j)}(g) / sum_j |G_j,n|      P = exp(mean_n ln max(P_n, 1e-5))
    R = mean_i max_r LCS(r, C) / |r|                    F = 2 P R / (P + R)

over the facet records r of d_i (``facet_records``). Words are matched by key (``rac.metrics.text``). Function words are
left out: they stand in every passage and would hide an invented name behind "in the".

Range 0..1. It reads no gold question, no answer and no facet. Cost: 0.1 ms a question with five short passages. What
fools it: words of one passage in another relation. R falls when D holds more facets than one question can offer, so
compare at equal D only. Built on Dhingra et al. 2019 (``rac.metrics.parent``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rac.errors import UserError
from rac.metrics.claims import FRAME_KEYS, Claim
from rac.metrics.lexical import PassageWords, prepare
from rac.metrics.parent import MAX_ORDER, SMOOTHING, geometric_mean, lcs_length, position_masks
from rac.metrics.text import content_keys, is_content, match_keys, words
from rac.records import Passage


@dataclass(frozen=True)
class ParentQ:
    """PARENT-Q of one question.

    Attributes:
        precision: P, None if no option has a word outside query and frame, or there is no passage.
        recall: R, None if no passage has a facet record.
        f: F = 2PR/(P+R); 0 if nothing is offered; None if P or R is unscored for another reason.
        reason: Why something is None, "" if nothing is.
    """

    precision: float | None
    recall: float | None
    f: float | None
    reason: str = ""


def parent_q(
    questions: Sequence[str], queries: Sequence[str], claims: Sequence[Sequence[Claim]],
    passages: Sequence[Sequence[Passage]],
) -> list[ParentQ]:  # fmt: skip
    """Return PARENT-Q for each question, see the module.

    Args:
        questions: Questions C.
        queries: Their queries U_q.
        claims: Their claims (``rac.metrics.claims.claims``).
        passages: Their D.

    Raises:
        UserError: for lists of different length.
    """
    if not len(questions) == len(queries) == len(claims) == len(passages):
        raise UserError(
            f"{len(questions)} questions, {len(queries)} queries, {len(claims)} lists of claims and {len(passages)} D "
            "were given, so they cannot be paired; give one of each per question"
        )
    return [_parent_q_item(*item) for item in zip(questions, queries, claims, passages, strict=True)]


def _parent_q_item(question: str, query: str, claims: Sequence[Claim], passages: Sequence[Passage]) -> ParentQ:
    if not passages:
        return ParentQ(None, None, None, "no-passages")
    prepared = [prepare(p) for p in passages]
    known = {k for w in content_keys(query) for k in match_keys(w)}
    precision = _claims_precision([c for c in claims if c.kind != "NOT-TYPE"], known, prepared)
    recall = _facets_recall(question, known, passages)
    if recall is None:
        return ParentQ(precision, None, None, "no-facet-records")
    if precision is None:
        return ParentQ(None, recall, 0.0, "nothing-offered")
    total = precision + recall
    return ParentQ(precision, recall, 2 * precision * recall / total if total else 0.0)


def _claims_precision(claims: Sequence[Claim], known: set[str], passages: Sequence[PassageWords]) -> float | None:
    entailed = [0.0] * MAX_ORDER
    count = [0] * MAX_ORDER
    for claim in claims:
        keys = [w.key for w in words(claim.text) if is_content(w)]
        fresh = [not any(k in known for k in match_keys(key)) and key not in FRAME_KEYS for key in keys]
        spans = [(i, n) for n in range(1, MAX_ORDER + 1) for i in range(len(keys) - n + 1) if any(fresh[i : i + n])]
        if not spans:
            continue
        best: list[float] = []
        for passage in passages:
            # Frame words are nobody's facts: they count as carried, like the query's.
            has = [not f or passage.has(key) for f, key in zip(fresh, keys, strict=True)]
            carried = [sum(has[i : i + n]) / n for i, n in spans]
            if not best or sum(carried) > sum(best):
                best = carried
        for (_, n), value in zip(spans, best, strict=True):
            entailed[n - 1] += value
            count[n - 1] += 1
    orders = [max(e / c, SMOOTHING) for e, c in zip(entailed, count, strict=True) if c]
    return geometric_mean(orders) if orders else None


def _facets_recall(question: str, known: set[str], passages: Sequence[Passage]) -> float | None:
    keys = [w.key for w in words(question)]
    masks = position_masks(keys)
    found = []
    for passage in passages:
        records = [[k for k in record if k not in known] for record in facet_records(passage)]
        records = [record for record in records if record]
        if records:
            found.append(max(lcs_length(record, masks, len(keys)) / len(record) for record in records))
    return sum(found) / len(found) if found else None


_HEAD_END = re.compile(
    r"[,;:.(]|\b(?:by|of|in|from|who|that|which|whose|where|for|at|on|with|about|between|born|based|located|situated|directed|built|made|known|"
    r"written|released|published|produced|and)\b",
    re.IGNORECASE,
)
_COPULA = re.compile(r"\b(?:is|was|are|were)\s+(?:an?|the|one of the)\s+", re.IGNORECASE)
_FACET_CHARACTERS = 400
"""Where the head of a definition is looked for at the start of a text without types and description."""


def facet_records(passage: Passage) -> list[list[str]]:
    """Return what a question can ask for to tell this passage apart, as lists of content keys.

    One record per type, one for the head of the description ("1968 film" of "1968 film by Bob Story"); for a passage
    with neither, the head of its definition ("ship" of "Luna was a ship built in Dumbarton"). Empty if there is none.
    """
    return [list(record) for record in _facet_records(passage.types, passage.description, passage.text)]


@lru_cache(maxsize=50_000)
def _facet_records(types: tuple[str, ...], description: str, text: str) -> tuple[tuple[str, ...], ...]:
    heads = [*types, _HEAD_END.split(description.strip(), maxsplit=1)[0]] if types or description.strip() else []
    if not heads:
        start = text[:_FACET_CHARACTERS]
        copula = _COPULA.search(start)
        if copula:
            heads = [_HEAD_END.split(start[copula.end() :], maxsplit=1)[0]]
    records = (tuple(w.key for w in words(head) if is_content(w)) for head in heads)
    return tuple(dict.fromkeys(record for record in records if record))
