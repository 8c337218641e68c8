"""How well the intervals and tests keep what they promise, by simulation with known truth.

    python bench/significance.py [--trials 1000] [--json FILE]

Questions come in clusters of 4 that share an effect (intra-cluster correlation 0.5). Scores are either continuous or
0/1. For 5 to 200 clusters it measures, over many simulated data sets,

* coverage: how often the 95 % interval of the mean contains the true mean (promised: 0.95),
* false alarms: how often two systems that are equally good differ at p <= 0.05 (promised: at most 0.05),
* the same when clusters are ignored, which is what is usually done,
* power: how often a true difference of 0.15 (continuous, unit variance) is found.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rac.metrics.significance import bootstrap_ci, paired_test

PER_CLUSTER = 4
SHARED = 0.5
"""Share of the variance that the questions of a cluster have in common."""


def draw(rng: np.random.Generator, clusters: int, binary: bool, shift: float = 0.0) -> np.ndarray:
    """Return scores of mean ``shift`` (continuous) or 0.8 (binary), clusters in order."""
    common = np.repeat(rng.normal(size=clusters), PER_CLUSTER) * np.sqrt(SHARED)
    values = common + rng.normal(size=clusters * PER_CLUSTER) * np.sqrt(1 - SHARED)
    # A standard normal is below 0.8416 with probability 0.8.
    return (values < 0.8416).astype(float) if binary else values + shift


def simulate(clusters: int, binary: bool, trials: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    names = [f"c{i // PER_CLUSTER}" for i in range(clusters * PER_CLUSTER)]
    truth = 0.8 if binary else 0.0
    counts = dict.fromkeys(("coverage", "coverage_ignoring_clusters", "false_alarms", "alarms_ignoring", "power"), 0)
    for trial in range(trials):
        values = draw(rng, clusters, binary)
        for key, own in (("coverage", names), ("coverage_ignoring_clusters", None)):
            interval = bootstrap_ci(values.tolist(), own, trial, n=600)
            counts[key] += interval.low - 1e-9 <= truth <= interval.high + 1e-9
        a, b = draw(rng, clusters, binary), draw(rng, clusters, binary)
        for key, own in (("false_alarms", names), ("alarms_ignoring", None)):
            counts[key] += paired_test(a.tolist(), b.tolist(), own, trial, n=600, resamples=2).p <= 0.05
        if not binary:
            better = (a + 0.15).tolist()
            # Two systems on the same questions share most of what makes them hard or easy.
            same = (a + rng.normal(size=len(a)) * 0.5).tolist()
            counts["power"] += paired_test(better, same, names, trial, n=600, resamples=2).p <= 0.05
    shares = {key: count / trials for key, count in counts.items()}
    return {"clusters": clusters, "binary": binary, **shares, "power": None if binary else shares["power"]}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[5, 10, 20, 50, 100, 200])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args(arguments)
    print(f"{given.trials} trials, {PER_CLUSTER} questions a cluster, intra-cluster correlation {SHARED}")
    print("| scores | clusters | coverage | ignoring clusters | false alarms | ignoring clusters | power at 0.15 |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    rows = []
    for binary in (False, True):
        for clusters in given.clusters:
            row = simulate(clusters, binary, given.trials, seed=clusters + 1000 * binary)
            rows.append(row)
            power = "" if row["power"] is None else f"{row['power']:.2f}"
            kind = "0/1" if binary else "continuous"
            figures = [row[k] for k in ("coverage", "coverage_ignoring_clusters", "false_alarms", "alarms_ignoring")]
            print(f"| {kind} | {clusters} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {power} |")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
