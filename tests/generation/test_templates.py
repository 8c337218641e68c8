from __future__ import annotations

import pytest

from rac.generation.templates import CLAQUA_WORDING, facets, title_question, typed_question
from rac.metrics.selection import SelectionScorer
from rac.records import Passage


def passage(
    id: str, title: str, types: tuple[str, ...] = (), description: str = "", text: str = "", meta: dict | None = None
) -> Passage:
    return Passage(id=id, title=title, types=types, description=description, text=text, meta=meta or {})


def test_titles_only() -> None:
    d = [passage("1", "King Lear"), passage("2", "King Crimson"), passage("3", "Stephen King")]
    assert title_question("king", d) == "Do you mean King Lear or King Crimson?"
    assert title_question("king", d[:1]) == "Do you mean King Lear?"
    assert title_question("king", []) == ""
    assert title_question("king", [passage("1", "", text="no title")]) == ""


def test_a_title_is_offered_once() -> None:
    d = [passage("1", "Rescue"), passage("2", "Rescue"), passage("3", "Rescue Me")]
    assert title_question("rescue", d) == "Do you mean Rescue or Rescue Me?"


def test_types_that_the_other_lacks_come_first() -> None:
    d = [
        passage("1", "Rescue", ("game", "arcade game"), text="Rescue is an arcade game."),
        passage("2", "Rescue", ("game", "book"), text="Rescue is a book about a game."),
    ]
    assert typed_question("who made Rescue", d) == "Do you mean arcade game Rescue or book Rescue?"
    assert (
        typed_question("who made Rescue", d, wording=CLAQUA_WORDING)
        == "Which one do you mean, arcade game Rescue or book Rescue, when you say Rescue?"
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (passage("1", "Dune (novel)", description="1965 novel by Frank Herbert"), "Dune (1965 novel by Frank Herbert)"),
        (passage("1", "Dune", text="Dune was a 1965 novel, which sold well."), "Dune (1965 novel)"),
        (passage("1", "Dune", text="Dune is a 27.4 km road."), "Dune (27.4 km road)"),
        (
            passage("1", "Dune", text="Dune is an international bridge between the Republic of Canada and Chile."),
            "Dune (international bridge between the Republic)",
        ),
        (passage("1", "Dune", text="Sandy heaps move slowly over years."), "Dune (Sandy heaps move slowly over)"),
        (
            passage("1", "Dune", text="from dune import sand, heap\n\nSandy heaps move.", meta={"verbatim": [[0, 27]]}),
            "Dune (Sandy heaps move)",
        ),
        (passage("1", "Dune", text="dune is x", meta={"verbatim": [[0, 9]]}), "Dune"),
        (passage("1", "Dune"), "Dune"),
    ],
)
def test_labels_without_types(one: Passage, expected: str) -> None:
    other = passage("2", "Dune", ("film",), text="Dune is a film.")
    assert typed_question("dune", [one, other]) == f"Do you mean {expected} or film Dune?"


def test_things_that_the_query_names_and_that_share_a_name_are_offered_first() -> None:
    d = [
        passage("0", "Sand", ("material",)),
        passage("1", "Dune Buggy", ("vehicle",)),
        passage("2", "Dune", ("novel",)),
        passage("3", "Dune", ("film",)),
    ]
    assert typed_question("what is dune about", d) == "Do you mean novel Dune or film Dune?"


def test_a_wording_without_a_common_name_repeats_the_query() -> None:
    d = [passage("1", "King Lear", ("play",)), passage("2", "Stephen King", ("writer",))]
    question = typed_question("king?", d, wording=CLAQUA_WORDING)
    assert question == "Which one do you mean, play King Lear or writer Stephen King, when you say king?"


def test_braces_in_titles_are_text() -> None:
    d = [passage("1", "{name}", ("play",)), passage("2", "A {options}", ("film",))]
    assert typed_question("x", d) == "Do you mean play {name} or film A {options}?"


def test_template_options_are_supported_and_different() -> None:
    d = [
        passage("1", "Mill Creek", ("river", "location"), text="Mill Creek is a 27.4 mile long river in Ohio."),
        passage("2", "Mill Creek", ("location",), text="Mill Creek is a neighbourhood of Philadelphia."),
    ]
    score = SelectionScorer().score(typed_question("Mill Creek source", d), "Mill Creek source", d)
    assert len(score.options) == 2 and all(score.supported) and score.distinct


def test_facets_are_read_off_titles_whose_brackets_say_them_already() -> None:
    pair = [Passage(id=k, title=f"Dune ({k})", text=f"A {k}.", types=(k,)) for k in ("film", "book")]
    assert facets("dune", pair) == ["film", "book"]
