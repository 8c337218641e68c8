"""Fitting the parameters of support on labelled claims of training data: ``python -m rac.metrics.fitting DATA``.

Supported claims are the options of gold questions of CLAQUA's training split (natural and not) and of questions
bootstrapped from the embedded Wikipedia (other queries than those of validation), each also in other words
(``entailment_training.rewording``); unsupported ones are the options that controlled faults changed, with a seed of
their own. Claims whose gold is wrong (2.6 % by a lexical check) are left in as noise. The score of a claim is that of
its best passage, so the fit alternates: choose i*(j) = argmax_i s_ij, then one logistic regression on those rows. tau
is the threshold that tells both apart best on a third that the fit does not see, with at most 5 % false alarms on
supported claims; every kind of claim weighs the same on both sides.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rac.files import write_json
from rac.metrics.claims import Claim, claims
from rac.metrics.entailment_training.rewording import reword
from rac.metrics.faults import FaultMaker, Source, sources
from rac.metrics.lexical import prepare
from rac.metrics.support import (
    NOT_IT,
    PARAMETERS,
    Features,
    SupportFit,
    clipped_logit,
    entailment_features,
    lexical_features,
    load_fit,
)
from rac.records import ClarificationExample, Passage

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer

Floats = npt.NDArray[np.float64]
FALSE_ALARMS = 0.05
RIDGE = 1e-3
"""Per claim; without it the weights grow without bound, because words alone nearly separate these claims."""
CONSTANT = 2
"""Column of the constant in ``design``."""
VERSION = "3"
CLAQUA, WIKIPEDIA = 700, 300
"""Questions of each source whose claims are fitted on."""


@dataclass(frozen=True)
class LabelledClaim:
    """A claim with its D and whether D supports it; ``kind`` says where it came from ("gold", "reworded", "b", ...)."""

    claim: Claim
    query: str
    passages: tuple[Passage, ...]
    supported: bool
    kind: str
    group: str


def labelled_claims(known: Sequence[Source], seed: int) -> list[LabelledClaim]:
    """Return supported and unsupported claims of the sources."""
    maker = FaultMaker(known, seed)
    rng = random.Random(seed)
    found: list[LabelledClaim] = []
    by_id = {s.id: s for s in known}

    def add(question: str, source: Source, index: int | None, supported: bool, kind: str) -> None:
        names = [p.title for p in source.passages]
        options = [c for c in claims(question, source.query, names) if c.kind in ("OPTION", "TOPIC")]
        chosen = options if index is None else options[index : index + 1]
        group = source.cluster or source.id
        found.extend(
            LabelledClaim(c, source.query, source.passages, supported, kind, group) for c in chosen if c.distinguishing
        )

    for source in known:
        add(source.question, source, None, True, "gold")
        options = source.options
        for option in options:
            text = source.question[option.start : option.end]
            other = reword(text, rng)
            if other != text and option.kind == "OPTION":
                question = source.question[: option.start] + other + source.question[option.end :]
                names = [p.title for p in source.passages]
                again = [
                    c for c in claims(question, source.query, names) if c.kind == "OPTION" and c.start == option.start
                ]
                found += [
                    LabelledClaim(c, source.query, source.passages, True, "reworded", source.cluster or source.id)
                    for c in again
                    if c.distinguishing
                ]
        for fault in maker.make(source):
            if fault.kind == "a":
                add(fault.question, source, None, False, "a")
                continue
            if fault.kind in ("b", "c1", "c2", "c3", "c4"):
                # The changed option starts where the original one started.
                start = options[fault.option].start
                names = [p.title for p in source.passages]
                changed = [
                    c for c in claims(fault.question, source.query, names)
                    if c.start == start and c.kind in ("OPTION", "TOPIC") and c.distinguishing
                ]  # fmt: skip
                group = source.cluster or source.id
                found += [LabelledClaim(c, source.query, source.passages, False, fault.kind, group) for c in changed]
                if fault.donor:
                    # The attribute is in D, but in a passage about something else; gold beside the same distractors.
                    crowd = (*source.passages, *by_id[fault.donor].passages)
                    found += [LabelledClaim(c, source.query, crowd, False, "other-title", group) for c in changed]
                    own = [c for c in options if c.kind != "NOT-TYPE" and c.distinguishing]
                    found += [LabelledClaim(c, source.query, crowd, True, "gold-in-crowd", group) for c in own]
    return found


def features_of(labelled: Sequence[LabelledClaim], entailment: EntailmentScorer | None) -> list[Features]:
    """Return the features of each claim against each of its passages, shape (1, N) each."""
    items = [(c.query, [c.claim], c.passages) for c in labelled]
    entailed = entailment_features(items, entailment) if entailment is not None else [None] * len(items)
    rows: list[Features] = []
    for (query, found, passages), e in zip(items, entailed, strict=True):
        base = lexical_features(found, query, [prepare(p) for p in passages])
        rows.append(replace(base, entailment=e))
    return rows


def design(features: Features) -> Floats:
    """Return the columns of the regression for one claim: shape (N, 6) = logit(e), g, 1, n, u, r."""
    n = features.lexical.shape[1]
    e = clipped_logit(features.entailment[0]) if features.entailment is not None else np.zeros(n)
    columns = [e, features.lexical[0], np.ones(n), features.name[0], features.number[0], features.rare[0]]
    return np.stack(columns, axis=1)


def fit_logistic(x: Floats, y: Floats, weights: Floats, start: Floats, fixed: npt.NDArray[np.bool_]) -> Floats:
    """Return the weights of a ridge-regularised logistic regression; columns in ``fixed`` keep their start."""
    from scipy.optimize import minimize

    free = ~fixed
    x, scale = x[:, free], float(weights.sum())
    # The constant is not penalised.
    penalty = RIDGE * np.array([0.0 if i == CONSTANT else 1.0 for i in np.flatnonzero(free)])

    def loss(beta: Floats) -> tuple[float, Floats]:
        z = x @ beta
        value = float((weights * (np.logaddexp(0, z) - y * z)).sum() / scale + 0.5 * (penalty * beta**2).sum())
        p = 1 / (1 + np.exp(-np.clip(z, -500, 500)))
        return value, x.T @ (weights * (p - y)) / scale + penalty * beta

    found = start.copy()
    found[free] = minimize(loss, start[free], jac=True, method="L-BFGS-B").x
    return found


def balanced_weights(labelled: Sequence[LabelledClaim]) -> Floats:
    """Return weights that give both labels, and every kind within a label, the same total."""
    counts: dict[tuple[bool, str], int] = {}
    for c in labelled:
        counts[c.supported, c.kind] = counts.get((c.supported, c.kind), 0) + 1
    kinds = {label: sum(1 for key in counts if key[0] == label) for label in (True, False)}
    total = len(labelled)
    return np.array([total / (2 * kinds[c.supported] * counts[c.supported, c.kind]) for c in labelled])


def fit_support(
    labelled: Sequence[LabelledClaim], entailment: EntailmentScorer | None = None, *, version: str = VERSION
) -> SupportFit:
    """Fit the parameters and tau on labelled claims; groups are kept together when a third is set aside for tau."""
    groups = sorted({c.group for c in labelled})
    held = set(random.Random(0).sample(groups, len(groups) // 3))
    features = features_of(labelled, entailment)
    designs = [design(f) for f in features]
    # A passage that may not carry the claim is capped whatever its words, so it has nothing to teach.
    capped = [
        np.zeros(len(d), bool) if f.may_carry is None else ~f.may_carry[0]
        for d, f in zip(designs, features, strict=True)
    ]
    fitted = [i for i, c in enumerate(labelled) if c.group not in held and not capped[i].all()]
    y = np.array([float(labelled[i].supported) for i in fitted])
    weights = balanced_weights([labelled[i] for i in fitted])
    beta = np.array([0.5 if entailment is not None else 0.0, 8.0, -7.0, 2.0, -2.0, -2.0])
    fixed = np.array([entailment is None, False, False, False, False, False])
    for _ in range(20):
        rows = np.stack([designs[i][int(np.where(capped[i], -np.inf, designs[i] @ beta).argmax())] for i in fitted])
        new = fit_logistic(rows, y, weights, beta, fixed)
        done = float(np.abs(new - beta).max()) < 1e-4
        beta = new
        if done:
            break
    scores = np.array([_score(d @ beta, c) for d, c in zip(designs, capped, strict=True)])
    aside = [i for i, c in enumerate(labelled) if c.group in held]
    truth = np.array([labelled[i].supported for i in aside])
    evened = balanced_weights([labelled[i] for i in aside])
    tau = threshold(scores[aside][truth], scores[aside][~truth], evened[~truth])
    name = ("entailment" if entailment is not None else "lexical") + f"-fit-{version}"
    a, b, c, d, number, rare = (round(float(value), 4) for value in beta)
    return SupportFit(a, b, c, d, number, rare, tau=round(tau, 4), version=name)


def _score(z: Floats, capped: npt.NDArray[np.bool_]) -> float:
    s = 1 / (1 + np.exp(-z))
    return float(np.where(capped, np.minimum(s, NOT_IT), s).max())


def threshold(
    supported: Floats, unsupported: Floats, weights: Floats | None = None, rate: float = FALSE_ALARMS
) -> float:
    """Return the threshold that tells supported from unsupported claims best, with at most ``rate`` false alarms.

    Best is the largest (share of unsupported claims below - share of supported claims below); among equals the lowest.
    It is put half-way between the last score that counts as supported and the next lower one, so that rounding does not
    turn a supported claim into a false alarm.

    Args:
        supported: Scores of supported claims.
        unsupported: Scores of unsupported ones.
        weights: How much each of these counts; all alike if None.
        rate: Most false alarms.
    """
    weights = np.ones(len(unsupported)) if weights is None else weights
    edges = np.unique(supported)
    alarms = np.searchsorted(np.sort(supported), edges) / len(supported)
    order = np.argsort(unsupported)
    below = np.concatenate([[0.0], np.cumsum(weights[order])]) / (weights.sum() or 1.0)
    found = below[np.searchsorted(unsupported[order], edges)]
    gain = np.where(alarms <= rate + 1e-12, found - alarms, -np.inf)
    edge = float(edges[int(gain.argmax())])
    lower = np.concatenate([supported, unsupported])
    lower = lower[lower < edge - 1e-9]
    return (edge + float(lower.max())) / 2 if len(lower) else edge - 1e-3


def save_fits(lexical: SupportFit | None, combined: SupportFit | None, path: Path = PARAMETERS) -> None:
    """Write fitted parameters; a side that is None keeps what is stored."""
    stored = {
        "lexical": (lexical or load_fit(with_entailment=False)).to_dict(),
        "with_entailment": (combined or load_fit(with_entailment=True)).to_dict(),
    }
    write_json(path, stored)


def training_sources(examples: Sequence[ClarificationExample]) -> list[Source]:
    """Return the sources of training examples."""
    return sources(examples)


def training_claims(directory: str) -> list[LabelledClaim]:
    """Return the labelled claims of both sources; ``directory`` holds CLAQUA's files."""
    from rac.benchmarks import READERS
    from rac.metrics.validation_run import bootstrapped_examples

    examples = list(READERS["claqua"].read(directory, "train").examples)
    random.Random(5).shuffle(examples)
    validated = {e.query.lower() for e in bootstrapped_examples(WIKIPEDIA)}
    more = [e for e in bootstrapped_examples(WIKIPEDIA, seed=77) if e.query.lower() not in validated]
    return [c for known in (examples[:CLAQUA], more) for c in labelled_claims(training_sources(known), seed=7)]


def main(directory: str, *, nli: str = "embedded") -> None:
    """Fit both sets of parameters and write ``support.json``."""
    import logging

    from rac.metrics.entailment import default_cache_path, load_entailment

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log = logging.getLogger(__name__)
    labelled = training_claims(directory)
    lexical = fit_support(labelled)
    combined = fit_support(labelled, load_entailment(nli, cache=default_cache_path()))
    save_fits(lexical, combined)
    log.info("%d claims\n%s\n%s", len(labelled), json.dumps(lexical.to_dict()), json.dumps(combined.to_dict()))


if __name__ == "__main__":
    import sys

    main(sys.argv[1], nli=sys.argv[2] if len(sys.argv) > 2 else "embedded")
