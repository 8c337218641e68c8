"""``bench/decoding.py`` runs, small: blocks, resuming, stopping early, the table."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from rac.files import read_json, write_json

BENCH = Path(__file__).resolve().parents[2] / "bench" / "decoding.py"
PASSAGES = [{"id": "a", "title": "Dune", "text": "A novel."}, {"id": "b", "title": "Dune", "text": "A film."}]


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_decoding", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def options(bench: Any, tiny_model_dir: Path, tmp_path: Path) -> Namespace:
    work = tmp_path / "work"
    work.mkdir()
    queries = [{"id": f"q{i}", "query": "dune", "ids": [5, 6, 7 + i], "passages": PASSAGES} for i in range(4)]
    write_json(work / "queries-4.json", queries)
    return Namespace(
        work=work, model=tiny_model_dir, run=None, saved=False, queries=4, block=2, threads=1, max_new_tokens=4,
        minutes=60.0,
    )  # fmt: skip


def test_one_engine_against_the_other(bench: Any, options: Namespace) -> None:
    setup = bench.Setup(options.model, options.work, 1, 4)
    queries = bench.make_queries(None, options.model, 4, options.work)
    for engine in ("generate", "rac"):
        rows = bench.run_block(engine, queries, setup)
        assert [r["id"] for r in rows] == ["q0", "q1", "q2", "q3"] and all(r["seconds"] > 0 for r in rows)
        write_json(options.work / f"{engine}-1.json", rows)
    reference, own = bench.compare(options, queries)
    assert (reference["engine"], own["engine"]) == ("generate", "rac")
    assert own["equal"] == 1.0 and own["difference"] == 0.0 and own["difference_interval"] == [0.0, 0.0]
    assert len(own["blocks"]) == 2 and own["speed_against_rac"] == 1.0


def test_the_runs_own_predictions_stand_for_the_reference(bench: Any, options: Namespace) -> None:
    rows = [{"id": f"q{i}", "text": "?", "seconds": 1.0, "cpu": 1.0, "tokens": 1} for i in range(4)]
    write_json(options.work / "rac-1.json", rows)
    assert bench.compare(options, bench.make_queries(None, options.model, 4, options.work)) == []
    write_json(options.work / "saved-4.json", [{"id": f"q{i}", "text": "?" if i else "!"} for i in range(4)])
    (own,) = bench.compare(options, bench.make_queries(None, options.model, 4, options.work))
    assert (own["engine"], own["n"], own["equal"]) == ("rac", 4, 0.75)


def test_an_engine_that_cannot_reach_the_share_is_given_up(bench: Any) -> None:
    reference = [{"id": f"q{i}", "text": "a"} for i in range(20)]
    rows = [{"id": f"q{i}", "text": "b" if i < 2 else "a"} for i in range(10)]
    assert bench.hopeless(rows, reference, 20)
    assert not bench.hopeless(rows, reference, 40)


def test_blocks_that_are_done_are_not_run_again(bench: Any, options: Namespace, monkeypatch: Any, capsys: Any) -> None:
    started: list[tuple[str, str]] = []

    def run(command: list[str], **_: Any) -> Any:
        engine, first = command[command.index("--worker") + 1], command[command.index("--first") + 1]
        started.append((engine, first))
        if engine == "rac":
            return Namespace(returncode=1, stderr="Error: no room\n")
        done = bench.results_of(options.work, engine, 1)
        write_json(options.work / f"{engine}-1.json", done + [{"id": f"q{first}", "seconds": 1.0, "text": ""}] * 2)
        return Namespace(returncode=0, stderr="")

    monkeypatch.setattr(bench.subprocess, "run", run)
    queries = bench.make_queries(None, options.model, 4, options.work)
    bench.measure(options, ["generate", "rac"], queries)
    assert started == [("generate", "0"), ("rac", "0"), ("generate", "2"), ("rac", "2")]
    assert "rac                failed: Error: no room" in capsys.readouterr().out
    started.clear()
    bench.measure(options, ["generate"], queries)
    assert started == [] and len(read_json(options.work / "generate-1.json")) == 4
