"""Simulated user and retrieval gain: only offered words are said, gains by hand on a tiny index."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.metrics.retrieval_gain import Turn, expanded, retrieval_gain, turn_gains
from rac.metrics.simulated_user import NONE_OF_THESE, simulated_answers
from rac.records import ClarificationExample, Passage
from rac.retrieval.base import Hit

SHIP = Passage(id="ship", title="Luna", types=("ship",), text="Luna was a ship built in Dumbarton.")
FILM = Passage(id="film", title="Luna", types=("film",), text="Luna was a film by Dave McKean.")
MOON = Passage(id="moon", title="Moon", text="The moon is far.")
QUERY = "where is luna"
GOOD = "Do you mean the ship Luna or the film Luna?"


class WordIndex:
    """Ranks by the number of shared words, ties in order: a lexical index small enough to check by hand."""

    def __init__(self, passages):
        self.passages, self.asked = passages, []

    def search_batch(self, queries, top_k):
        self.asked += queries
        return [self._search(q, top_k) for q in queries]

    def _search(self, query, top_k):
        words = query.lower().replace("?", "").split()
        scored = [
            (sum(words.count(w) for w in set(f"{p.title} {p.text}".lower().strip(".").split())), p)
            for p in self.passages
        ]
        ranked = sorted((s for s in scored if s[0]), key=lambda s: -s[0])
        return [Hit(p, s, r) for r, (s, p) in enumerate(ranked[:top_k], start=1)]


def answer(question, target, query=QUERY):
    (said,) = simulated_answers([question], [query], [target])
    return said


def test_the_user_names_the_option_of_the_target():
    assert answer(GOOD, SHIP).text == "the ship Luna"
    assert answer(GOOD, FILM).text == "the film Luna"
    assert answer(GOOD, FILM).option.kind == "OPTION"


def test_the_user_says_none_when_nothing_fits():
    said = answer("Do you mean the opera Luna or the comet Luna?", SHIP)
    assert (said.text, said.option, said.reason) == (NONE_OF_THESE, None, "not-among-them")
    assert answer("What do you mean?", SHIP).reason == "nothing-offered"
    assert answer("", SHIP).reason == "empty"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_the_user_never_says_what_was_not_offered(question, text):
    said = answer(question, Passage(id="p", title="Luna", text=text))
    assert said.text == NONE_OF_THESE or all(word in question for word in said.text.split())


def test_gain_by_hand():
    # Query alone: ship and film share one word ("luna"), ship first. Wanted: film, so RR 1/2, nDCG 1/log2(3).
    # With "... film Luna?" and the answer "the film Luna" the film is first.
    index = WordIndex([SHIP, FILM, MOON])
    (gain,) = turn_gains([Turn(QUERY, GOOD, "the film Luna", {"film": 1})], index)
    assert gain.before == pytest.approx({"ndcg": 1 / math.log2(3), "mrr": 0.5, "recall": 1.0})
    assert gain.after == pytest.approx({"ndcg": 1.0, "mrr": 1.0, "recall": 1.0})
    assert gain.row() == pytest.approx({"delta_ndcg": 1 - 1 / math.log2(3), "delta_mrr": 0.5, "delta_recall": 0.0})


def test_simulated_gain_is_the_mean_over_targets():
    example = ClarificationExample(id="q", query=QUERY, passages=(SHIP, FILM))
    index = WordIndex([SHIP, FILM, MOON])
    (good,) = retrieval_gain([GOOD], [example], index)
    assert good.answers == ("the ship Luna", "the film Luna")
    assert good.before["mrr"] == pytest.approx(0.75) and good.after["mrr"] == pytest.approx(1.0)
    (bad,) = retrieval_gain(["Do you mean the opera Luna or the comet Luna?"], [example], index)
    assert bad.answers == (NONE_OF_THESE, NONE_OF_THESE)
    assert bad.delta["delta_mrr"] <= 0 < good.delta["delta_mrr"]
    assert len(index.asked) == 2 + 2 + 2 - 1  # the query alone is searched once per call, equal texts once


def test_gold_answers_count_for_gold_questions_only():
    example = ClarificationExample(
        id="q", query=QUERY, questions=(GOOD,), answers=("the film please",), passages=(SHIP, FILM),
        qrels={"film": 2, "ship": 0},
    )  # fmt: skip
    index = WordIndex([SHIP, FILM, MOON])
    gold, other = retrieval_gain([GOOD, "Is it the ship?"], [example, example], index)
    assert gold.answers == ("the film please",) and gold.after["mrr"] == 1.0
    assert other.answers == ("the ship", NONE_OF_THESE)
    missing, empty = retrieval_gain(["Is it the ship?", " "], [example, example], index, answers="gold")
    assert (missing.reason, empty.reason) == ("no-gold-answer", "empty")
    assert missing.row() == {"delta_ndcg": None, "delta_mrr": None, "delta_recall": None}


def test_unscored_states():
    index = WordIndex([SHIP])
    nothing = ClarificationExample(id="q", query=QUERY)
    assert retrieval_gain([GOOD], [nothing], index)[0].reason == "no-target-passage"
    named = ClarificationExample(id="q", query=QUERY, passage_ids=("film",))
    assert retrieval_gain([GOOD], [named], index)[0].reason == "no-target-passage"
    (found,) = retrieval_gain([GOOD], [named], index, passages={"film": FILM})
    assert found.after == {"ndcg": 0.0, "mrr": 0.0, "recall": 0.0}
    assert turn_gains([Turn(QUERY, GOOD, "x", {})], index)[0].reason == "nothing-relevant"
    assert turn_gains([], index) == []
    assert expanded(Turn("a", " b ", "", {})) == "a b"


def test_the_suite_has_the_gain_where_an_index_is_given():
    from rac.metrics.suite import evaluate
    from rac.records import Prediction

    examples = [
        ClarificationExample(id="q", query=QUERY, passages=(SHIP, FILM)),
        ClarificationExample(id="r", query=QUERY),
    ]
    predictions = [Prediction(id="q", question=GOOD), Prediction(id="r", question=GOOD, passages=(SHIP, FILM))]
    result = evaluate(predictions, examples, index=WordIndex([SHIP, FILM, MOON]))
    first, second = result.per_item
    assert first["delta_mrr"] == pytest.approx(0.25)
    assert second["delta_mrr"] is None and second["unscored"]["delta_mrr"] == "no-target-passage"
    assert (result.summary["delta_mrr"]["n"], result.summary["delta_mrr"]["unscored"]) == (1, 1)
    assert "delta_mrr" not in evaluate(predictions, examples).summary


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: retrieval_gain(["a"], [], WordIndex([])), "cannot be paired"),
        (lambda: retrieval_gain([], [], WordIndex([]), answers="people"), "auto, gold or simulated"),
        (lambda: turn_gains([], WordIndex([]), k=0), "use 10"),
        (lambda: simulated_answers(["a"], [], []), "cannot be paired"),
    ],
)
def test_bad_input_is_said(call, message):
    with pytest.raises(UserError, match=message):
        call()
