"""``bench/generation.py`` runs, small, and finds both variants in agreement."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rac.generation.local import LocalGenerator

BENCH = Path(__file__).resolve().parents[2] / "bench" / "generation.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_generation", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n", [None, 3])
def test_both_variants_agree_and_are_counted(bench: Any, llama: Any, tokenizer: Any, n: int | None) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=6)
    prompts = [[5, 6, 7], [9, 8], [4, 4, 4, 4]]
    different, error = bench.check(generator, prompts, 0.9, 10)
    assert different == 0 and error < 1e-4
    result = bench.measure(generator, prompts, n, 2, 0.9, 10)
    assert len(result["ratios"]) == 2 and result["median_ratio"] > 0
    for runs in result["runs"].values():
        assert all(0 < r["tokens"] <= 6 * 3 * (n or 1) for r in runs)
    if n is None:
        # Greedy decoding is the same text, so the same number of tokens.
        assert [r["tokens"] for r in result["runs"]["rac"]] == [r["tokens"] for r in result["runs"]["generate"]]


def test_the_whole_command(
    bench: Any, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(bench, "make_prompts", lambda *_, **__: [[5, 6, 7], [9, 8, 4]])
    arguments = ["--model", str(tiny_model_dir), "--rounds", "1", "--max-new-tokens", "4", "--samples", "2"]
    assert bench.main([*arguments, "--json", str(tmp_path / "b.json")]) == 0
    assert "median ratio" in capsys.readouterr().out
    assert json.loads((tmp_path / "b.json").read_text())["greedy_differences"] == 0
