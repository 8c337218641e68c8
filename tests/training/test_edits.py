from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.metrics.selection import SelectionScorer
from rac.records import Passage
from rac.training.edit_pool import EditPool, is_name
from rac.training.edits import EDIT_KINDS, one_claim_edits
from rac.training.pair_settings import EditKind


def passage(id: str, title: str, types: tuple[str, ...] = (), text: str = "") -> Passage:
    return Passage(id=id, title=title, types=types, text=text)


D = (
    passage("1", "Rescue", ("arcade game", "game"), "Rescue is a game released in 1982 by Stern in Chicago."),
    passage("2", "Rescue", ("book", "written work"), "Rescue is a book by Anita Shreve of 2010, set in Vermont."),
)
CORPUS = (
    *D,
    passage("3", "Flight", ("video game", "game"), "Flight came out in Denver and was made by Karl Hoffman."),
    passage("4", "Tower", ("board game", "game"), "Tower is sold in Boston and London by Mary Jones."),
    passage("5", "Song of Day", ("poem", "written work"), "A poem by Lee Harper, written in Texas."),
)
QUERY = "who made Rescue"
GOLD = "Do you mean arcade game Rescue or the book Rescue by Anita Shreve?"


def edits(kind: EditKind, question: str = GOLD, query: str = QUERY, d: tuple[Passage, ...] = D, wanted: int = 50):
    return one_claim_edits(
        question, query, d, EditPool(CORPUS), wanted=wanted, rng=random.Random(0), kinds=[kind]
    )  # fmt: skip


def test_sibling_type() -> None:
    found = {e.after for e in edits("sibling-type")}
    assert {"video game Rescue", "board game Rescue"} <= found
    assert "the poem Rescue by Anita Shreve" in found


def test_sibling_type_of_a_negated_type_is_one_that_all_have() -> None:
    d = (
        passage("1", "Aldara", ("brand", "drug", "product")),
        passage("2", "Aldara", ("drug", "product")),
        passage("3", "Other", ("river",)),
    )
    found = edits("sibling-type", "Do you mean brand Aldara or non brand Aldara?", "side effects of Aldara", d)
    assert {e.after for e in found if e.before == "non brand Aldara"} == {"non drug Aldara", "non product Aldara"}


def test_builtin_siblings_are_used_where_passages_have_no_types() -> None:
    d = (passage("1", "Dune", text="Dune is a novel."), passage("2", "Dune", text="Dune is a film of 1984."))
    found = {e.question for e in edits("sibling-type", "Do you mean the novel Dune or a film of 1984?", "dune", d)}
    assert "Do you mean the album Dune or a film of 1984?" in found
    assert "Do you mean the novel Dune or an opera of 1984?" in found
    assert not any("the film" in question for question in found)


def test_near_number_is_in_no_passage() -> None:
    found = edits("near-number", "Do you mean the game released in 1982 or the book of 2010?")
    years = {int(e.after.split()[-1]) for e in found}
    assert years and not years & {1982, 2010}
    assert all(min(abs(y - 1982), abs(y - 2010)) < 10 for y in years)
    assert edits("near-number", "Do you mean the game of 1982 or the book?", "Rescue 1982") == []


def test_invented_name_keeps_the_sort() -> None:
    found = {e.question for e in edits("invented-name")}
    assert "Do you mean arcade game Rescue or the book Rescue by Karl Hoffman?" in found
    assert not any("by Boston" in q or "by Denver" in q for q in found)
    d = (passage("1", "King Lear", text="A play."), passage("2", "Stephen King", text="A writer."))
    pool = EditPool([*d, passage("3", "King Crimson"), passage("4", "Martin Luther King")])
    titled = one_claim_edits(
        "Do you mean King Lear or Stephen King?",
        "king",
        d,
        pool,
        wanted=9,
        rng=random.Random(1),
        kinds=["invented-name"],
    )
    assert {e.after for e in titled} == {"King Crimson", "Martin Luther King"}


def test_demonyms_give_way_to_demonyms() -> None:
    d = (passage("1", "Ryan", text="Ryan is a Scottish boxer."), passage("2", "Ryan", text="Ryan is a Welsh judge."))
    found = edits("invented-name", "Do you mean Scottish boxer Ryan or Welsh judge Ryan?", "ryan", d)
    assert found
    for edit in found:
        assert edit.after.split()[0] not in ("Scottish", "Welsh")
        assert edit.after.split()[1:] in (["boxer", "Ryan"], ["judge", "Ryan"])


def test_recombined_has_words_of_d_that_no_passage_has_together() -> None:
    found = {e.after for e in edits("recombined")}
    assert "arcade game Rescue by Anita Shreve" in found
    assert "arcade game Rescue in Vermont" in found
    assert "arcade game Rescue in Chicago" not in found
    d = (passage("1", "King Lear", text="A tragedy."), passage("2", "Stephen King", text="A writer from Maine."))
    swapped = {
        e.question
        for e in edits("recombined", "Do you mean King Lear (a tragedy) or Stephen King (a writer)?", "king", d)
    }
    assert "Do you mean King Lear (a writer) or Stephen King (a writer)?" in swapped


def test_recombined_replaces_the_title_not_a_word_that_begins_with_it() -> None:
    d = (passage("1", "Mars", text="Mars is a planet of Marshall."), passage("2", "Luna", text="Luna is a moon."))
    question = "Do you mean the planet of Marshall that is Mars or the moon Luna?"
    found = {e.question for e in edits("recombined", question, "where is it", d)}
    assert "Do you mean the planet of Marshall that is Mars or the planet of Marshall that is Luna?" in found
    assert not any("Lunahall" in text for text in found)


def test_repeated_option() -> None:
    assert {e.question for e in edits("repeated-option")} == {
        "Do you mean the book Rescue by Anita Shreve or the book Rescue by Anita Shreve?",
        "Do you mean arcade game Rescue or arcade game Rescue?",
    }


def test_kinds_take_turns_and_seeds_repeat() -> None:
    pool = EditPool(CORPUS)
    question = "Do you mean the arcade game of 1982 or the book Rescue by Anita Shreve?"
    first = one_claim_edits(question, QUERY, D, pool, wanted=5, rng=random.Random(7))
    assert {e.kind for e in first} == set(EDIT_KINDS)
    assert first == one_claim_edits(question, QUERY, D, EditPool(reversed(CORPUS)), wanted=5, rng=random.Random(7))
    assert first != one_claim_edits(question, QUERY, D, pool, wanted=5, rng=random.Random(8))


@pytest.mark.parametrize("question", ["", "What do you mean?", "日本語の質問ですか？", "Rescue?"])
def test_questions_that_offer_nothing_have_no_edit(question: str) -> None:
    assert one_claim_edits(question, QUERY, D, EditPool(CORPUS), wanted=5, rng=random.Random(0)) == []


@settings(deadline=None, max_examples=40)
@given(
    options=st.lists(
        st.sampled_from(["arcade game Rescue", "Rescue by Stern", "the book", "a game of 1982", "Rescue in Vermont"]),
        min_size=1, max_size=3, unique=True,
    ),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_an_edit_changes_one_option_and_leaves_it_without_support(options: list[str], seed: int) -> None:
    question = f"Do you mean {' or '.join(options)}?"
    before = SelectionScorer().score(question, QUERY, D)
    for edit in one_claim_edits(question, QUERY, D, EditPool(CORPUS), wanted=6, rng=random.Random(seed)):
        after = SelectionScorer().score(edit.question, QUERY, D)
        places = [i for i in range(len(question)) if question.startswith(edit.before, i)]
        rests = {question[:i] + edit.after + question[i + len(edit.before) :] for i in places}
        assert edit.question in rests and edit.before in options
        if edit.kind == "repeated-option":
            assert not after.distinct
        elif all(before.supported):
            assert not all(after.supported), edit


def test_names() -> None:
    assert is_name("Vermont") and is_name("New York")
    assert not is_name("October") and not is_name("French")
    pool = EditPool(CORPUS)
    assert pool.names_like("Vermont", "in") == ["Boston", "Chicago", "Denver", "Texas"]
    assert "Karl Hoffman" in pool.names_like("Anita Shreve", "by")
    assert pool.names_like("Vermont", "near") == []
    assert pool.titles_with({"rescu"}) == ["Rescue"]
    assert pool.titles_with(set()) == []
