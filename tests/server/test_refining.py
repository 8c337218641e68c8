from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.metrics.text import content_keys
from rac.records import Passage
from rac.server.refining import picked_option, rank_given, refine_query
from server_support import GOOD, D

OPTIONS = ["the planet Mercury", "the chemical element Mercury", "the record label"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("the planet Mercury", 0),
        ("The Planet Mercury.", 0),
        ("planet", 0),
        ("the first one", 0),
        ("the former", 0),
        ("1", 0),
        ("option 2", 1),
        ("#3", 2),
        ("the second", 1),
        ("the last one please", 2),
        ("latter", 2),
        ("I mean the chemical element", 1),
        ("element", 1),
        ("9", None),
        ("Mercury", None),
        ("the first planet", 0),
        ("the 1994 film", None),
        ("yes", None),
        ("", None),
    ],
)
def test_an_answer_picks_an_option_by_words_or_place(answer: str, expected: int | None) -> None:
    picked = picked_option(answer, OPTIONS)
    assert picked == (None if expected is None else OPTIONS[expected])


def test_an_ordinal_that_tells_options_apart_is_a_word_like_others() -> None:
    assert picked_option("second edition", ["the first edition", "the second edition"]) == "the second edition"


@pytest.mark.parametrize(
    ("answer", "query", "option"),
    [
        ("the planet Mercury", "mercury planet", "the planet Mercury"),
        ("the second one", "mercury chemical element", "the chemical element Mercury"),
        ("its temperature", "mercury temperature", None),
        ("no, the Roman god", "mercury Roman god", None),
        ("neither", "mercury", None),
        ("none of them", "mercury", None),
        ("both", "mercury", None),
        ("yes please", "mercury", None),
        ("mercury", "mercury", None),
    ],
)
def test_the_query_gets_the_words_that_the_answer_adds(answer: str, query: str, option: str | None) -> None:
    refined = refine_query("mercury", GOOD, answer)
    assert (refined.query, refined.option) == (query, option)
    assert bool(refined.note) == (option is None)


@given(st.text(max_size=40), st.text(max_size=60), st.text(max_size=40))
@settings(deadline=None, max_examples=60)
def test_a_refined_query_keeps_the_query_and_adds_no_word_twice(query: str, question: str, answer: str) -> None:
    refined = refine_query(query, question, answer)
    assert refined.query.startswith(query.strip())
    assert content_keys(query) <= content_keys(refined.query)


def test_given_passages_are_ranked_by_the_words_of_the_query() -> None:
    passages = [Passage.model_validate(p) for p in D]
    ranked = rank_given("mercury chemical element", passages, 2)
    assert [(h.rank, h.passage.id, h.score) for h in ranked] == [(1, "b", 1.0), (2, "a", pytest.approx(1 / 3))]
    assert [h.terms for h in ranked] == [("mercury", "chemical", "element"), ("mercury",)]
    assert rank_given("xylophone", passages, 5) == []
    assert rank_given("the of", passages, 5) == []
