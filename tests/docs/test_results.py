"""The tables of README.md and docs/results.md come out of ``results/``, and of nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from rac.report.results import render_results

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from readme_results import table_of, written  # noqa: E402


def test_the_results_page_is_that_of_the_packed_runs() -> None:
    runs = sorted(path for path in (ROOT / "results").iterdir() if path.is_dir())
    assert runs
    assert (ROOT / "docs/results.md").read_text(encoding="utf-8") == render_results(runs)


def test_the_readmes_table_is_that_of_the_study() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert written(text, "results", table_of(ROOT / "results/claqua")) == text
    assert "| rac |" in table_of(ROOT / "results/claqua")
