"""What is asked and judged while a model is trained."""

from __future__ import annotations

import pytest

from rac.config import Recipe
from rac.metrics.selection import SELECTION_VERSION
from rac.pipeline.validation import judge, validation_inputs
from rac.records import ClarificationExample, Passage

D = [
    Passage(id="1", title="Rescue", text="Rescue is an arcade game."),
    Passage(id="2", title="Rescue", text="Rescue is a board game of 1980."),
]
EXAMPLE = ClarificationExample(
    id="q", query="who made rescue", questions=["Do you mean the arcade game Rescue or the board game Rescue?"]
)


@pytest.mark.parametrize(
    ("question", "faulty", "unsupported", "informativeness"),
    [
        ("Do you mean the arcade game Rescue or the board game Rescue?", 0, 0, 1),
        ("Do you mean the arcade game Rescue or the novel Rescue?", 1, 1, 1),
        ("Do you mean the arcade game Rescue or the arcade game Rescue?", 1, 0, 0.5),
        ("What do you mean?", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_neither_an_empty_question_nor_one_option_twice_can_win(
    question: str, faulty: float, unsupported: float, informativeness: float
) -> None:
    found = judge([question], [(EXAMPLE, D)])
    assert found["unsupported"] == unsupported
    assert found["faulty"] == faulty
    assert found["informativeness"] == informativeness
    assert found["rouge_l"] <= 1 and (found["rouge_l"] == 1) == (question == EXAMPLE.questions[0])


def test_figures_are_means_over_queries() -> None:
    bare = ClarificationExample(id="r", query="who made rescue", questions=[])
    found = judge([EXAMPLE.questions[0], "Do you mean the novel Rescue?"], [(EXAMPLE, D), (bare, D)])
    assert found == {"faulty": 0.5, "unsupported": 0.5, "informativeness": 0.75, "rouge_l": 1.0}


def test_options_that_fit_the_same_passages_count_once_where_they_are_to_tell_apart() -> None:
    nested = "Do you mean the game Rescue or the arcade game Rescue?"
    for question, tell_apart, faulty, informativeness in (
        (nested, False, 0, 1), (nested, True, 1, 0.5), (EXAMPLE.questions[0], True, 0, 1),
    ):  # fmt: skip
        found = judge([question], [(EXAMPLE, D)], tell_apart=tell_apart)
        assert (found["faulty"], found["informativeness"]) == (faulty, informativeness)


def test_a_stage_that_validates_is_another_one_when_what_counts_as_a_fault_changes() -> None:
    found = [
        validation_inputs(recipe, recipe.training)
        for validations in (0, 2)
        for apart in (False, True)
        for recipe in [
            Recipe.model_validate({"training": {"validations": validations}, "pairs": {"tell_apart": apart}})
        ]
    ]
    assert found[0] == found[1] == {} and found[2] != found[3]
    assert found[3]["selection"] == SELECTION_VERSION
