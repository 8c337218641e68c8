"""Everything that makes the shipped entailment model: data, training, measurement, calibration, export, card."""

from __future__ import annotations

import logging
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rac.files import read_json, sha256_file, write_json, write_text
from rac.metrics.entailment_models import EMBEDDED_NAME
from rac.metrics.entailment_training import sources
from rac.metrics.entailment_training.alterations import HELD_OUT_KINDS, TRAINING_KINDS
from rac.metrics.entailment_training.card import calibration_plot, model_card
from rac.metrics.entailment_training.claims import ClaimMaker, LabelledClaim
from rac.metrics.entailment_training.evaluate import (
    Calibration,
    Floats,
    Score,
    accuracy,
    calibrate,
    claim_table,
    overlap_score,
    passage_scores,
    reliability,
    sigmoid,
)  # fmt: skip
from rac.metrics.entailment_training.export import activations, export_onnx
from rac.metrics.entailment_training.model import base_model_path, cut_layers
from rac.metrics.entailment_training.train import (
    Pair,
    TrainSettings,
    load_encoder,
    margins,
    onnx_margins,
    tensors,
    token_budget_batches,
    tokenize_rows,
    train,
)
from rac.metrics.entailment_training.vocabulary import Vocabulary, check_disjoint, harvest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sizes:
    """How much of each source is used; 0 leaves a source out. ``test`` is per corpus of passages."""

    claqua: int = 20_000
    wikipedia: int = 20_000
    conjnli: int = 3_000
    med: int = 4_000
    test: int = 2_500
    facets_per_window: int = 4


SECOND = Sizes(claqua=40_000, wikipedia=30_000, conjnli=8_000, med=4_000)
"""Data of the second pass, with another seed: mostly other facets and other alterations."""
RANGE_CLAIMS = 2_000
"""Claims over which the ranges of activations are measured for the 8-bit model."""
KEPT_LAYERS = (0, 2, 5)
"""Layers of the first pass's network that the shipped one keeps: half the time and a quarter less to download."""


def training_pairs(mirror: Path, sizes: Sizes, seed: int) -> tuple[list[Pair], dict[str, dict[str, int]]]:
    """Return the training pairs and their counts by source and kind."""
    training, _ = vocabularies(mirror)
    pairs: list[Pair] = []
    counts: dict[str, dict[str, int]] = {}
    for passages, limit in (
        (sources.claqua_passages(mirror, "train"), sizes.claqua), (sources.wikipedia_passages("train"), sizes.wikipedia)
    ):  # fmt: skip
        claims = make_claims(passages, training, TRAINING_KINDS, sizes.facets_per_window, limit, seed)
        counts[passages.name] = dict(sorted(Counter(c.kind for c in claims).items()))
        pairs += [(c.premise, c.hypothesis, c.supported) for c in claims]
    for name, found, limit in (
        ("ConjNLI", sources.conjnli(mirror, "train"), sizes.conjnli), ("MED", sources.med(mirror, "train"), sizes.med)
    ):  # fmt: skip
        chosen = sources.shuffled(found, seed, limit)
        counts[name] = {
            "entailed": sum(p.entailed for p in chosen),
            "not entailed": sum(not p.entailed for p in chosen),
        }
        pairs += [(p.premise, p.hypothesis, p.entailed) for p in chosen]
    return pairs, counts


def vocabularies(mirror: Path) -> tuple[Vocabulary, Vocabulary]:
    """Return the replacement words of training and those of the evaluation; no word is in both."""
    passages = sources.claqua_passages(mirror, "train").passages + sources.wikipedia_passages("train").passages
    training, held_out = harvest(passages, held_out=False), harvest(passages, held_out=True)
    check_disjoint(training, held_out)
    return training, held_out


def make_claims(
    passages: sources.PassageSet, vocabulary: Vocabulary, kinds: Sequence[str], per_window: int, limit: int, seed: int
) -> list[LabelledClaim]:
    """Return labelled claims of a set of passages (see ``ClaimMaker``)."""
    if limit <= 0:
        return []
    # Facets of every window would take minutes. A window gives about two claims per facet, and every passage has a
    # window at least, so this many passages are more than enough for ``limit`` claims.
    chosen = sources.sample(passages, limit // (2 * per_window) + 20, seed)
    maker = ClaimMaker(chosen.passages, chosen.siblings, chosen.gold, vocabulary, chosen.name, seed)
    return maker.make(kinds, per_window=per_window, limit=limit)


def held_out_claims(mirror: Path, part: str, limit: int, seed: int) -> dict[str, list[LabelledClaim]]:
    """Return claims by source, of passages outside training, with held-out words and kinds beside the known ones."""
    _, held_out = vocabularies(mirror)
    # A facet of another window of the same passage is false for a window, but true for the passage.
    kinds = [k for k in (*HELD_OUT_KINDS, *TRAINING_KINDS) if k != "other-window" or part == "calibration"]
    return {
        p.name: make_claims(p, held_out, kinds, 3, limit, seed)
        for p in (sources.claqua_passages(mirror, part), sources.wikipedia_passages(part))
    }


def measure(mirror: Path, score: Score, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Return every figure of the card for a model, given as a function of pairs."""
    claims: dict[str, Any] = {}
    for name, found in held_out_claims(mirror, "test", sizes.test, seed).items():
        claims[name] = claim_table(found, passage_scores(found, score))
        overlap = claim_table(found, passage_scores(found, overlap_score))
        blind = score([("", c.hypothesis) for c in found])
        claims[name]["overlap_auc_all"], claims[name]["overlap_auc_unseen_kinds"] = (
            overlap["auc_all"], overlap["auc_unseen_kinds"]
        )  # fmt: skip
        claims[name]["claim_alone_auc"] = claim_table(found, blind)["auc_all"]
    sets = {
        "SICK train (never trained on)": sources.sick(mirror),
        "RTE dev (never trained on)": sources.rte(mirror, "dev"),
        "ConjNLI dev": sources.conjnli(mirror, "dev"),
        "MED test part": sources.med(mirror, "test"),
    }
    return {
        "claims": claims,
        "nli": {n: accuracy(p, score([(q.premise, q.hypothesis) for q in p])) for n, p in sets.items()},
    }


def calibration_claims(mirror: Path, sizes: Sizes, seed: int) -> list[LabelledClaim]:
    """Return claims of passages that are kept for calibration and for the ranges of activations."""
    found = [c for claims in held_out_claims(mirror, "calibration", sizes.test, seed).values() for c in claims]
    random.Random(seed).shuffle(found)
    return found


def build(
    mirror: Path, output: Path, work: Path, settings: TrainSettings, sizes: Sizes, second: Sizes = SECOND
) -> dict[str, Any]:
    """Train, measure, calibrate and export; goes on from the weights in ``work`` if training was done before.

    The six layers of MiniLM learn the task in a first pass (weights in ``work/first``); every second layer is then
    taken out, and the rest is trained on more and other claims.

    Args:
        mirror: Data sets as OWNER/REPO/PATH.
        output: Gets ``model.onnx``, ``tokenizer.json``, ``config.json``, ``model_card.md``, ``calibration.svg``.
        work: Gets the float32 weights and the training log.
        settings: Of the training.
        sizes: Of the data of the first pass and of the tests.
        second: Of the data of the second pass.

    Returns:
        The content of ``config.json``.
    """
    if (work / "model.safetensors").is_file():
        log.info("using the weights in %s", work)
    else:
        _train_both(mirror, work, settings, sizes, second)
    return package(mirror, output, work, settings, sizes)


def _train_both(mirror: Path, work: Path, settings: TrainSettings, sizes: Sizes, second: Sizes) -> None:
    first = work / "first"
    if not (first / "model.safetensors").is_file():
        pairs, counts = training_pairs(mirror, sizes, settings.seed)
        write_json(first / "counts.json", counts)
        train(pairs, settings, first)
    pairs, counts = training_pairs(mirror, second, settings.seed + 100)
    write_json(work / "counts.json", counts)
    train(pairs, settings, work, model=cut_layers(load_encoder(first), KEPT_LAYERS))


def package(mirror: Path, output: Path, work: Path, settings: TrainSettings, sizes: Sizes) -> dict[str, Any]:
    """Export and calibrate the weights in ``work``, then measure both the float32 and the 8-bit model.

    The folder is usable as soon as it is calibrated; figures and card come last.
    """
    encoder = load_encoder(work)
    output.mkdir(parents=True, exist_ok=True)
    seed = settings.seed + 1
    kept_aside = calibration_claims(mirror, sizes, seed)
    rows, _ = tokenize_rows([(c.premise, c.hypothesis) for c in kept_aside[:RANGE_CLAIMS]], settings)
    batches = [tensors(batch) for batch in token_budget_batches(rows, 4096, random.Random(seed))]
    export_onnx(encoder, output / "model.onnx", activations(encoder, batches))
    shutil.copyfile(base_model_path() / "tokenizer.json", output / "tokenizer.json")

    def full(pairs: Sequence[tuple[str, str]]) -> Floats:
        return margins(encoder, pairs, settings)

    def small(pairs: Sequence[tuple[str, str]]) -> Floats:
        return onnx_margins(output / "model.onnx", pairs, settings)

    found = small([(c.premise, c.hypothesis) for c in kept_aside])
    truth = np.array([c.supported for c in kept_aside])
    calibration: Calibration = calibrate(found, truth)
    kept = slice(1, None, 2)
    curves = {
        "before": reliability(sigmoid(found[kept]), truth[kept]),
        "after": reliability(sigmoid(found[kept], calibration.scale, calibration.offset), truth[kept]),
    }
    exact = full([(c.premise, c.hypothesis) for c in kept_aside])
    config: dict[str, Any] = {
        "name": EMBEDDED_NAME,
        "model_sha256": sha256_file(output / "model.onnx"),
        "megabytes": round((output / "model.onnx").stat().st_size / 1e6, 1),
        "parameters_millions": round(sum(p.numel() for p in encoder.parameters()) / 1e6, 1),
        "layers": encoder.shape.layers,
        "premise_tokens": settings.premise_tokens,
        "claim_tokens": settings.claim_tokens,
        "row_tokens": settings.row_tokens,
        "scale": round(calibration.scale, 4),
        "offset": round(calibration.offset, 4),
        "calibration": {
            "error_before": calibration.error_before,
            "error_after": calibration.error_after,
            "pairs": len(truth),
            "curves": curves,
        },
        "int8_against_float32": {
            "same_side": float(((found > 0) == (exact > 0)).mean()),
            "mean_difference": float(
                np.abs(
                    sigmoid(found, calibration.scale, calibration.offset)
                    - sigmoid(exact, calibration.scale, calibration.offset)
                ).mean()
            ),
            "pairs": len(truth),
        },
        "training": {
            "counts_first": read_json(work / "first" / "counts.json"),
            "counts": read_json(work / "counts.json"),
            "settings": read_json(work / "settings.json"),
        },
    }
    write_json(output / "config.json", config)
    write_text(output / "calibration.svg", calibration_plot(curves))
    log.info("measuring the 8-bit model")
    config["figures_int8"] = measure(mirror, small, sizes, seed)
    log.info("measuring the float32 model")
    config["figures_float32"] = measure(mirror, full, sizes, seed)
    write_json(output / "config.json", config)
    write_text(output / "model_card.md", model_card(config))
    return config
