"""Support, Info, Faith and the headline on cases that can be computed by hand; nothing here reads gold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.metrics.claims import claims
from rac.metrics.idf import TABLE, count, idf, read_table
from rac.metrics.info import choice_share, info
from rac.metrics.lexical import prepare
from rac.metrics.scores import faith_scores
from rac.metrics.support import Features, SupportFit, combine, lexical_features, load_fit, support
from rac.records import Passage

FIT = SupportFit(entailment=1.0, lexical=4.0, constant=-3.0, name=2.0, number=-1.0, rare=-0.5, tau=0.5, version="test")
P1 = Passage(id="p1", title="Luna", types=("ship",), text="Luna was built in Dumbarton in 1982.")
P2 = Passage(id="p2", title="Luna", types=("music group",), text="An American rock band.")


def scores(question: str, passages=(P1, P2), query: str = "Who built Luna?", problem: str | None = None):
    result = support([(query, claims(question, query), list(passages))])[0]
    return faith_scores(result, load_fit(with_entailment=False).tau, problem).values


def test_combined_support_is_the_formula() -> None:
    one = np.array([[0.5]])
    features = Features(one, np.array([[1.0]]), np.array([[1.0]]), np.array([[0.0]]), np.array([[0.8]]))
    expected = 1 / (1 + math.exp(-(1.0 * math.log(4) + 4 * 0.5 - 3 + 2 * 1 - 1)))
    assert combine(features, ["OPTION"], FIT)[0, 0] == pytest.approx(expected)


def test_lexical_features() -> None:
    found = claims("Do you mean the 1984 ship Luna or the band?", "Who built Luna?")
    features = lexical_features(found, "Who built Luna?", [prepare(P1), prepare(P2)])
    total = idf("1984") + idf("ship")
    assert features.lexical[0, 0] == pytest.approx(idf("ship") / total)
    assert features.lexical[1].tolist() == [0.0, 1.0]
    assert features.number[0].tolist() == [1.0, 1.0]
    assert features.name[0].tolist() == [1.0, 1.0]


def test_supported_and_invented_options() -> None:
    good = scores("Do you mean the ship Luna or the rock band Luna?")
    assert good["faith"] > 0.9 and good["info"] == 1.0 and good["hallucinated"] == 0.0 and good["headline"] > 0.9
    invented = scores("Do you mean the opera Luna or the rock band Luna?")
    assert invented["hallucinated"] == 1.0
    assert invented["faith_strict"] < 0.2
    assert invented["headline"] < good["headline"] - 0.2


@pytest.mark.parametrize(
    "question", ["What do you mean?", "", "Do you mean Luna or Luna?", "Do you mean the opera or the ballet?"]
)
def test_empty_repeated_and_invented_questions_win_nothing(question: str) -> None:
    found = scores(question)
    assert found["headline"] == 0.0 and found["info"] == 0.0


@pytest.mark.parametrize(
    ("option", "supported"),
    [
        ("Red Hill in the structure", False),
        ("structure Red Hill", True),
        ("Red Hill by the trail", True),  # the text says so
        ("person in fiction Red Hill", True),
    ],
)
def test_a_type_is_no_place(option: str, supported: bool) -> None:
    """Types tell what a thing is: "Red Hill in the structure" is carried by no passage, whatever its types."""
    passages = [
        Passage(id="p", title="Red Hill", types=("structure", "person in fiction"), text="A trail leads to Red Hill."),
        Passage(id="q", title="Red Hill", types=("suburb",), text="Red Hill is a suburb in Brisbane."),
    ]
    query = "Where is Red Hill?"
    found = claims(f"Do you mean {option} or Red Hill in Brisbane?", query, names=["Red Hill"])
    (result,) = support([(query, found, passages)])
    tau = load_fit(with_entailment=False).tau
    assert [s >= tau for s, c in zip(result.per_claim, found, strict=True) if c.kind == "OPTION"] == [supported, True]


def test_the_same_option_twice_is_no_choice() -> None:
    assert scores("Do you mean the ship Luna or the ship?")["headline"] == 0.0


def test_without_claims_faith_is_unscored_and_not_zero() -> None:
    found = scores("What do you mean?")
    assert found["faith"] is None and found["hallucinated"] is None


@pytest.mark.parametrize("problem", ["script", "language", "no-passages"])
def test_what_cannot_be_read_is_unscored(problem: str) -> None:
    assert set(scores("Do you mean the ship or the band?", problem=problem).values()) == {None}


def test_echoes_count_in_the_old_variant_only() -> None:
    plain = scores("Do you mean the ship Luna or the rock band Luna?")
    echo = scores("Do you mean the ship Luna or the rock band Luna, when you say the wharf?")
    assert echo["faith"] == plain["faith"] and echo["headline"] == plain["headline"]
    assert echo["faith_all"] < plain["faith_all"]
    assert echo["faith_attribute"] < 0.2


def test_info_by_hand() -> None:
    # Two options for two of five passages: H(1/5, 1/5, 3/5) over log2 3.
    matrix = np.zeros((2, 5))
    matrix[0, 0] = matrix[1, 1] = 1.0
    expected = -(2 * 0.2 * math.log2(0.2) + 0.6 * math.log2(0.6)) / math.log2(3)
    assert info(matrix, 0.5) == pytest.approx(expected)
    assert info(np.ones((2, 1)), 0.5) == 0.0
    assert info(np.zeros((0, 3)), 0.5) == 0.0
    # A fits both, B only the second: a cooperative user says B for the second, a random one half of the time.
    matrix = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert info(matrix, 0.5) == pytest.approx(1.0)
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert info(matrix, 0.5, pragmatic=False) == pytest.approx(entropy - 0.5)
    assert choice_share(["a", "a", "b"]) == 0.5


@given(st.integers(1, 5), st.integers(1, 6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_info_stays_in_its_range_and_ignores_order(m: int, n: int, rng) -> None:
    matrix = np.array([[rng.random() for _ in range(n)] for _ in range(m)])
    value = info(matrix, 0.5)
    assert 0.0 <= value <= 1.0
    assert info(matrix[::-1], 0.5) == pytest.approx(value)
    assert info(matrix[:, ::-1], 0.5) == pytest.approx(value)


def test_the_idf_table_is_up_to_date_with_the_keys() -> None:
    from rac.corpus import read_corpus

    total, counts = count(read_corpus("wikipedia"))
    assert (total, counts) == read_table(TABLE), "rebuild it with python -m rac.metrics.idf"
    assert idf("xyzzy") > idf("film") > idf("the") >= 0
