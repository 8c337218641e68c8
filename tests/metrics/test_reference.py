"""Reference metrics: parity with the libraries and with METEOR's definition, several references, empty and odd text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer

from rac.errors import UserError
from rac.metrics import reference

QUESTION = "Do you mean Luna the ship or Luna the film?"
GOLD = "When you say Luna, do you refer to the film Luna or to the ship Luna?"


class NoSynonyms:
    """A WordNet without an entry, so that NLTK's METEOR has exact and stem matches only."""

    def synsets(self, *_):
        return []


def test_rouge_is_the_library_on_plain_text():
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(GOLD, QUESTION)
    ours = reference.rouge([QUESTION], [[GOLD]])
    assert ours["rouge_1"] == [theirs["rouge1"].fmeasure]
    assert ours["rouge_2"] == [theirs["rouge2"].fmeasure]
    assert ours["rouge_l"] == [theirs["rougeL"].fmeasure]
    assert reference.rouge_l([QUESTION], [[GOLD]]) == ours["rouge_l"]
    assert reference.rouge_1([QUESTION], [[GOLD]]) == ours["rouge_1"]
    assert reference.rouge_2([QUESTION], [[GOLD]]) == ours["rouge_2"]


def test_rouge_l_by_hand():
    # LCS "a b c" of 4 and 5 words: P = 3/4, R = 3/5.
    assert reference.rouge_l(["a b x c"], [["a y b c z"]]) == [pytest.approx(2 * 0.75 * 0.6 / 1.35)]


def test_other_scripts_are_not_scored_as_empty():
    assert reference.rouge_1(["café à Zürich"], [["Café à Zürich"]]) == [1.0]
    assert reference.rouge_1(["你指的是电影吗"], [["你指的是书吗"]])[0] == pytest.approx(10 / 13)
    assert reference.meteor_without_wordnet(["вы имеете в виду фильм"], [["вы имеете в виду книгу"]])[0] > 0.5


@pytest.mark.parametrize("name", list(reference.METRICS))
def test_range_identity_and_the_best_reference(name):
    metric = reference.METRICS[name]
    assert metric([QUESTION], [[QUESTION]])[0] == pytest.approx(1.0, abs=0.01)
    one, two, both = metric([QUESTION] * 3, [["Which one?"], [GOLD], ["Which one?", GOLD]])
    assert one is not None and two is not None and both is not None
    assert 0 <= one < two <= 1
    assert both >= two - 1e-12
    if name != "bleu":
        assert both == max(one, two)


@pytest.mark.parametrize("name", list(reference.METRICS))
def test_unscored_is_not_zero(name):
    metric = reference.METRICS[name]
    scores = metric(["A question?", "A question?", "", "?!"], [[], ["...", ""], [GOLD], [GOLD]])
    assert scores == [None, None, 0.0, 0.0]
    assert metric([], []) == []


def test_meteor_by_hand():
    # m = 3 in chunks "the ship" and "luna": P = 3/4, R = 3/5.
    precision, recall = 3 / 4, 3 / 5
    expected = 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (2 / 3) ** 3)
    assert reference.meteor_without_wordnet(["the ship x luna"], [["luna a b the ship"]]) == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("question", "gold"),
    [
        ("which ships do you want", "do you want one ship"),
        ("are you asking about awards", "is this about an award"),
        ("cat on the mat", "on the mat sat a cat"),
        ("nothing shared here", "entirely different words"),
    ],
)
def test_meteor_agrees_with_nltk_without_synonyms(question, gold):
    theirs = single_meteor_score(gold.split(), question.split(), wordnet=NoSynonyms())
    assert reference.meteor_without_wordnet([question], [[gold]]) == [pytest.approx(theirs)]


def brute_force(left, right):
    """All injective joins of equal words: most matches, then fewest chunks."""
    best = (0, 0)
    options = [[None] + [j for j, word in enumerate(right) if word == w] for w in left]
    for choice in itertools.product(*options):
        used = [j for j in choice if j is not None]
        if len(used) != len(set(used)):
            continue
        chunks = sum(
            j is not None and (i == 0 or choice[i - 1] is None or choice[i - 1] + 1 != j) for i, j in enumerate(choice)
        )
        best = max(best, (len(used), -chunks))
    return best[0], -best[1]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=5), st.lists(st.sampled_from("abcd"), max_size=6))
def test_alignment_is_the_best_one(left, right):
    assert reference.align(left, right) == brute_force(left, right)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=3))
def test_any_text_gives_a_score_in_range_or_none(question, golds):
    for scores in reference.reference_scores([question], [golds]).values():
        assert len(scores) == 1
        assert scores[0] is None or -1e-9 <= scores[0] <= 1 + 1e-9


def test_long_and_repetitive_questions_end():
    text = "is it the film or the book of the ship " * 250
    scores = reference.reference_scores([text], [[GOLD]])
    assert all(0 <= values[0] < 0.3 for values in scores.values())


def test_all_at_once_equals_one_by_one():
    questions, golds = [QUESTION, "", "Which?"], [[GOLD], [GOLD], []]
    together = reference.reference_scores(questions, golds)
    assert together == {name: metric(questions, golds) for name, metric in reference.METRICS.items()}
    assert set(reference.signature()) == set(together)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reference.rouge_l(["a"], []), "cannot be paired"),
        (lambda: reference.bleu(["a"], ["abc"]), "letter by letter"),
        (lambda: reference.reference_scores(["a"], [["a"]], ["rouge_k"]), "did you mean 'rouge_l'|rouge_"),
        (lambda: reference.rouge(["a"], [["a"]], ["rougeL"]), "rouge_l"),
    ],
)
def test_bad_input_is_said(call, message):
    with pytest.raises(UserError, match=message):
        call()
