from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.training.selection import Rule, validation_steps


def metrics(faulty: float, informativeness: float = 0.8, rouge_l: float = 0.5) -> dict[str, float]:
    return {"faulty": faulty, "informativeness": informativeness, "rouge_l": rouge_l}


def test_the_lowest_share_of_faults_wins() -> None:
    assert Rule().best([(0, metrics(0.3)), (5, metrics(0.1)), (10, metrics(0.2))]) == 5


def test_what_loses_informativeness_or_rouge_cannot_win() -> None:
    history = [
        (0, metrics(0.3)),
        (5, metrics(0.0, informativeness=0.7)),
        (10, metrics(0.1, rouge_l=0.4)),
        (15, metrics(0.2)),
    ]
    assert Rule().best(history) == 15


def test_a_point_may_be_lost_and_no_more() -> None:
    assert Rule().best([(0, metrics(0.3)), (5, metrics(0.2, rouge_l=0.49, informativeness=0.79))]) == 5
    assert Rule().best([(0, metrics(0.3)), (5, metrics(0.2, rouge_l=0.489))]) == 0
    assert Rule().best([(0, metrics(0.3)), (5, metrics(0.2, informativeness=0.789))]) == 0


def test_the_start_stays_if_nothing_keeps_the_floors() -> None:
    assert Rule().best([(0, metrics(0.3)), (5, metrics(0.0, informativeness=0.1))]) == 0


def test_of_equals_the_latest_wins() -> None:
    assert Rule().best([(0, metrics(0.1)), (5, metrics(0.1)), (10, metrics(0.2))]) == 5


def test_an_unscored_validation_cannot_win() -> None:
    assert Rule().best([(0, metrics(0.4)), (5, metrics(math.nan)), (10, metrics(0.3))]) == 10


def test_in_stage_1_the_start_sets_no_standard_and_cannot_win() -> None:
    untrained = (0, metrics(0.0, informativeness=1.0, rouge_l=0.2))
    history = [untrained, (5, metrics(0.3, rouge_l=0.5)), (10, metrics(0.2, rouge_l=0.55)), (15, metrics(0.25))]
    assert Rule(standard="best").best(history) == 10
    assert Rule().best(history) == 0
    # What is far below the best ROUGE-L so far cannot win, however little it invents.
    assert Rule(standard="best").best([*history, (20, metrics(0.1, rouge_l=0.4))]) == 10
    assert Rule(standard="best").best([untrained, (5, metrics(0.1, rouge_l=0.3)), (10, metrics(0.2))]) == 10
    assert Rule(standard="best").best([untrained]) == 0


_value = st.one_of(st.just(math.nan), st.floats(0, 1))


@given(st.lists(st.tuples(_value, _value, _value), min_size=1, max_size=8), st.sampled_from(["start", "best"]))
@settings(max_examples=200, deadline=None)
def test_only_what_was_best_at_its_time_is_ever_chosen(values: list[tuple[float, ...]], standard: str) -> None:
    """Weights of other validations are not on the disk any more."""
    rule = Rule(standard=standard)  # type: ignore[arg-type]
    history = [(step, metrics(*value)) for step, value in enumerate(values)]
    best = [rule.best(history[: stop + 1]) for stop in range(len(history))]
    for step, chosen in enumerate(best):
        assert chosen == step or chosen == best[step - 1]


def test_a_missing_metric_is_named() -> None:
    with pytest.raises(UserError, match=r"validation of step 5 has no metric 'rouge_l'.*it has faulty"):
        Rule(lose_at_most={"rouge_l": 0.1}).best([(0, metrics(0.4)), (5, {"faulty": 0.1})])


def test_validations_are_spread_and_end_with_the_last_step() -> None:
    assert validation_steps(10, 3) == [3, 7, 10]
    assert validation_steps(2, 5) == [1, 2]
    assert validation_steps(10, 0) == []
