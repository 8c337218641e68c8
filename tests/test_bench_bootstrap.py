"""The measurement of ``bench/bootstrap.py`` runs, small, and judges by its own limits."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bootstrap.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_bootstrap", BENCH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_figures_of_a_small_run(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "--examples", "40", "--json", str(out)])
    assert bench.main() == 0
    figures = json.loads(out.read_text())
    assert figures["examples"] == 40
    assert figures["questions"] >= 80
    assert 0 < figures["pairs"] <= 40
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "--examples", "40", "--limit", "0"])
    assert bench.main() == 1
