"""Which passages a claim is about."""

from __future__ import annotations

import pytest

from rac.metrics.lexical import prepare
from rac.metrics.naming import named_passages
from rac.metrics.support import NOT_IT, support
from rac.records import Passage


def about(claim: str, query: str, *titles: str) -> list[str]:
    found = named_passages(claim, query, [prepare(Passage(id="p", title=t, text=".")) for t in titles])
    return [t for t, named in zip(titles, found, strict=True) if named]


@pytest.mark.parametrize(
    ("claim", "query", "titles", "expected"),
    [
        ("Mars (moon)", "what is mars", ("Mars", "Phobos", "Moons of Mars"), ["Mars"]),
        ("Polo (merchant)", "polo", ("Polo", "Marco Polo", "Golf"), ["Polo", "Marco Polo"]),
        ("Marco Polo", "polo", ("Polo", "Marco Polo"), ["Marco Polo"]),
        ("New York City (transit)", "new york city", ("New York City", "New York City Subway"), ["New York City"]),
        ("the capital of Costa Rica", "capital", ("Costa Rica", "San José"), ["Costa Rica", "San José"]),
        ("Bulgaria's neighbour", "country", ("Bulgaria", "Greece"), ["Bulgaria", "Greece"]),
        ("Paris in Texas", "paris", ("Paris", "Paris, Texas", "Texas"), ["Paris, Texas"]),
        ("the company Apple", "apple", ("Apple", "Apple Inc.", "Pear"), ["Apple", "Apple Inc."]),
        ("Luna (goddess)", "luna", ("Luna (moon)", "Luna (goddess)", "Sol"), ["Luna (moon)", "Luna (goddess)"]),
        ("a ship with sails", "history", ("Ship", "Sail"), ["Ship", "Sail"]),
        ("the actor", "luna", ("Luna", "Sol"), ["Luna", "Sol"]),
        ("anything", "x", ("", ""), ["", ""]),
    ],
)  # fmt: skip
def test_a_claim_is_about_the_titles_that_it_names(claim, query, titles, expected) -> None:
    assert about(claim, query, *titles) == expected


def test_another_passages_words_do_not_carry_a_claim() -> None:
    from rac.metrics.claims import claims

    question = "Do you mean Mars (planet) or Mars (moon)?"
    passages = [
        Passage(id="1", title="Mars", text="Mars is the fourth planet."),
        Passage(id="2", title="Phobos", text="Phobos is a moon of Mars."),
    ]
    result = support([("mars", claims(question, "mars"), passages)])[0]
    planet, moon = result.per_claim
    assert planet > 0.9 and moon < 0.5
    assert result.matrix[1, 1] == NOT_IT


def test_not_type_claims_do_not_unbind_the_others() -> None:
    from rac.metrics.claims import claims

    question = "Do you mean non planet Mars or Mars (moon)?"
    passages = [
        Passage(id="1", title="Mars", types=("planet",), text="Red."),
        Passage(id="2", title="Phobos", types=("moon",), text="Phobos is a moon of Mars."),
    ]
    result = support([("mars", claims(question, "mars"), passages)])[0]
    assert result.matrix[1, 1] == NOT_IT and result.matrix[0].max() <= 0.05
