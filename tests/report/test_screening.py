from __future__ import annotations

from rac.metrics.catalog import METRICS
from rac.report.build import summary_table
from rac.report.screening import render_screening


def test_the_page_shows_every_variant_with_its_difference_cost_and_finding() -> None:
    items = {
        "baseline": [{"id": str(i), "headline": 0.9} for i in range(30)],
        "no *NLL*": [{"id": str(i), "headline": 0.5 + 0.001 * i} for i in range(30)],
    }
    table = summary_table("Loss", items, {str(i): str(i) for i in range(30)}, seed=0, metrics=("headline",))
    page = render_screening(
        {
            "name": "screening", "recipe": "claqua", "about": "Three | passages.", "settings": {"prompt.top_k": 3},
            "seeds": [0, 7],
            "questions": [{
                "question": "Loss", "finding": "It matters.", "settings": {"no *NLL*": {"preference.nll_weight": 0.0}},
                "table": table, "notes": [],
                "by_seed": {"baseline": {"headline": [0.88, 0.92]}, "no *NLL*": {"headline": [0.5, None]}},
                "cost": {"baseline": {"pairs": 7, "seconds": 60}, "no *NLL*": {"pairs": 8, "seconds": 61}},
            }],
        }
    )  # fmt: skip
    assert "headline" in METRICS
    assert "Three \\| passages." in page
    assert "It matters." in page
    assert page.startswith("# Screening of the recipe claqua with 2 seeds\n")
    assert "| no \\*NLL\\* | `preference.nll_weight: 0.0` | 8 |" in page
    assert "**p < 0.001**" in page
    assert "| baseline | nothing | 7 |" in page
    assert "with the seeds 0, 7;" in page
    assert "| baseline | 0.880, 0.920 |" in page
    assert "| no \\*NLL\\* | 0.500, – |" in page
