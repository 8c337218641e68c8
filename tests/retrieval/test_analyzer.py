from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.retrieval.analyzer import Analyzer, fold
from rac.retrieval.settings import IndexSettings


def terms(text: str, **changes: object) -> list[str]:
    return Analyzer(IndexSettings.model_validate(changes)).terms(text)


def test_case_stop_words_and_stems() -> None:
    assert terms("The Kings of the PAINTINGS") == ["king", "paint"]


def test_without_stemming_and_stop_words() -> None:
    assert terms("The Kings", stemming=False, stop_words=False) == ["the", "kings"]


def test_possessives_leave_no_letter_behind() -> None:
    assert terms("the king's and the dogs’ 'sing' s") == ["king", "dog", "sing", "s"]


def test_accents_are_folded_where_they_are_not_letters() -> None:
    assert fold("Beyoncé Ångström Ελλάδα") == "Beyonce Angstrom Ελλαδα"
    assert fold("हिन्दी") == "हिन्दी"
    assert terms("Beyoncé") == terms("BEYONCE") == terms("Beyonce\u0301")
    assert terms("Beyoncé", fold_accents=False) != terms("Beyonce", fold_accents=False)


def test_scripts_without_spaces_give_a_term_per_character() -> None:
    assert terms("東京 tower") == ["東", "京", "tower"]


def test_single_letters_and_digits_are_terms() -> None:
    assert terms("vitamin C 2001") == ["vitamin", "c", "2001"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("german", "die Häuser", ["haus"]),
        ("french", "les maisons", ["maison"]),
        ("russian", "и дома", ["дом"]),
        ("none", "the houses", ["the", "houses"]),
    ],
)
def test_languages(language: str, text: str, expected: list[str]) -> None:
    assert terms(text, language=language) == expected


def test_matched_words_are_spelled_as_in_the_query() -> None:
    analyzer = Analyzer(IndexSettings())
    assert analyzer.matched("Which PAINTINGS of the Queen?", "A queen who paints") == ("PAINTINGS", "Queen")
    assert analyzer.matched("the", "the") == ()


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=80))
def test_any_text_gives_non_empty_terms_that_are_stable(text: str) -> None:
    analyzer = Analyzer(IndexSettings())
    first = analyzer.terms(text)
    assert first == analyzer.terms(text)
    assert all(term and not term.isspace() for term in first)
