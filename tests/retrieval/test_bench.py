"""The measurements of ``bench/retrieval.py`` run on small inputs: figures come out, results agree."""

from __future__ import annotations

import argparse
import importlib.util
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "bench" / "retrieval.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_retrieval", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bm25_against_bm25s(bench: Any) -> None:
    texts = [f"{passage.title} {passage.text}" for passage in bench.synthetic(300)]
    figures = bench.compare_bm25(texts, bench.queries(20), repeats=1, cores=2)
    assert figures["passages"] == 300 and figures["build"]["speedup"] > 0 and figures["search_1_thread"]["speedup"] > 0
    assert figures["search_2_threads"]["speedup"] > 0


def test_exact_search_against_the_plain_product(bench: Any) -> None:
    figures = bench.bench_dense(argparse.Namespace(passages=500, repeats=1))
    assert {"500 vectors, 1 queries", "500 vectors, 64 queries"} <= set(figures)


def test_cost_at_size_and_its_plot(bench: Any, tmp_path: Path) -> None:
    arguments = argparse.Namespace(folder=tmp_path, strategies="bm25,dense", sizes="200,400")
    figures = bench.bench_scale(arguments)
    assert len(figures) == 4
    for row in figures.values():
        assert row["build_peak_mb"] > 0 and row["open_s"] > 0 and row["bytes_per_passage"]["passages"] > 0
    bench.draw(json.loads(json.dumps(figures)), tmp_path / "plot.svg")
    assert ET.parse(tmp_path / "plot.svg").getroot().tag.endswith("svg")


def test_synthetic_passages_are_the_same_every_time(bench: Any) -> None:
    assert list(bench.synthetic(50)) == list(bench.synthetic(50))
