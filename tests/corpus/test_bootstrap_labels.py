"""The figures of docs/bootstrap.md are those of the labels beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("file", "mark"),
    [
        ("bootstrap-labels", "labels"),
        ("bootstrap-labels-folders", "folders"),
        ("bootstrap-labels-folders-again", "again"),
    ],
)
def test_the_page_states_the_figures_of_the_labels(file: str, mark: str) -> None:
    labels = [json.loads(line) for line in (DOCS / f"{file}.jsonl").read_text().splitlines()]
    assert len(labels) == 100
    page = (DOCS / "bootstrap.md").read_text()
    table = page.partition(f"<!-- {mark}:start -->")[2].partition(f"<!-- {mark}:end -->")[0]
    names = {
        "well-formed": "well_formed",
        "ambiguous": "ambiguous",
        "facets supported": "supported",
        "useful": "useful",
    }
    for shown, key in names.items():
        share = sum(label[key] for label in labels)
        assert f"| {shown} | {share} % |" in table
    for label in labels:
        assert all(isinstance(label[key], bool) for key in names.values())
        assert ("note" in label) == (not all(label[key] for key in names.values()))
