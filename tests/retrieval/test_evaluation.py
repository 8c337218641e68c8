from __future__ import annotations

import math

import pytest

from rac.records import ClarificationExample, Passage
from rac.retrieval.evaluation import MEASURES, judge, measure

CORPUS = [
    Passage(id="film", title="Dune", types=("film",), text="A film of 1984."),
    Passage(id="book", title="Dune", types=("novel",), text="A novel by Frank Herbert."),
    Passage(id="other book", title="Dune", types=("novel",), text="Another novel of that name."),
    Passage(id="sand", title="Sand", text="Grains."),
]


def example(**changes: object) -> ClarificationExample:
    values = {
        "id": "q", "query": "who made Dune", "facets": ["film Dune", "novel Dune"], "qrels": {"film": 1, "book": 1},
        "group": "dune",
    }  # fmt: skip
    return ClarificationExample.model_validate({**values, **changes})


def test_facets_are_covered_by_whatever_holds_their_words() -> None:
    judged = judge([example()], CORPUS)
    assert judged.facets["q"] == [frozenset({"film"}), frozenset({"book", "other book"})]
    assert judged.relevant["q"] == {"film": 1, "book": 1} and judged.clusters["q"] == "dune"


def test_a_facet_that_no_passage_holds_in_full_belongs_to_the_nearest_relevant_one() -> None:
    judged = judge([example(facets=["film non Dune", "the novel by Herbert in French"])], CORPUS)
    assert judged.facets["q"] == [frozenset({"film"}), frozenset({"book"})]


def test_without_facet_texts_each_relevant_passage_is_a_facet() -> None:
    judged = judge([example(facets=[], qrels={}, passage_ids=["sand", "film"])], CORPUS)
    assert judged.facets["q"] == [frozenset({"film"}), frozenset({"sand"})]


def test_what_cannot_be_judged_is_counted() -> None:
    judged = judge([example(), example(id="r", qrels={"gone": 1}), example(id="s", qrels={"film": 0})], CORPUS)
    assert judged.counts == {
        "queries": 1, "queries with facet texts": 1, "queries without a judgement (left out)": 2,
        "relevant passages that the corpus lacks": 1,
    }  # fmt: skip


@pytest.mark.extra
class TestMeasures:
    def test_by_hand(self) -> None:
        judged = judge([example()], CORPUS)
        values = {
            name: row["q"] for name, row in measure({"q": ["sand", "other book", "film", "book"]}, judged).items()
        }
        ideal = 1 + 1 / math.log2(3)
        assert values["nDCG@10"] == pytest.approx((1 / 2 + 1 / math.log2(5)) / ideal)
        assert values["MRR@10"] == pytest.approx(1 / 3)
        assert (values["Recall@2"], values["Recall@5"]) == (0, 1)
        assert (values["all relevant@2"], values["all relevant@5"]) == (0, 1)
        assert (values["facet recall@2"], values["facet recall@5"]) == (0.5, 1)
        # Facets: film {film}, novel {book, other book}; a second passage of a facet counts half.
        gains = 1 / math.log2(3) + 1 / math.log2(4) + 0.5 / math.log2(5)
        best = 1 + 1 / math.log2(3) + 0.5 / math.log2(4)
        assert values["α-nDCG@5"] == pytest.approx(gains / best, abs=1e-4)

    def test_ties_keep_the_order_of_the_ranking(self) -> None:
        judged = judge([example(qrels={"book": 1})], CORPUS)
        assert measure({"q": ["sand", "book"]}, judged)["MRR@10"]["q"] == 0.5
        assert measure({"q": ["book", "sand"]}, judged)["MRR@10"]["q"] == 1.0

    def test_novelty_is_left_out_where_every_query_has_one_facet(self, capfd: pytest.CaptureFixture[str]) -> None:
        values = measure({"q": ["film"]}, judge([example(facets=[], qrels={"film": 1})], CORPUS))
        assert "α-nDCG@5" not in values and values["facet recall@2"]["q"] == 1
        assert capfd.readouterr().err == ""

    def test_a_query_that_finds_nothing_scores_zero(self) -> None:
        judged = judge([example(), example(id="r")], CORPUS)
        values = measure({"q": ["film", "book"], "r": []}, judged)
        assert set(values) >= set(MEASURES)
        assert all(row["r"] == 0 for row in values.values()) and values["nDCG@10"]["q"] == 1
