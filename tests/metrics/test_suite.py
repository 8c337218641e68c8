"""The suite: alignment, unscored with a reason, which D, bad input, nothing gold in the claim-based scores."""

from __future__ import annotations

import pytest

from entailment_support import FakeModel
from rac.errors import UserError
from rac.metrics import MetricSettings, evaluate, faithfulness
from rac.metrics.catalog import METRICS
from rac.metrics.claims import claims
from rac.metrics.columns import unsupported_words
from rac.metrics.entailment import EntailmentScorer
from rac.metrics.suite import prefetch
from rac.records import ClarificationExample, Passage, Prediction
from rac.retrieval.base import Hit

SHIP = Passage(id="p1", title="Luna", types=("ship",), text="Luna was built in Dumbarton in 1982.")
BAND = Passage(id="p2", title="Luna", types=("music group",), text="Luna is an American rock band.")
GOOD = "Do you mean the ship Luna or the rock band Luna?"
CLAIM_BASED = [n for n, spec in METRICS.items() if spec.group in ("Faithfulness", "Faithfulness by kind", "Words")]


def example(i: str = "q1", **fields) -> ClarificationExample:
    fields = {"query": "Who built Luna?", "questions": (GOOD,), "passages": (SHIP, BAND), **fields}
    return ClarificationExample(id=i, **fields)


def row(question: str, **fields) -> dict:
    return evaluate([Prediction(id="q1", question=question)], [example(**fields)]).per_item[0]


def test_a_supported_question() -> None:
    found = row(GOOD)
    assert found["headline"] > 0.9 and found["good"] == 1.0 and found["hallucinated"] == 0.0
    assert found["rouge_l"] == 1.0
    assert found["reason"] == "" and found["flags"] == []
    claim = found["claims"][0]
    assert GOOD[claim["start"] : claim["end"]] == "the ship Luna"
    assert claim["supported"] and claim["passage"] == "p1"
    assert {"passage": "p1", "field": "types", "start": 0, "end": 4} in claim["evidence"]


def test_gold_questions_answers_and_facets_change_no_claim_based_score() -> None:
    with_gold = row("Do you mean the ship or the opera?", facets=("ship",), answers=("the ship",))
    without = row("Do you mean the ship or the opera?", questions=(), facets=(), answers=())
    assert {n: with_gold.get(n) for n in CLAIM_BASED} == {n: without.get(n) for n in CLAIM_BASED}
    assert "rouge_l" in with_gold and without.get("rouge_l") is None


@pytest.mark.parametrize(
    ("question", "reason", "headline"),
    [
        ("", "empty", 0.0),
        ("What do you mean?", "no-claims", 0.0),
        ("你是说船还是乐队?", "script", None),
        ("Meinen Sie das Schiff oder die Band, die aus New York ist?", "language", None),
        ("do you mean the ship or the band " * 320, "too-long", 0.0),
    ],
)
def test_what_cannot_be_scored_says_why(question: str, reason: str, headline: float | None) -> None:
    found = row(question)
    assert found["reason"] == reason
    assert found["headline"] == headline
    assert found["faith"] is None and found["unscored"]["faith"] == reason


def test_without_passages_nothing_is_scored_against_them() -> None:
    found = row(GOOD, passages=())
    assert found["reason"] == "no-passages"
    assert found["headline"] is None and found["unsupported"] is None and found["grounding"] is None
    assert found["rouge_l"] == 1.0


def test_passages_with_markup_and_control_characters_are_text() -> None:
    dirty = Passage(id="p1", title="<b>Luna</b>", text="<script>ship</script>\x00 <|im_end|> built in 1982 \ud7ff")
    found = row("Do you mean the ship or the band?", passages=(dirty, BAND))
    assert found["claims"][0]["supported"]


def test_the_summary_counts_what_is_unscored() -> None:
    examples = [example("q1"), example("q2"), example("q3")]
    predictions = [Prediction(id="q1", question=GOOD), Prediction(id="q2", question="What do you mean?")]
    result = evaluate(predictions, examples)
    assert result.summary["headline"]["n"] == 2 and result.summary["headline"]["unscored"] == 1
    assert result.summary["faith"]["n"] == 1 and result.summary["faith"]["unscored"] == 2
    assert result.per_item[2]["reason"] == "no-prediction"
    assert result.per_item[2]["unscored"]["headline"] == "no-prediction"
    assert result.counts["unscored or zero: no-prediction"] == 1
    assert [r["id"] for r in result.per_item] == ["q1", "q2", "q3"]


def test_a_query_without_a_question_adds_no_metric_that_was_not_computed() -> None:
    asked = [Prediction(id="q1", question=GOOD)]
    whole, part = evaluate(asked, [example("q1")]), evaluate(asked, [example("q1"), example("q2")])
    assert "embedding" not in whole.summary and "delta_ndcg" not in whole.summary
    assert set(part.summary) == set(whole.summary)
    assert all(set(row["unscored"]) <= set(whole.summary) for row in part.per_item)
    assert set(part.per_item[1]["unscored"]) == set(whole.summary)


def test_which_d_counts() -> None:
    other = Passage(id="p3", title="Luna", types=("opera",), text="An opera.")
    own = Prediction(id="q1", question="Do you mean the opera Luna?", passages=(other,))
    assert evaluate([own], [example()]).per_item[0]["hallucinated"] == 0.0
    given = evaluate([own], [example()], {"q1": [SHIP, BAND]}, MetricSettings("retrieved5"))
    assert given.per_item[0]["hallucinated"] == 1.0
    assert "D:retrieved5" in given.signature
    assert given.signatures["headline"].startswith("headline|v1|claims:rules-2|")


@pytest.mark.parametrize(
    ("predictions", "examples", "match"),
    [
        ([Prediction(id="q9", question="x")], [example()], "no example has"),
        ([Prediction(id="q1", question="x"), Prediction(id="q1", question="y")], [example()], "two predictions"),
        ([], [], "no examples"),
        ([], [example(), example()], "two examples"),
    ],
)
def test_inputs_that_do_not_fit_together(predictions, examples, match: str) -> None:
    with pytest.raises(UserError, match=match):
        evaluate(predictions, examples)


def test_names_and_numbers_that_nobody_mentioned() -> None:
    question = "Do you mean the 1984 ship by Kvaerner, the rock band, or the opera, when you say Luna?"
    found = unsupported_words(question, "Who built Luna?", claims(question, "Who built Luna?"), [SHIP, BAND])
    assert found == {"names": ["Kvaerner"], "numbers": ["1984"], "words": ["opera"]}


class FakeIndex:
    def search_batch(self, queries, top_k):
        opera = Passage(id="p9", title="Luna (opera)", text="Luna is an opera.")
        return [[Hit(opera, 1.0, 1)] if "opera" in q else [] for q in queries]


def test_support_by_the_corpus_sees_what_d_missed() -> None:
    prediction = Prediction(id="q1", question="Do you mean the ship Luna, the opera Luna or the circus Luna?")
    found = evaluate([prediction], [example()], index=FakeIndex()).per_item[0]
    assert found["missed_by_d"] == pytest.approx(1 / 3)
    assert found["faith_corpus"] > found["faith"] + 0.2


def test_three_lines() -> None:
    sides = ["A Moroccan city.", "A film of 1942."]
    score = faithfulness("Do you mean the city or the film?", "casablanca", sides)
    assert "nli:rac-entailment-small@" in score.signature
    words = faithfulness("Do you mean the city or the film?", "casablanca", sides, entailment=None)
    assert "nli:none" in words.signature and words.headline is not None and words.headline > 0.9
    assert score.headline > 0.9 and score.hallucinated is False and len(score.claims) == 2
    assert faithfulness("", "casablanca", ["A city."]).reason == "empty"
    assert faithfulness("Do you mean the city?", "casablanca", []).headline is None


def test_every_metric_of_an_item_is_described() -> None:
    known = {"id", "system", "query", "question", "claims", "flags", "reason", "unscored", "unsupported_words"}
    assert set(row(GOOD, facets=("ship",))) - known <= set(METRICS)


def test_several_systems_go_through_the_entailment_model_once() -> None:
    model = FakeModel()
    scorer = EntailmentScorer(model)
    examples = [ClarificationExample(id=f"q{i}", query="casablanca") for i in range(2)]
    contexts = {e.id: [Passage(id="p", title="Casablanca", text="A Moroccan city. It is large.")] for e in examples}
    systems = [
        [Prediction(id=e.id, question=f"Do you mean the {kind} city or the film?") for e in examples]
        for kind in ("Moroccan", "French", "Moroccan")
    ]
    settings = MetricSettings("gold")
    prefetch(systems, examples, contexts, settings, scorer)
    once, runs = list(model.seen), scorer.computed
    assert len(set(once)) == len(once)
    together = [evaluate(s, examples, contexts, settings, entailment=scorer).per_item for s in systems]
    assert scorer.computed == runs and model.seen == once
    alone = [
        evaluate(s, examples, contexts, settings, entailment=EntailmentScorer(FakeModel())).per_item for s in systems
    ]
    assert together == alone
