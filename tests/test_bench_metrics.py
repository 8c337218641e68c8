"""The measurements of ``bench/metrics.py`` and ``bench/significance.py`` run, small, and find equal results."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"


def load(name):
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class WordModel:
    """P_ent = share of the claim's words in the premise; one row per pair."""

    name, revision, has_contradiction, parallel = "words", "1", False, 1

    def rows(self, pairs):
        class Row:
            def __init__(self, pair, i):
                self.pair, self.members, self.tokens = pair, [i], len(" ".join(pair).split())

        return [Row(pair, i) for i, pair in enumerate(pairs)], 0

    def run(self, rows):
        import numpy as np

        shares = [sum(w in row.pair[0] for w in row.pair[1].split()) / len(row.pair[1].split()) for row in rows]
        return np.array([(share, np.nan) for share in shares])


def test_parent_part(tmp_path, capsys):
    module = load("metrics")
    assert module.main(["parent", "--items", "8", "--references", "2", "--json", str(tmp_path / "x.json")]) == 0
    result = json.loads((tmp_path / "x.json").read_text())
    assert result["equal"] and result["largest_difference"] <= 1e-12
    assert set(result["seconds"]) == {"rac", "hoisted", "published"}
    assert "# parent" in capsys.readouterr().out


def test_entailment_part_scores_every_pair_alike():
    result = load("metrics").bench_entailment(3, 0, WordModel(), 1e-12)
    assert result["equal"]
    assert result["questions"] == 18
    assert result["different_pairs"] < result["pairs"], "passages and claims repeat across systems"


def test_suite_part():
    result = load("metrics").bench_suite(2, 0, None)
    assert result["questions"] == 2 and result["questions_per_second"] > 0


def test_significance_part(capsys):
    assert load("significance").main(["--trials", "3", "--clusters", "6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| continuous | 6", "| 0/1 | 6")) for line in lines) == 2


def test_wrong_part_is_refused():
    with pytest.raises(SystemExit):
        load("metrics").main(["retrieval"])
