"""PARENT-Q: hand-computed values, its order on faithful and unfaithful questions, unscored states."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.metrics.claims import claims
from rac.metrics.parent_q import facet_records, parent_q
from rac.records import Passage

QUERY = "Where is Luna?"
SHIP = Passage(id="1", title="Luna", types=("ship",), text="Luna was a ship built in Dumbarton in 1878.")
FILM = Passage(id="2", title="Luna", types=("film",), text="Luna is a film by Dave McKean, shot in Wales.")
D = [SHIP, FILM]


def score(question, passages=D, query=QUERY):
    (result,) = parent_q([question], [query], [claims(question, query)], [passages])
    return result


def test_both_facets_offered_is_perfect():
    result = score("Do you mean the ship Luna or the film Luna?")
    assert (result.precision, result.recall, result.f, result.reason) == (1.0, 1.0, 1.0, "")


def test_one_invented_option_by_hand():
    # Options "ship luna" and "opera luna". n=1: fresh words "ship" (carried) and "opera" (not): 1/2.
    # n=2: "ship luna" 2/2, "opera luna" 1/2 (luna is the query's): 3/4. R: "ship" found, "film" not: 1/2.
    result = score("Do you mean the ship Luna or the opera Luna?")
    precision = (0.5 * 0.75) ** 0.5
    assert result.precision == pytest.approx(precision)
    assert result.recall == 0.5
    assert result.f == pytest.approx(2 * precision * 0.5 / (precision + 0.5))


def test_one_passage_must_carry_a_whole_claim():
    whole = score("Do you mean the ship built in Dumbarton or the film shot in Wales?")
    recombined = score("Do you mean the ship shot in Wales or the film built in Dumbarton?")
    assert whole.precision == 1.0
    assert recombined.precision < 0.8


def test_empty_and_repeating_questions_win_nothing():
    nothing = score("What do you mean?")
    assert (nothing.precision, nothing.f, nothing.reason) == (None, 0.0, "nothing-offered")
    assert score("Do you mean Luna or Luna?").f == 0.0
    assert score("").f == 0.0
    invented = score("Do you mean the opera or the comet?")
    assert invented.f < 1e-4


def test_unscored_without_passages_or_facets():
    assert score("Do you mean the ship or the film?", []).reason == "no-passages"
    bare = [Passage(id="1", title="Luna", text="Built in Dumbarton.")]
    result = score("Do you mean the ship or the film?", bare)
    assert (result.f, result.recall, result.reason) == (None, None, "no-facet-records")


def test_facet_records():
    assert facet_records(SHIP) == [["ship"]]
    described = Passage(
        id="3", title="Dune", types=("book",), description="1965 science fiction novel by Frank Herbert"
    )
    assert facet_records(described) == [["book"], ["1965", "scienc", "fiction", "novel"]]
    assert facet_records(Passage(id="4", title="Luna", text="Luna was a sailing ship built in 1878.")) == [
        ["sail", "ship"]
    ]
    assert facet_records(Passage(id="5", text="")) == []


def test_pairs_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="cannot be paired"):
        parent_q(["a"], ["b"], [], [D])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_range_on_any_text(text):
    result = score(text)
    for value in (result.precision, result.recall, result.f):
        assert value is None or 0.0 <= value <= 1.0 + 1e-12
