"""Alternatives laid out as lists, and the many ways to ask for the same two things."""

from __future__ import annotations

import pytest

from rac.metrics.claims import claims
from rac.metrics.claims_lists import find_list

FORMS = (
    "Please choose: 1. {0} 2. {1}", "Which of the following do you mean?\n- {0}\n- {1}", "1. {0}\n2. {1}",
    "Which one do you mean? {0} | {1}", "Please select: {0} | {1} | Something else", "(a) {0} (b) {1}",
    "Do you mean (1) {0} or (2) {1}?", "Which one? A) {0} B) {1}",
    "Which one do you mean?\n\n- {0}\n- {1}\n\nPlease choose one.",
    "Just to be sure, is this about {0}, or about {1}?", "I found {0} and {1}. Which one are you looking for?",
    "Is your question about {0} or about {1}?", "There is {0} and there is {1}; which are you asking about?",
    "There's {0} and {1}. Which do you mean?", "Can you clarify whether you are asking about {0} or {1}?",
    "Do you refer to {0} or to {1}?", "Are you interested in {0} or in {1}?", "Do you mean {0} rather than {1}?",
    "Let me know which one you mean: {0} or {1}.", "Please specify whether you mean {0} or {1}.", "Options: {0}, {1}",
    "Multiple results were found: {0}, {1}. Which one is it?", "<p>Do you mean {0} or {1}?</p>", "**{0}** or **{1}**?",
    "I can tell you about {0} or {1}. Which one?", "Not sure if you mean {0} or {1}.",
    "You could mean {0} or {1}. Which one is it?",
    "To help you better, do you mean {0} or {1}?", "Did you mean {0}? Or {1}?", "DO YOU MEAN {0} OR {1}?",
    "Could it be that you mean {0}, or is it {1}?", "Shall I search for {0} or for {1}?", "{0} or {1}, which one?",
    "Both {0} and {1} match your query. Which one do you want?", "Hmm, {0} or {1}?", "Are you after {0} or {1}?",
    "Select an option:\n[A] {0}\n[B] {1}", "Option 1: {0}. Option 2: {1}. Which one?", "Do you seek {0} or {1}?",
    "First: {0}; second: {1}. Which one do you mean?", "Is your question related to {0} or {1}?",
    "Which of {0} and {1} do you mean?", "Would {0} or {1} be what you are looking for?",
    "May I ask whether you are interested in {0} or {1}?", "Do you by any chance mean {0}, or {1}?",
    "Do you want {0} or do you want {1}", "Are you curious about {0}, {1}, or something else?",
)  # fmt: skip
PAIRS = (
    ("actor John Leslie", "producer John Leslie", "Who is John Leslie"),
    ("National Mosque in Tanzania", "National Mosque in Kuala Lumpur", "National Mosque's religion"),
    ("Indian boxer Kumar", "Indian flyweight boxer Kumar", "Kumar"),
    ("Luna (moon)", "Luna (goddess)", "luna"),
    ("non nominated work Running", "nominated work Running", "rating of Running"),
)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_two_things_in_any_form(form: str) -> None:
    for first, second, query in PAIRS:
        found = claims(form.format(first, second), query)
        assert [c.text for c in found if c.kind in ("OPTION", "NOT-TYPE")] == [first, second], (form, first)
        assert not [c for c in found if c.kind in ("TOPIC", "ATTRIBUTE")], (form, first)


def test_spans_are_those_of_the_question_and_texts_have_no_markup() -> None:
    question = "Which one?\n1) the <b>first</b> season\n2) the second season"
    found = claims(question, "luna")
    assert [question[c.start : c.end] for c in found] == ["the <b>first</b> season", "the second season"]
    assert [c.text for c in found] == ["the first season", "the second season"]


@pytest.mark.parametrize(
    "question",
    [
        "What do you mean?", "Hellboy, Vol. 1: Seed of Destruction or Vol. 2?", "", "A | ", "1. one thing only",
        "- The moon is grey and it goes round the earth once in four weeks.\n- It is far.",
        "Did you read section 2. or not?",
    ],
)  # fmt: skip
def test_what_is_no_list(question: str) -> None:
    assert find_list(question) is None


def test_an_option_that_repeats_the_name_is_an_option_of_its_own() -> None:
    question = "Do you mean the song Luna, Luna in Oslo, Norway or Luna in Bergen, Norway?"
    assert len(claims(question, "where is Luna")) == 3
