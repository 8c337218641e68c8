from __future__ import annotations

import random

import pytest

from rac.corpus.bootstrap.facets import Facet
from rac.corpus.bootstrap.phrases import NounPhrase
from rac.corpus.bootstrap.subjects import Subject
from rac.corpus.bootstrap.terms import Term
from rac.corpus.bootstrap.wording import (
    best_two,
    join_options,
    option_form,
    typed_queries,
    write_options,
    write_questions,
)

KING = Term("King", "name", (0, 1, 2))
POET = Term("Chinese poet", "class", (0, 1))
FACETS = [
    Facet("1", "King Lear", "play"),
    Facet("2", "B. B. King", "guitarist"),
    Facet("3", "Robert I", "king of Scotland"),
]


def test_lists_of_options() -> None:
    assert join_options(["A", "B"]) == "A or B"
    assert join_options(["A", "B", "C"]) == "A, B or C"
    assert join_options(["A, the x", "B, the y"], commas=True) == "A, the x, or B, the y"


def test_a_form_that_reads_badly_gives_way_to_brackets() -> None:
    assert option_form(FACETS[:2], "appositive", "Queen") == "appositive"
    assert option_form(FACETS, "appositive", "Queen") == "bracketed"
    assert option_form(FACETS[::2], "appositive", "king") == "bracketed"
    assert option_form(FACETS[:2], "prefixed", "King") == "prefixed"
    assert option_form(FACETS, "prefixed", "King") == "bracketed"
    assert option_form(FACETS[:2], "attribute", "King") == "bracketed"
    assert write_options(FACETS[:2], "prefixed") == "the play King Lear or the guitarist B. B. King"


@pytest.mark.parametrize("seed", range(20))
def test_questions_offer_two_or_three_options_in_order(seed: int) -> None:
    wordings = write_questions(FACETS, "king", KING, 4, random.Random(seed))
    assert len(wordings) == len({w.text for w in wordings}) == 4
    for wording in wordings:
        assert wording.text.endswith("?")
        assert len(wording.facets) in (2, 3)
        places = [wording.text.index(f.name) for f in wording.facets]
        assert places == sorted(places)
        assert "{" not in wording.text


def test_of_three_options_the_namesake_is_kept() -> None:
    facets = [Facet("1", "Guernica"), Facet("2", "The Old Guitarist"), Facet("3", "Pablo Picasso")]
    assert [f.name for f in best_two(facets, "Picasso")] == ["Guernica", "Pablo Picasso"]
    assert [f.name for f in best_two(FACETS, "queen")] == ["King Lear", "B. B. King"]


def test_a_class_is_named_as_the_corpus_writes_it() -> None:
    facets = [Facet("1", "Li Bai", years="701–762"), Facet("2", "Tao Yuanming", years="365–427")]
    texts = [
        w.text for seed in range(20) for w in write_questions(facets, "chinese poet", POET, 9, random.Random(seed))
    ]
    assert "Which Chinese poet do you mean: Li Bai (701–762) or Tao Yuanming (365–427)?" in texts
    assert not any("chinese poet" in text for text in texts)


def test_braces_in_the_corpus_are_only_text() -> None:
    facets = [Facet("1", "{q} {0}", "play"), Facet("2", "B", "{o}")]
    for wording in write_questions(facets, "{o}", KING, 9, random.Random(0)):
        assert "{q} {0}" in wording.text


def test_queries_are_typed_in_several_forms() -> None:
    people = [Subject("1", "B. B. King", phrase=NounPhrase("guitarist", "guitarist"), years="1925–2015")] * 2
    queries = typed_queries(KING, people, random.Random(1), 12)
    assert {q.form for q in queries[:4]} == {"keyword", "question", "imperative", "attribute"}
    assert len({q.text for q in queries}) == len(queries)
    assert all("king" in q.text.lower() for q in queries)
    assert not any(q.text.startswith("what is King?") for q in queries)
    assert len(typed_queries(KING, people, random.Random(1), 2)) == 2


def test_acronyms_keep_their_capitals_and_articles_fit() -> None:
    things = [Subject("1", "Carmen", phrase=NounPhrase("opera", "opera"))] * 2
    assert all("LP" in q.text for q in typed_queries(Term("LP", "acronym", (0, 1)), things, random.Random(0), 9))
    opera = Term("opera", "class", (0, 1))
    texts = {q.text for seed in range(9) for q in typed_queries(opera, things, random.Random(seed), 12)}
    assert "I need to find an opera" in texts
