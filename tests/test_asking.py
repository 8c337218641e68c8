from __future__ import annotations

import json
from typing import Any

import pytest

from rac.asking import Asker
from rac.errors import UserError
from rac.generation.candidates import Candidate
from rac.records import Passage
from tests_support import byte_tokenizer, tiny_model

D = [
    Passage(id="a", title="Mercury", types=("planet",), text="Mercury is the first planet from the Sun."),
    Passage(id="b", title="Mercury", types=("chemical element",), text="Mercury is a metal that is liquid."),
    Passage(id="c", title="Mercury Records", types=("record label",), text="An American record label."),
]
GOOD = "Do you mean the planet Mercury or the chemical element Mercury?"
INVENTED = "Do you mean the planet Mercury or the 1994 film Mercury?"
TWICE = "Do you mean the planet Mercury or the planet Mercury?"


class Scripted:
    """A generator that says what the test wrote: first the greedy question, then the samples."""

    def __init__(self, greedy: str, samples: list[str]) -> None:
        self.texts, self.samples = greedy, samples
        self.sampled = 0

    def greedy(self, prompts: Any, **_: Any) -> list[Candidate]:
        return [Candidate(self.texts, (), 0.0, True) for _ in prompts]

    def sample(self, prompts: Any, n: int, **_: Any) -> list[list[Candidate]]:
        self.sampled += 1
        return [[Candidate(t, (), 0.0, True) for t in self.samples[:n]] for _ in prompts]


def asker(greedy: str = GOOD, samples: list[str] | None = None, **options: Any) -> Asker:
    made = Asker(tiny_model(), byte_tokenizer(), name="test", **options)
    made.generator = Scripted(greedy, samples or [])  # type: ignore[assignment]
    return made


def test_a_supported_question_goes_out_with_its_evidence() -> None:
    one = asker()
    answer = one.ask("mercury", passages=D)
    assert answer.question == GOOD
    assert answer.reason == ""
    assert answer.faithfulness == 1.0
    assert [(o.text, o.supported) for o in answer.options] == [
        ("the planet Mercury", True), ("the chemical element Mercury", True),
    ]  # fmt: skip
    for option in answer.options:
        assert GOOD[option.start : option.end] == option.text
        assert option.evidence
        for found in option.evidence:
            passage = next(p for p in D if p.id == found.passage_id)
            value = ", ".join(passage.types) if found.field == "types" else getattr(passage, found.field)
            assert value[found.start : found.end] == found.text
    assert one.generator.sampled == 0  # type: ignore[attr-defined]
    assert json.loads(json.dumps(answer.to_dict()))["passages"][0]["id"] == "a"


@pytest.mark.parametrize("first", [INVENTED, TWICE, "What do you mean?", "", "Do you mean the planet or the type?"])
def test_a_failed_first_question_is_replaced_by_the_best_supported_sample(first: str) -> None:
    answer = asker(first, [INVENTED, GOOD, TWICE]).ask("mercury", passages=D, n=4)
    assert answer.question == GOOD
    assert "the first question failed" in answer.reason
    assert len(answer.candidates) == 4


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ([INVENTED, INVENTED], "has 1 option that the passages support; two are needed"),
        ([TWICE, TWICE], "offers the same option twice"),
        (["Do you mean the planet or the type?"] * 2, "has 1 option that the passages support"),
        (["What do you mean?", "Which one?"], "has 0 options that the passages support"),
    ],
)
def test_no_question_is_asked_without_two_supported_options(candidates: list[str], reason: str) -> None:
    answer = asker(candidates[0], candidates[1:]).ask("mercury", passages=D, n=2)
    assert answer.question is None
    assert reason in answer.reason


def test_a_third_unsupported_option_is_refused_unless_allowed() -> None:
    mixed = "Do you mean the planet Mercury, the chemical element Mercury or the 1994 film Mercury?"
    assert asker(mixed).ask("mercury", passages=D, n=1).question is None
    allowed = asker(mixed).ask("mercury", passages=D, n=1, min_faithfulness=0.5)
    assert allowed.question == mixed
    assert [o.supported for o in allowed.options] == [True, True, False]


def test_a_candidate_that_is_faithful_enough_goes_before_a_better_looking_one_that_fails() -> None:
    one_option = "Do you mean the planet Mercury or the American film Mercury?"
    mixed = "Do you mean the planet Mercury, the chemical element Mercury or the 1994 film Mercury?"
    answer = asker(one_option, [mixed]).ask("mercury", passages=D, n=2, min_faithfulness=0.5)
    assert answer.question == mixed and "this is a sampled one" in answer.reason
    scores = [asker()._check(text, "mercury", D) for text in (one_option, mixed)]
    assert scores[0].faithfulness > scores[1].faithfulness and sum(scores[0].supported) == 1
    refused = asker(one_option, [mixed]).ask("mercury", passages=D, n=2)
    assert refused.question is None and "the planet Mercury" in refused.options[0].text
    assert len(refused.options) == 2, "where all fail, the best supported one is shown"


def test_nothing_retrieved_means_no_question() -> None:
    answer = asker().ask("mercury", passages=[])
    assert (answer.question, answer.options, answer.candidates) == (None, (), ())
    assert "nothing to ask from" in answer.reason


def test_a_template_stands_in_for_an_untuned_model_only_and_says_so() -> None:
    untuned = asker("Mercury is a planet.", ["Yes."], tuned=False).ask("mercury", passages=D, n=2)
    assert untuned.question is not None
    assert "template" in untuned.model
    assert "template" in untuned.reason
    tuned = asker("Mercury is a planet.", ["Yes."], tuned=True).ask("mercury", passages=D, n=2)
    assert tuned.question is None


def test_an_empty_query_and_a_missing_index_are_user_errors() -> None:
    with pytest.raises(UserError, match="the query is empty"):
        asker().ask("  ")
    with pytest.raises(UserError, match="no index to retrieve from"):
        asker().ask("mercury")


def test_equal_seeds_give_equal_questions_with_a_real_model() -> None:
    one = Asker(tiny_model(), byte_tokenizer(), name="tiny", max_new_tokens=12)
    first = one.ask("mercury", passages=D, n=3, seed=5)
    again = one.ask("mercury", passages=D, n=3, seed=5)
    assert first.candidates == again.candidates
    assert len(first.candidates) == 3
    assert one.ask("mercury", passages=D, n=3, seed=6).candidates[1:] != first.candidates[1:]
