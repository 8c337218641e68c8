from __future__ import annotations

import pytest

from bootstrap_support import CORPUS
from rac.corpus.bootstrap.subjects import read_corpus_subjects
from rac.corpus.bootstrap.terms import Term, find_terms
from rac.corpus.bootstrap_settings import Bootstrap
from rac.records import Passage


@pytest.fixture(scope="module")
def terms() -> dict[str, Term]:
    found, _ = find_terms(read_corpus_subjects(CORPUS), Bootstrap())
    return {term.key: term for term in found}


@pytest.mark.parametrize(
    ("key", "kind", "rows"),
    [
        ("casablanca", "homonym", (3, 4)),
        ("king", "name", (0, 1, 2)),
        ("world war", "phrase", (7, 8)),
        ("lp", "acronym", (5, 6)),
        ("opera", "class", (9, 10, 11)),
        ("chinese poet", "class", (12, 13)),
        ("global conflict", "class", (7, 8)),
    ],
)
def test_every_kind_of_ambiguity_is_found(terms: dict[str, Term], key: str, kind: str, rows: tuple[int, ...]) -> None:
    assert terms[key].kind == kind
    assert terms[key].rows == rows


def test_every_term_means_several_passages(terms: dict[str, Term]) -> None:
    assert terms
    assert all(len(term.rows) >= 2 and list(term.rows) == sorted(set(term.rows)) for term in terms.values())


def test_small_words_and_numerals_are_no_terms(terms: dict[str, Term]) -> None:
    assert not {"i", "ii", "la", "of", "b."} & set(terms)


def test_makers_stand_beside_their_works() -> None:
    passages = [
        Passage(id="1", title="Leo Tolstoy", description="Russian writer (1828–1910)", text="He wrote."),
        Passage(id="2", title="War and Peace", description="Novel by Leo Tolstoy", text="It is long."),
    ]
    found, _ = find_terms(read_corpus_subjects(passages), Bootstrap(kinds=("name",)))
    assert [(t.text, t.rows) for t in found] == [("Tolstoy", (0, 1))]


def test_parts_of_one_document_are_not_ambiguous() -> None:
    passages = [Passage(id=str(n), title="Annual Report", source="report.md", text=f"Part {n}.") for n in range(3)]
    assert find_terms(read_corpus_subjects(passages), Bootstrap())[0] == []


def test_words_of_a_few_texts_are_mentions() -> None:
    passages = [
        Passage(id="1", title="Sign-in guide", text="We send the token to Nairobi. It is quick."),
        Passage(id="2", title="Price list", text="Buy the token in Nairobi. It is quick."),
        Passage(id="3", title="Session token", text="It ends."),
    ]
    found, _ = find_terms(read_corpus_subjects(passages), Bootstrap(kinds=("mention",)))
    assert {(t.text, t.rows) for t in found} == {("Nairobi", (0, 1)), ("token", (0, 1))}


def named(*titles: str) -> set[str]:
    passages = [Passage(id=str(n), title=title, text="It is silent and brave.") for n, title in enumerate(titles)]
    return {term.key for term in find_terms(read_corpus_subjects(passages), Bootstrap(kinds=("name",)))[0]}


def test_mere_modifiers_and_fragments_are_no_names() -> None:
    assert named("Silent film", "Silent spring") == set()
    assert named("Ethiopian Civil War", "Ethiopian Church") == set()
    assert named("Costa Rica", "San José, Costa Rica") == set()
    assert named("Timor", "Timor Sea") == {"timor"}
    assert named("Douglas fir", "Douglas Engelbart") == {"douglas"}


def test_kinds_can_be_chosen_and_are_counted() -> None:
    found, counts = find_terms(read_corpus_subjects(CORPUS), Bootstrap(kinds=("homonym",)))
    assert [t.text for t in found] == ["Casablanca"]
    assert counts == {"terms: homonym": 1}


def test_words_in_too_many_titles_are_common_words() -> None:
    passages = [Passage(id=str(n), title=f"Lake {c}", text="A lake.") for n, c in enumerate("ABCDEFGHI")]
    found, _ = find_terms(read_corpus_subjects(passages), Bootstrap(max_titles=8))
    assert "lake" not in {t.key for t in found}
