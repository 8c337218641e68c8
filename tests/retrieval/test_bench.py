"""The measurements of ``bench/retrieval.py`` run on small inputs: figures come out, results agree."""

from __future__ import annotations

import argparse
import importlib.util
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "bench"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bench() -> Any:
    return load("retrieval")


@pytest.fixture(scope="module")
def page() -> Any:
    return load("indexes_page")


def test_bm25_against_bm25s(bench: Any) -> None:
    texts = [f"{passage.title} {passage.text}" for passage in bench.synthetic(300)]
    figures = bench.compare_bm25(texts, bench.queries(20), repeats=1, cores=2)
    assert figures["passages"] == 300 and figures["build"]["speedup"] > 0 and figures["search_1_thread"]["speedup"] > 0
    assert figures["search_2_threads"]["speedup"] > 0


def test_exact_search_against_the_plain_product(bench: Any) -> None:
    figures = bench.bench_dense(argparse.Namespace(passages=500, repeats=1))
    assert {"500 vectors, 1 queries", "500 vectors, 64 queries"} <= set(figures)


def test_cost_at_size_and_its_plot(bench: Any, page: Any, tmp_path: Path) -> None:
    arguments = argparse.Namespace(folder=tmp_path, strategies="bm25,dense", sizes="200,400")
    figures = bench.bench_scale(arguments)
    assert len(figures) == 4
    for row in figures.values():
        assert row["build_peak_mb"] > 0 and row["open_s"] > 0 and row["bytes_per_passage"]["passages"] > 0
    assert page.scale({"figures": figures}).count("\n") == 5
    disk, memory = page.bytes_per_passage([{"figures": figures}], None, None)["hybrid"]
    assert disk > memory > 384 * 4
    bench.draw(json.loads(json.dumps(figures)), tmp_path / "plot.svg")
    assert ET.parse(tmp_path / "plot.svg").getroot().tag.endswith("svg")


def test_gigabytes_follow_from_bytes_per_passage(page: Any) -> None:
    assert (
        page.sizes({"bm25": (900.0, 500.0)}).splitlines()[-1] == "| bm25 | 900 | 0.9 / 0.5 | 9.0 / 5.0 | 90.0 / 50.0 |"
    )


def test_figures_go_between_the_markers_of_a_page_only(page: Any) -> None:
    assert page.put("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
    with pytest.raises(SystemExit, match="no markers"):
        page.put("a", "x", "new")


def test_synthetic_passages_are_the_same_every_time(bench: Any) -> None:
    assert list(bench.synthetic(50)) == list(bench.synthetic(50))
