from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sized
from typing import SupportsIndex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.corpus.splitting import _END, _ends_sentence, _fit, count_tokens, sentences, split_corpus, split_document
from rac.errors import UserError
from rac.records import Passage


def texts(text: str) -> list[str]:
    return [text[a:b] for a, b in sentences(text)]


def test_sentences_end_at_marks_before_a_capital() -> None:
    assert texts("One ends. Two ends! Three? Four") == ["One ends.", "Two ends!", "Three?", "Four"]


def test_abbreviations_initials_and_lower_case_do_not_end_a_sentence() -> None:
    assert texts("Dr. J. Smith met Mr. Wu, i.e. his friend. They left.") == [
        "Dr. J. Smith met Mr. Wu, i.e. his friend.",
        "They left.",
    ]
    assert texts("It costs 3.50 dollars. cheap! and good. Yes.") == ["It costs 3.50 dollars. cheap! and good.", "Yes."]


def test_quotes_stay_with_their_sentence() -> None:
    assert texts('"Go." He went. (Really.) Yes.') == ['"Go."', "He went.", "(Really.)", "Yes."]


def test_an_empty_line_ends_a_sentence() -> None:
    assert texts("A heading\n\nIts text") == ["A heading", "Its text"]


def test_scripts_without_spaces() -> None:
    assert texts("これは犬です。あれは猫です。") == ["これは犬です。", "あれは猫です。"]


def test_passages_hold_whole_sentences_and_overlap() -> None:
    text = "Aa bb cc. Dd ee ff. Gg hh ii. Jj kk ll."
    passages = split_document(Passage(id="d", text=text, title="T", source="d.txt"), 8, 4)
    assert [p.text for p in passages] == ["Aa bb cc. Dd ee ff.", "Dd ee ff. Gg hh ii.", "Gg hh ii. Jj kk ll."]
    assert [p.id for p in passages] == ["d#0", "d#10", "d#20"]
    assert all(p.title == "T" and p.source == "d.txt" and text[p.start : p.end] == p.text for p in passages)


def test_without_overlap_nothing_is_repeated() -> None:
    text = "Aa bb cc. Dd ee ff. Gg hh ii."
    assert [p.text for p in split_document(Passage(id="d", text=text), 8, 0)] == ["Aa bb cc. Dd ee ff.", "Gg hh ii."]


def test_a_short_document_keeps_its_id_and_gets_offsets() -> None:
    (passage,) = split_document(Passage(id="d", text="Short."), 50, 10)
    assert (passage.id, passage.text, passage.source, passage.start, passage.end) == ("d", "Short.", "d", 0, 6)


def test_an_empty_document_stays_a_passage() -> None:
    document = Passage(id="d", title="Only a title")
    assert split_document(document, 10, 2) == [document]


def test_a_long_sentence_is_cut_between_words() -> None:
    passages = split_document(Passage(id="d", text="a b c d e f g"), 3, 0)
    assert [p.text for p in passages] == ["a b c", "d e f", "g"]


def test_offsets_are_shifted_by_those_of_the_document() -> None:
    passages = split_document(Passage(id="d", text="Aa bb. Cc dd.", start=100, end=113, source="whole"), 3, 0)
    assert [(p.start, p.end, p.id, p.source) for p in passages] == [
        (100, 106, "d#100", "whole"),
        (107, 113, "d#107", "whole"),
    ]


@pytest.mark.parametrize(("budget", "overlap"), [(0, 0), (5, 5), (5, 9), (5, -1)])
def test_impossible_budgets_are_refused(budget: int, overlap: int) -> None:
    with pytest.raises(UserError, match="cannot be made"):
        split_document(Passage(id="d", text="a"), budget, overlap)


def test_another_counter_may_be_given() -> None:
    passages = split_document(Passage(id="d", text="abc def. Ghi jkl."), 8, 0, count=len)
    assert [p.text for p in passages] == ["abc def.", "Ghi jkl."]


ALPHABET = st.sampled_from(
    ["a", "B", "é", "犬", ".", "!", "。", " ", "\n", "\n\n", "1", "Dr", "'", "\u00a0", "(", ")", "word", "\U0001f600"]
)


@settings(deadline=None, max_examples=200)
@given(st.lists(ALPHABET, max_size=60).map("".join), st.integers(1, 12), st.integers(0, 11))
def test_splitting_loses_nothing_and_keeps_its_promises(text: str, budget: int, overlap: int) -> None:
    overlap = min(overlap, budget - 1)
    passages = split_document(Passage(id="d", text=text), budget, overlap)
    covered: set[int] = set()
    for passage in passages:
        start, end = passage.start or 0, passage.end if passage.end is not None else len(text)
        assert text[start:end] == passage.text
        covered.update(range(start, end))
        if len(passages) > 1:
            assert count_tokens(passage.text) <= budget
            assert passage.text == passage.text.strip()
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
    starts = [p.start for p in passages]
    ends = [p.end for p in passages]
    if len(passages) > 1:
        assert starts == sorted(set(starts)) and ends == sorted(set(ends))  # each brings something new
        for before, after in itertools.pairwise(passages):
            assert count_tokens(text[after.start : before.end]) <= overlap
    assert len({p.id for p in passages}) == len(passages)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(ALPHABET, max_size=120).map("".join), st.integers(1, 12), st.sampled_from([count_tokens, len, str.split])
)
def test_places_are_those_of_the_plain_rules(text: str, budget: int, counter: Callable[[str], Sized | int]) -> None:
    def count(piece: str) -> int:
        counted = counter(piece)
        return counted if isinstance(counted, int) else len(counted)

    plain = re.compile(_END.pattern.removeprefix("(?<![.!?…])"))
    assert [m.span() for m in plain.finditer(text)] == [m.span() for m in _END.finditer(text)]
    for match in plain.finditer(text):
        following = text[match.end() :].lstrip()[:1]
        if match.group()[0] in ".!?…" and following.islower():
            assert not _ends_sentence(text, match)
    start, expected = 0, []
    if count(text) <= budget:
        expected, start = [(0, len(text), count(text))], len(text)
    ends = [match.end() for match in re.finditer(r"\w+|[^\w\s]", text)]
    while start < len(text):
        behind = [end for end in ends if end > start]
        fitting = [end for end in behind if count(text[start:end]) <= budget]
        cut = max([*fitting, *behind[:1]], default=len(text))
        expected.append((start, cut, count(text[start:cut])))
        start = cut + len(text[cut:]) - len(text[cut:].lstrip())
    assert list(_fit(text, (0, len(text)), budget, count)) == expected


def test_long_texts_are_not_gone_through_again_for_every_piece() -> None:
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return count_tokens(text)

    text = "word " * 20_000  # one sentence in 1,000 pieces
    assert len(split_document(Passage(id="d", text=text), 20, 0, count=count)) == 1_000
    assert counted < 20 * len(text)

    class Text(str):
        copied = 0

        def __getitem__(self, key: SupportsIndex | slice) -> str:
            found = super().__getitem__(key)
            Text.copied += len(found)
            return found

    text = Text("Aa bb. " * 5_000)
    assert len(sentences(text)) == 5_000 and Text.copied < 2 * len(text)


def test_a_corpus_is_streamed() -> None:
    documents = (Passage(id=str(n), text="Aa bb. Cc dd.") for n in range(2))
    assert [p.id for p in split_corpus(documents, 3, 0)] == ["0#0", "0#7", "1#0", "1#7"]
