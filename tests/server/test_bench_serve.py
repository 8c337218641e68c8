"""The measurements of ``bench/serve.py`` run, small, with a tiny model."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "serve.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_serve", BENCH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.extra
def test_levels(bench: Any, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    out = tmp_path / "figures.json"
    arguments = [str(tiny_model_dir), "--clients", "1,3", "--seconds", "1", "--rounds", "1", "--tokens", "6"]
    monkeypatch.setattr(sys, "argv", ["serve.py", *arguments, "--threads", "1", "--json", str(out)])
    bench.main()
    figures = json.loads(out.read_text())
    assert [level["clients"] for level in figures["levels"]] == [1, 3]
    assert figures["bars"]["no error"]
    for level in figures["levels"]:
        for name in ("batched", "alone"):
            measured = level["rounds"][0][name]
            assert measured["requests"] >= 1
            assert 0 < measured["p50"] <= measured["p99"]
    assert "16 of 16 equal" in capsys.readouterr().out


@pytest.mark.extra
def test_soak(bench: Any, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "figures.json"
    arguments = [str(tiny_model_dir), "--soak", "9", "--soak-clients", "3", "--tokens", "6", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["serve.py", *arguments])
    bench.main()
    figures = json.loads(out.read_text())
    assert figures["feedback acknowledged"] == figures["requests"] >= 3
    assert figures["feedback lost"] == 0
    assert figures["bars"]["no error"]


def test_percentiles_are_those_of_the_sorted_times(bench: Any) -> None:
    assert bench.percentiles([float(n) for n in range(100, 0, -1)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert bench.percentiles([2.0]) == {"p50": 2.0, "p95": 2.0, "p99": 2.0}
