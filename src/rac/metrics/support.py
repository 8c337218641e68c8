"""Support of claims by passages, the *report* scorer: s_ij in 0..1 for claim k_j and passage d_i.

    lexical      g_ij = sum idf(t) [t matches d_i] / sum idf(t)      terms t of k_j outside query and frame
                 n_ij = the same over the query's words in k_j       (whose attribute it is)
    entailment   e_ij = max over windows w of d_i of P_ent(w, h_j)   TOPIC: max(P_ent, P_contra)
    combined     s_ij = sigmoid(a logit(e_ij) + b g_ij + c + d n_ij + u_1 [a number of k_j is missing]
                                + u_2 [a rare word of k_j is missing])
    claim        s_j  = max_i s_ij                                   one passage must carry the whole claim

A claim that names passages of D by their titles is about those: "Mars (moon)" has to stand in "Mars", not in
"Phobos", whatever words that has (``rac.metrics.naming``). Passages it is not about get at most s_ij = ``NOT_IT``. So
does a passage that has a word which a preposition joins ("Mount Kamui in the volcano") in its types alone: these tell
what a thing is, not where.

NOT-TYPE claims ask for a passage of that title that lacks the type; entailment models do not see what is missing, so
they are scored by words and types alone. ATTRIBUTE claims ("when you ask for the ship builder of Luna") are scored with
the parameters for words alone, moved so that both sets share tau: what a text speaks of is not what it states, and on
the open half of the labelled outputs the embedded model lowered their balanced accuracy from 0.95 to 0.61.
The parameters are fitted on labelled claims of training data
(``rac.metrics.fitting``), one set with entailment and one without, and shipped in ``support.json``.

Range 0..1. Cost: words 0.3 ms a question; entailment as many model rows as there are different (window, claim) pairs.
What fools it: a passage with all the words of a claim in another relation (words), plausible paraphrase (entailment).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rac.files import read_text
from rac.metrics.claims import Claim
from rac.metrics.idf import idf
from rac.metrics.lexical import PassageWords, Span, joined_terms, matched_spans, prepare
from rac.metrics.naming import named_passages
from rac.metrics.text import content_keys, content_words
from rac.records import Passage

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer, PairRecorder

Floats = npt.NDArray[np.float64]
PARAMETERS = Path(__file__).parent / "support.json"
_LOGIT_CAP = 6.0
NOT_IT = 0.05
"""Support by a passage that may not carry the claim: not 0, because titles and types themselves are sometimes wrong."""
_PLACED = ("OPTION", "TOPIC")
"""Kinds of claims whose joined words a passage must say outside its types; the others speak of what is asked for."""
RARE_IDF = 4.0
"""From this idf on a word is rare: it stands in fewer than 2 % of texts."""


@dataclass(frozen=True)
class SupportFit:
    """Parameters of the combined score and the threshold from which a claim counts as supported.

    Attributes:
        entailment: a, weight of logit(e); 0 without an entailment model.
        lexical: b, weight of g.
        constant: c.
        name: d, weight of n.
        number: u_1, weight of a number that the passage lacks.
        rare: u_2, weight of a rare word (idf >= ``RARE_IDF``) that the passage lacks.
        tau: Threshold on s_j: 5 % false alarms on supported claims of the training data.
        version: Name of the fit, for signatures.
    """

    entailment: float
    lexical: float
    constant: float
    name: float
    number: float
    rare: float
    tau: float
    version: str

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain JSON types."""
        return asdict(self)


@lru_cache(maxsize=2)
def load_fit(*, with_entailment: bool) -> SupportFit:
    """Return the shipped parameters, for use with or without entailment."""
    stored = json.loads(read_text(PARAMETERS))
    return SupportFit(**stored["with_entailment" if with_entailment else "lexical"])


@dataclass(frozen=True)
class Features:
    """What is known about (claim j, passage i), each of shape (m, N) for m claims and N passages.

    ``may_carry`` is whether the passage may carry the claim at all: the claim may be about it, given the titles that it
    names, and what prepositions join in the claim is not in its types alone. None stands for "always".
    """

    lexical: Floats
    name: Floats
    number: Floats
    rare: Floats
    entailment: Floats | None
    may_carry: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class QuestionSupport:
    """Support of one question's claims.

    Attributes:
        claims: The m claims.
        matrix: s_ij, shape (m, N).
        lexical: g_ij, shape (m, N).
        entailment: e_ij, shape (m, N), or None without a model; NaN for NOT-TYPE and ATTRIBUTE claims.
    """

    claims: tuple[Claim, ...]
    matrix: Floats
    lexical: Floats
    entailment: Floats | None

    @property
    def per_claim(self) -> list[float]:
        """s_j = max_i s_ij."""
        return [float(v) for v in self.matrix.max(axis=1)] if self.matrix.size else [0.0] * len(self.claims)

    def best(self, claim: int) -> int:
        """Return the position of the passage that supports a claim best."""
        return int(self.matrix[claim].argmax())


def lexical_features(claims: Sequence[Claim], query: str, passages: Sequence[PassageWords]) -> Features:
    """Return g, n and missing numbers of every (claim, passage)."""
    shape = (len(claims), len(passages))
    lexical, name, number, rare = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    query_keys = content_keys(query)
    may_carry = (
        np.stack([named_passages(c.text, query, passages) for c in claims]) if claims else np.ones(shape, dtype=bool)
    )
    for j, claim in enumerate(claims):
        joined = joined_terms(claim.text).intersection(claim.terms) if claim.kind in _PLACED else ()
        named = [k for k in dict.fromkeys(w.key for w in content_words(claim.text)) if k in query_keys]
        for i, passage in enumerate(passages):
            name[j, i] = _idf_share(named, passage)
            # A word that the passage lacks altogether is the other features' business.
            may_carry[j, i] &= all(passage.places(t) for t in joined if passage.has(t))
            if claim.kind == "NOT-TYPE":
                titled = not named or not passage.title_keys or bool(passage.title_keys.intersection(named))
                lexical[j, i] = float(passage.lacks_type(claim.terms) and titled)
            elif claim.terms:
                lexical[j, i] = _idf_share(claim.terms, passage)
                missing = [t for t in claim.terms if not passage.has(t)]
                number[j, i] = float(any(t[:1].isdigit() for t in missing))
                rare[j, i] = float(any(not t[:1].isdigit() and idf(t) >= RARE_IDF for t in missing))
            else:
                lexical[j, i] = name[j, i] if named else 1.0
    return Features(lexical, name, number, rare, None, may_carry)


def _idf_share(terms: Sequence[str], passage: PassageWords) -> float:
    if not terms:
        return 1.0
    weights = [idf(t) for t in terms]
    return sum(w for t, w in zip(terms, weights, strict=True) if passage.has(t)) / (sum(weights) or 1.0)


def clipped_logit(probabilities: Floats) -> Floats:
    """Return logit(e), unknown taken as 0.5, within +-6 so that no single claim rules a fit."""
    e = np.clip(np.nan_to_num(probabilities, nan=0.5), 1e-6, 1 - 1e-6)
    return np.clip(np.log(e / (1 - e)), -_LOGIT_CAP, _LOGIT_CAP)


def _words(features: Features, fit: SupportFit) -> Floats:
    z = fit.lexical * features.lexical + fit.name * features.name + fit.constant
    return z + fit.number * features.number + fit.rare * features.rare


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def combine(features: Features, kinds: Sequence[str], fit: SupportFit) -> Floats:
    """Return s_ij of shape (m, N) from the features."""
    z = _words(features, fit)
    if features.entailment is not None:
        z = z + fit.entailment * clipped_logit(features.entailment)
        if "ATTRIBUTE" in kinds:
            words = load_fit(with_entailment=False)
            moved = _words(features, words) - _logit(words.tau) + _logit(fit.tau)
            z = np.where((np.array(kinds) == "ATTRIBUTE")[:, None], moved, z)
    s = 1 / (1 + np.exp(-z))
    for j, kind in enumerate(kinds):
        if kind == "NOT-TYPE":
            # Decided by types alone: 0.95 and 0.05, because types themselves are sometimes wrong.
            s[j] = np.where(features.lexical[j] >= 1.0, 0.95, 0.05)
    if features.may_carry is not None:
        s = np.where(features.may_carry, s, np.minimum(s, NOT_IT))
    return np.asarray(s, dtype=np.float64)


def support(
    items: Sequence[tuple[str, Sequence[Claim], Sequence[Passage]]],
    *,
    entailment: EntailmentScorer | None = None,
    fit: SupportFit | None = None,
) -> list[QuestionSupport]:
    """Return the support of the claims of many questions.

    Args:
        items: Per question its query, claims and D.
        entailment: The entailment model; without one words alone decide.
        fit: Parameters; the shipped ones if None.

    Returns:
        One result per item, in order. All (window, claim) pairs go through the model in one call, where equal ones
        are computed once.
    """
    fit = fit or load_fit(with_entailment=entailment is not None)
    entailed = entailment_features(items, entailment) if entailment is not None else [None] * len(items)
    results = []
    for (query, claims, passages), e in zip(items, entailed, strict=True):
        features = lexical_features(claims, query, [prepare(p) for p in passages])
        features = replace(features, entailment=e)
        matrix = combine(features, [c.kind for c in claims], fit)
        results.append(QuestionSupport(tuple(claims), matrix, features.lexical, e))
    return results


def entailment_features(
    items: Sequence[tuple[str, Sequence[Claim], Sequence[Passage]]], scorer: EntailmentScorer | PairRecorder
) -> list[Floats | None]:
    """Return e_ij per item: the pairs of all items in one call, TOPIC claims in either polarity."""
    from rac.metrics.entailment_windows import spell_lifetimes, windows

    pairs: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    places: dict[bool, list[tuple[int, int, int]]] = {False: [], True: []}
    results: list[Floats | None] = []
    cached: dict[Passage | str, list[str]] = {}
    for index, (_, claims, passages) in enumerate(items):
        results.append(np.full((len(claims), len(passages)), np.nan))
        for i, passage in enumerate(passages):
            identity = f"{passage.title}\0{passage.types}\0{passage.description}\0{passage.text}"
            if identity not in cached:
                cached[identity] = [spell_lifetimes(window) for window in windows(passage)]
            for j, claim in enumerate(claims):
                if claim.kind in ("NOT-TYPE", "ATTRIBUTE"):
                    continue
                addressed = claim.kind == "TOPIC"
                pairs[addressed] += [(w, claim.hypothesis) for w in cached[identity]]
                places[addressed] += [(index, j, i)] * len(cached[identity])
    for addressed, wanted in pairs.items():
        if not wanted:
            continue
        probs = scorer.addressed_probs(wanted) if addressed else scorer.entail_probs(wanted)
        for (index, j, i), p in zip(places[addressed], probs, strict=True):
            matrix = results[index]
            assert matrix is not None
            matrix[j, i] = p if math.isnan(matrix[j, i]) else max(matrix[j, i], p)
    return results


def evidence_spans(claim: Claim, passage: Passage) -> list[Span]:
    """Return the words of a passage that carry a claim, for display."""
    return matched_spans(content_words(claim.text), prepare(passage))
