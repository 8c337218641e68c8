"""``rac validate-metrics`` on a few queries: the page, its plot, the figures, bad input."""

from __future__ import annotations

import json

import pytest

from rac.metrics.perplexity import perplexities


def test_the_page_has_every_table(rac, tmp_path, data_mirror) -> None:
    page, figures = tmp_path / "metrics.md", tmp_path / "figures.json"
    result = rac(
        "validate-metrics", "-o", page, "--json", figures, "--data", data_mirror, "--mirror", data_mirror,
        "--items", 20, "--no-perplexity", "--no-other", "--nli", "none",
    )  # fmt: skip
    assert result.status == 0, result.err
    text = page.read_text(encoding="utf-8")
    for heading in (
        "## Definitions", "## Requirements", "## Controlled faults", "## Claims", "(c4) attributes recombined",
        "a thing that D lacks", "Cohen's κ", "locked, where both agree", "## What still fools them",
    ):  # fmt: skip
        assert heading in text
    for plot in ("faults", "support"):
        assert (tmp_path / f"metrics-{plot}-words-alone.svg").read_text(encoding="utf-8").startswith("<svg")
    stored = json.loads(figures.read_text(encoding="utf-8"))
    [scoring] = stored["scorings"]
    assert scoring["outputs"]["locked, first annotator"]["balanced"] > 0.8
    bars = {b["name"]: b for b in stored["bars"]["words alone"]}
    assert bars["AUC of the headline, fault (b)"]["bar"] == 0.95
    assert any("nuisance" in name and "other makes" in name for name in bars)
    missed = [line for line in result.err.splitlines() if line.startswith("missed")]
    assert len(missed) == sum(not b["met"] for b in bars.values())


def test_another_kind_of_page_is_refused(rac, tmp_path) -> None:
    result = rac("validate-metrics", "-o", tmp_path / "page.html")
    assert result.status == 2 and "does not end in .md" in result.err


@pytest.mark.model
def test_perplexity_prefers_english_and_does_not_depend_on_the_batch() -> None:
    texts = ["Do you mean the city or the film?", "film the or city the mean you Do?", ""]
    found = perplexities(texts)
    assert found[0] < found[1] and found[2] == float("inf")
    assert perplexities(texts[:1], batch_tokens=8)[0] == pytest.approx(found[0], rel=1e-3)
