"""The selection scorer: one passage must carry an option; denied types; evidence; the same option twice."""

from __future__ import annotations

import pytest

from rac.metrics.claims import claims
from rac.metrics.selection import SelectionScorer, same_option_twice
from rac.records import Passage

PASSAGES = [
    Passage(id="p1", title="Luna", types=("ship", "boat"), text="Luna was built in Dumbarton, Ireland, in 1982."),
    Passage(id="p2", title="Luna", types=("music group",), text="Luna is an American rock band from New York City."),
]
QUERY = "Who built Luna?"


def score(question: str, **settings: int):
    return SelectionScorer(**settings).score(question, QUERY, PASSAGES)


def test_supported_options_with_their_words() -> None:
    found = score("Do you mean the Irish ship Luna or the rock band Luna?")
    assert found.good
    assert found.faithfulness == 1.0
    assert found.supported == [True, True]
    evidence = found.evidence[0]
    assert evidence is not None and evidence.passage == 0 and evidence.passage_id == "p1"
    words = {
        ", ".join(PASSAGES[0].types)[s.start : s.end]
        if s.field == "types"
        else getattr(PASSAGES[0], s.field)[s.start : s.end]
        for s in evidence.spans
    }
    assert words == {"Ireland", "ship", "Luna"}


def test_one_passage_must_carry_the_whole_option() -> None:
    found = score("Do you mean the American ship Luna or the rock band Luna?")
    assert found.supported == [False, True]
    assert found.reason == "unsupported-option"
    assert found.faithfulness == pytest.approx(0.75)


def test_the_passage_must_be_about_what_the_option_names() -> None:
    passages = [
        Passage(id="temperance", title="Temperance", text="Temperance is an Italian metal band.", types=("band",)),
        Passage(id="act", title="ACT Music", text="ACT Music is a German music label.", types=("record label",)),
    ]
    score = SelectionScorer().score(
        "Do you mean German music label Temperance or Italian metal band Temperance?",
        "What is Temperance's record label?",
        passages,
    )
    assert score.supported == [False, True]
    score = SelectionScorer().score(
        "Do you mean non band Temperance or band Temperance?", "What is Temperance's record label?", passages
    )
    assert score.supported == [False, True]  # what is no band is not called Temperance
    score = SelectionScorer().score("Do you mean a German music label or an Italian band?", "Which one?", passages)
    assert score.supported == [True, True]  # nothing is named


def test_a_type_says_what_a_thing_is_and_not_where() -> None:
    passages = [
        Passage(id="hill", title="Red Hill", types=("structure", "trail"), text="A trail for walkers and bicycles."),
        Passage(id="suburb", title="Red Hill", types=("place",), text="Red Hill is an inner suburb of Brisbane."),
        Passage(id="book", title="Red Hill", types=("person in fiction",), text="The hero of a novel."),
    ]
    for option, supported in (
        ("Red Hill in the structure", False),
        ("structure Red Hill", True),
        ("Red Hill in the inner suburb", True),
        ("Red Hill by the trail", True),  # the text says so
        ("trail structure Red Hill", True),
        ("person in fiction Red Hill", True),
    ):
        found = SelectionScorer().score(
            f"Do you mean {option} or Red Hill in Brisbane?", "Where is Red Hill?", passages
        )
        assert found.supported == [supported, True], option


def test_options_tell_passages_apart_if_each_rules_one_out() -> None:
    passages = [
        Passage(id="p1", title="Luna", types=("album",), text="Luna is an album of 1990."),
        Passage(id="p2", title="Luna", types=("album", "nominee"), text="Luna is an album of 2001."),
    ]
    for question, carriers, apart in (
        ("Do you mean the 1990 album Luna or the 2001 album Luna?", [(0,), (1,)], True),
        ("Do you mean the album Luna or the 1990 album Luna?", [(0, 1), (0,)], False),
        ("Do you mean the nominee Luna or the 2001 album Luna?", [(1,), (1,)], False),
        ("Do you mean the nominee Luna or non nominee Luna?", [(1,), (0,)], True),
    ):
        found = SelectionScorer().score(question, "What came after Luna?", passages)
        assert found.good and found.carriers == carriers and found.apart is apart, question
    missing = SelectionScorer().score(
        "Do you mean the 1990 album Luna or the opera Luna?", "What came after Luna?", passages
    )
    assert missing.carriers == [(0,), ()] and missing.apart  # unsupported is one fault, not two


def test_an_option_that_leaves_the_query_tells_its_readings_not_apart() -> None:
    war = [
        Passage(id="funk", title="War", types=("funk band",), text="War is an American funk band."),
        Passage(id="metal", title="War", types=("metal band",), text="War is a Swedish metal band."),
        Passage(id="act", title="ACT Music", types=("record label",), text="ACT Music is a German record label."),
    ]
    query = "Who is War's record label?"
    scorer = SelectionScorer()
    readings = scorer.score("Do you mean the funk band War or the metal band War?", query, war)
    assert readings.good and readings.readings == (0, 1) and readings.apart
    leaves = scorer.score("Do you mean the funk band War or German label ACT Music?", query, war)
    assert leaves.good and not leaves.apart
    # Where at most one passage has the query's name, all are readings: "King" may be a king of any name.
    alone = scorer.score("Do you mean the funk band War or German label ACT Music?", query, [war[0], war[2]])
    assert alone.readings == (0, 1) and alone.apart
    # What a reading carries beside other passages is judged by the readings alone.
    both = [*war, Passage(id="list", title="Funk bands", text="American and Swedish funk band and metal band list.")]
    assert scorer.score("Do you mean the funk band War or the metal band War?", query, both).apart


def test_near_numbers_are_unsupported() -> None:
    assert score("Do you mean the 1982 ship or the band?").good
    assert not score("Do you mean the 1984 ship or the band?").good


def test_denied_types() -> None:
    found = score("Do you mean non ship Luna or ship Luna?")
    assert found.good
    assert found.evidence[0] is not None and found.evidence[0].passage == 1
    both = [p.model_copy(update={"types": ("ship",)}) for p in PASSAGES]
    assert SelectionScorer().score("Do you mean non ship Luna or ship Luna?", QUERY, both).supported == [False, True]


def test_too_few_and_repeated_options() -> None:
    assert score("What do you mean?").reason == "too-few-options"
    assert score("Do you mean the ship Luna?", min_options=2).reason == "too-few-options"
    twice = score("Do you mean the ship Luna or the ship?")
    assert not twice.distinct and twice.reason == "same-option-twice"
    assert same_option_twice(claims("Do you mean Luna or Luna?", QUERY))


def test_no_passages_support_nothing() -> None:
    found = SelectionScorer().score("Do you mean the ship or the band?", QUERY, [])
    assert found.supported == [False, False]
    assert found.evidence == [None, None]


def test_several_candidates_are_scored_in_order() -> None:
    found = SelectionScorer().score_all(["Do you mean the ship or the band?", "What?"], QUERY, PASSAGES)
    assert [f.good for f in found] == [True, False]
