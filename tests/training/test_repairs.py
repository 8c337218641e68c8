from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from rac.metrics.selection import SelectionScorer
from rac.records import Passage
from rac.training.pairs import option_value
from rac.training.repairs import repaired

D = (
    Passage(id="1", title="Rescue", types=("consumer product", "arcade game"), text="A game that Stern made in 1982."),
    Passage(id="2", title="Rescue", types=("book",), text="A book by Anita Shreve."),
    Passage(id="3", title="Fire Department", types=("organization",), text="It is there for rescue."),
)
QUERY = "who made Rescue"
FAULTY = "Do you mean the film Rescue or the book Rescue?"


def value(query: str = QUERY) -> Callable[[str], float]:
    return lambda question: option_value(SelectionScorer().score(question, query, D), tell_apart=True)


def test_the_option_at_fault_gives_way_to_a_type_of_a_passage_that_the_query_names() -> None:
    assert repaired(FAULTY, QUERY, D, [], value()) == "Do you mean consumer product Rescue or the book Rescue?"


def test_options_that_samples_offer_come_first() -> None:
    samples = ["Do you mean the arcade game Rescue or the opera Rescue?", "Do you mean the opera Rescue?"]
    assert repaired(FAULTY, QUERY, D, samples, value()) == "Do you mean the arcade game Rescue or the book Rescue?"


def test_every_option_can_be_at_fault() -> None:
    found = repaired("Do you mean the film Rescue or the opera Rescue?", QUERY, D, [], value())
    assert found is not None and "film" not in found and "opera" not in found
    assert value()(found) == 1


def test_the_same_option_twice_is_repaired() -> None:
    found = repaired("Do you mean the book Rescue or the book Rescue?", QUERY, D, [], value())
    kept = "the book Rescue"
    assert found in (
        f"Do you mean {kept} or consumer product Rescue?",
        f"Do you mean consumer product Rescue or {kept}?",
    )


def test_what_cannot_be_repaired_is_none_and_what_is_sound_stays() -> None:
    assert repaired("What do you mean?", QUERY, D, [], value()) is None
    nothing = lambda question: option_value(SelectionScorer().score(question, QUERY, ()))  # noqa: E731
    assert repaired(FAULTY, QUERY, (), [], nothing) is None
    sound = "Do you mean the arcade game Rescue or the book Rescue?"
    assert repaired(sound, QUERY, D, [FAULTY], value()) == sound


WORDS = st.sampled_from(["the", "film", "book", "arcade game", "Rescue", "or", "in", "1982", "non", ",", "Do you mean"])


@given(st.lists(WORDS, max_size=10).map(" ".join), st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=3))
def test_a_repair_is_sound_whatever_is_repaired(question: str, samples: list[str]) -> None:
    found = repaired(question, QUERY, D, samples, value())
    assert found is None or value()(found) == 1
