from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.corpus.bootstrap.case import CaseModel
from rac.corpus.bootstrap.phrases import (
    NounPhrase,
    count_heads,
    description_of,
    head_word,
    in_parenthesis,
    noun_phrase,
    without_parenthesis,
)
from rac.records import Passage

PARTS = [
    "city",
    "of",
    "the",
    "in",
    "by",
    "and",
    "or",
    "a",
    "used",
    "Greek",
    "painter",
    "running",
    "Rome,",
    "1900",
    "(x)",
]
HEADS = Counter(
    {"playwright": 9, "capital": 9, "capital of": 8, "saint": 9, "line": 9, "language": 9, "computer": 9, "painter": 9}
)


@pytest.mark.parametrize(
    ("description", "short", "long"),
    [
        ("1968 film", "1968 film", "1968 film"),
        ("German playwright and poet (1898–1956)", "German playwright", "German playwright"),
        ("Play by William Shakespeare", "Play", "Play by William Shakespeare"),
        ("King of Scotland from 1306 to 1329", "King of Scotland", "King of Scotland from 1306 to 1329"),
        ("Capital and largest city of Greece", "Capital of Greece", "Capital of Greece"),
        ("Saint and follower of Jesus", "Saint", "Saint"),
        ("Enclaved Holy See's independent city-state", "Enclaved Holy See's independent city-state", None),
        ("Language native to Eurasia", "Language", "Language"),
        ("Musical instrument played using a keyboard", "Musical instrument", "Musical instrument"),
        ("Meal eaten in the morning", "Meal", "Meal"),
        ("Species of flowering plant in the laurel family", "Species of flowering plant", None),
        ("U.S. Navy officer", "U.S. Navy officer", "U.S. Navy officer"),
        ("An opera", "opera", "opera"),
        ("Plateau in Central, South and East Asia", "Plateau", "Plateau"),
        ("Most populous city in the United States", "Most populous city in the United States", None),
        ("Line dividing one calendar day from the next", "Line", "Line"),
        ("Computer programming language", "Computer programming language", "Computer programming language"),
        ("Iron alloy with a very low carbon content", "Iron alloy", "Iron alloy"),
        ("1954–1955 fantasy novel by J. R. R. Tolkien", "1954–1955 fantasy novel", None),
        ("Instructions a computer can execute", "Instructions", "Instructions"),
    ],
)
def test_phrases_are_cut_at_the_right_word(description: str, short: str, long: str | None) -> None:
    phrase = noun_phrase(description, HEADS)
    assert phrase is not None
    assert phrase.short == short
    if long is not None:
        assert phrase.long == long


@pytest.mark.parametrize(
    "description",
    [
        "",
        "One of the Great Lakes",
        "In geometry, a set of points",
        "Process of changing from one state",
        "Preparing food using heat",
        "Common name for many species",
        "Amateur or professional sport",
        "When a reaction is in equilibrium",
        "Single, usually cylindrical, strand of metal",
        "Family of large, long-legged birds",
        "Group encountering the art",
    ],
)
def test_what_is_no_noun_phrase_gives_none(description: str) -> None:
    assert noun_phrase(description, HEADS) is None


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=120))
def test_every_word_of_a_phrase_is_in_the_description_and_nothing_raises(description: str) -> None:
    phrase = noun_phrase(description, HEADS)
    if phrase is not None:
        allowed = without_parenthesis(description)
        for word in phrase.long.split() + phrase.short.split():
            assert word in allowed


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_short_is_not_longer_than_long(parts: list[str]) -> None:
    phrase = noun_phrase(" ".join(parts), HEADS)
    if phrase is not None:
        assert len(phrase.short) <= len(phrase.long)
        assert phrase.short.split()[-1] not in {"and", "or", "the", "a", "of"}


def test_case_is_learnt_from_the_corpus() -> None:
    case = CaseModel(
        ["It is a public university.", "He led a Civil War unit, a German one.", "See the river. The River."]
    )
    assert case.lowered("Public university") == "public university"
    assert case.lowered("German painter") == "German painter"
    assert case.lowered("Civil War general") == "Civil War general"
    assert case.lowered("U.S. state") == "U.S. state"
    assert case.lowered("Unknownword thing") == "unknownword thing"
    assert case.lowered("Norwegian skier") == "Norwegian skier"


def test_nouns_are_told_from_modifiers_by_where_they_stand() -> None:
    case = CaseModel(["We saw a silent film and the deployment of it, in deployment mode. A silent one, so silent."])
    assert case.is_noun("Deployment")
    assert not case.is_noun("Silent")
    assert not case.is_noun("unseen")


def test_descriptions_come_from_the_best_source() -> None:
    assert description_of(Passage(id="1", description="1968 film", types=("film",))) == "1968 film"
    assert description_of(Passage(id="1", types=("music artist",))) == "music artist"
    sentence = "Dune (born 1965) is a science fiction novel by Frank Herbert. It sold well."
    assert description_of(Passage(id="1", title="Dune", text=sentence)) == "science fiction novel by Frank Herbert"
    assert description_of(Passage(id="1", title="Dune (novel)", text="Nothing of use here")) == "novel"
    assert description_of(Passage(id="1", text="Nothing of use here")) == ""


def test_parentheses() -> None:
    assert without_parenthesis("Dune (novel)") == "Dune"
    assert in_parenthesis("Dune (novel)") == "novel"
    assert in_parenthesis("Dune") == ""


def test_heads_are_counted_without_coordinations() -> None:
    heads = count_heads(["French painter", "Dutch painter", "Species of bird", "Painter and poet", ""])
    assert heads == Counter({"painter": 2, "species": 1, "species of": 1})
    assert head_word("species of bird") == "species"
    assert NounPhrase("a", "b").short == "a"
