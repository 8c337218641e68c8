"""Labelled outputs of models: accuracy by hand, kappa, the lock, and the page that shows it."""

from __future__ import annotations

import numpy as np
import pytest

from rac.errors import DataError
from rac.metrics import output_validation
from rac.metrics.faults import Source
from rac.metrics.output_validation import balanced, claim_accuracy, kappa, question_auc, read_outputs
from rac.metrics.validation_references import validate_references
from rac.records import Passage


def test_balanced_accuracy_by_hand() -> None:
    kept = np.array([True, True, False, False, True])
    labels = np.array([True, True, True, False, False])
    assert balanced(kept, labels) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert np.isnan(balanced(kept, np.ones(5, dtype=bool)))


def test_kappa_by_hand() -> None:
    assert kappa([True, True, False, False], [True, False, False, False]) == pytest.approx((0.75 - 0.5) / 0.5)
    assert kappa([True, False, None], [True, False, None]) == 1.0


def test_the_open_half_meets_the_bar_and_claims_beat_words_over_all_passages() -> None:
    outputs = read_outputs("open")
    assert len(outputs) == 152
    found = claim_accuracy(outputs)
    assert found.low <= found.balanced <= found.high
    assert found.balanced >= 0.80
    by_metric = question_auc(outputs)
    assert by_metric["faith"] > by_metric["grounding"]
    assert by_metric["faith"] > by_metric["length"]


def test_the_locked_half_is_what_it_was(tmp_path, monkeypatch) -> None:
    assert claim_accuracy(read_outputs("locked")).balanced >= 0.80, "the primary bar"
    (tmp_path / "output_labels_locked.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(output_validation, "DATA", tmp_path)
    with pytest.raises(DataError, match="locked"):
        read_outputs("locked")


def test_reference_metrics_prefer_the_altered_gold_and_the_headline_does_not() -> None:
    jobs = ("actor", "painter", "chemist", "boxer")
    known = [
        Source(
            f"q{i}", f"Who is Luna{i}?", f"Do you mean {job} Luna{i} or poet Luna{i}?",
            (Passage(id=f"{i}a", title=f"Luna{i}", types=(job,)),
             Passage(id=f"{i}b", title=f"Luna{i}", types=("poet",))),
            f"Luna{i}",
        )
        for i, job in enumerate(jobs)
    ]  # fmt: skip
    found = validate_references(known)
    assert found["headline"].auc == 1.0
    assert found["rouge_l"].auc < 0.5
