"""PARENT: equal to a plain implementation of the published formulas, by hand, and on odd input."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.metrics.parent import flat_table, lcs_length, parent, position_masks
from rac.records import Passage

tokens = str.split


def plain_parent(prediction, references, table, lambda_weight=0.5, smoothing=1e-5):
    """PARENT of one item, formula by formula, nothing shared and nothing hoisted."""

    def values(entry):
        return list(entry[1]) if len(entry) == 2 else list(entry[0]) + list(entry[2])

    def entailed(ngram):
        return sum(any(token in values(entry) for entry in table) for token in ngram) / len(ngram)

    def lcs(x, y):
        cells = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
        for i in range(len(x)):
            for j in range(len(y)):
                same = x[i] == y[j]
                cells[i + 1][j + 1] = cells[i][j] + 1 if same else max(cells[i][j + 1], cells[i + 1][j])
        return cells[-1][-1]

    def mentioned(text):
        return sum(lcs(values(entry), text) / len(values(entry)) for entry in table) / len(table)

    def counts(text, n):
        return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))

    best = None
    for reference in references:
        precisions, recalls = [], []
        for n in range(1, 5):
            g, r = counts(prediction, n), counts(reference, n)
            above = sum(c * (min(1, r[x] / c) + (1 - min(1, r[x] / c)) * entailed(x)) for x, c in g.items())
            precisions.append(above / sum(g.values()) if g else 0.0)
            below = sum(c * entailed(x) for x, c in r.items())
            above = sum(c * entailed(x) * min(1, g[x] / c) for x, c in r.items())
            recalls.append(above / below if below else 1.0)
        for n in range(1, 4):
            precisions[n] = precisions[n] or smoothing
            recalls[n] = recalls[n] or smoothing
        precision = 0.0 if 0 in precisions else math.exp(sum(math.log(p) for p in precisions) / 4)
        of_reference = smoothing if 0 in recalls else math.exp(sum(math.log(p) for p in recalls) / 4)
        of_table = mentioned(prediction) or smoothing
        weight = 1 - mentioned(reference) if lambda_weight is None else lambda_weight
        recall = math.exp((1 - weight) * math.log(of_reference) + weight * math.log(of_table))
        f = 2 * precision * recall / (precision + recall + 1e-8)
        if best is None or f > best[2]:
            best = (precision, recall, f)
    return best


TABLE = [
    (["name"], ["michael", "dahlquist"]),
    (["birth", "date"], ["december", "22", "1965"]),
    (["occupation"], ["drummer"]),
]
TRIPLES = [(["luna"], ["built", "in"], ["dumbarton"]), (["luna"], ["type"], ["sailing", "ship"])]
REFERENCE = tokens("michael dahlquist ( december 22 , 1965 ) was a drummer in seattle")
CASES = [
    (tokens("michael dahlquist was a drummer"), [REFERENCE], TABLE),
    (tokens("michael dahlquist was born in 1965 in seattle"), [REFERENCE, tokens("he drums")], TABLE),
    (tokens("a singer from paris"), [REFERENCE], TABLE),
    (REFERENCE, [REFERENCE], TABLE),
    ([], [REFERENCE], TABLE),
    (["drummer"], [["drummer"]], TABLE),
    (tokens("drummer drummer drummer"), [tokens("a drummer drummer"), []], TABLE),
    (tokens("luna is a sailing ship"), [tokens("luna , built in dumbarton , is a ship")], TRIPLES),
]


@pytest.mark.parametrize("lambda_weight", [0.5, 0.0, 1.0, None])
def test_equal_to_the_published_formulas_on_written_cases(lambda_weight):
    ours = parent(*zip(*CASES, strict=True), lambda_weight=lambda_weight)
    for case, score in zip(CASES, ours, strict=True):
        assert tuple(score) == pytest.approx(plain_parent(*case, lambda_weight=lambda_weight), abs=1e-9)


WORDS = st.lists(st.sampled_from(tokens("a b c d e f")), max_size=9)
VALUES = st.lists(st.sampled_from(tokens("a b c x y")), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3),
    st.lists(VALUES, min_size=1, max_size=4),
    st.sampled_from([0.3, None]),
)
def test_equal_to_the_published_formulas_on_any_case(prediction, references, values, weight):
    table = [(["k"], value) for value in values]
    (ours,) = parent([prediction], [references], [table], lambda_weight=weight)
    assert tuple(ours) == pytest.approx(plain_parent(prediction, references, table, weight), abs=1e-9)


def test_by_hand():
    # G = "a b", R = "a c", T = {a}. n=1: P = (1 + 0) / 2, recall: w(a)=1, w(c)=0 -> 1. n=2: "a b" w = 1/2 -> 1/2;
    # recall "a c" w = 1/2, missing -> 0 -> 1e-5. n=3, 4: no n-gram: P 0 -> 1e-5, recall 1.
    (score,) = parent([["a", "b"]], [[["a", "c"]]], [[(["k"], ["a"])]])
    precision = (0.5 * 0.5 * 1e-5 * 1e-5) ** 0.25
    reference_recall = (1 * 1e-5 * 1 * 1) ** 0.25
    recall = math.sqrt(reference_recall * 1.0)
    assert score.precision == pytest.approx(precision, abs=1e-12)
    assert score.recall == pytest.approx(recall, abs=1e-12)
    assert score.f == pytest.approx(2 * precision * recall / (precision + recall), rel=1e-5)


def test_divergent_reference_does_not_punish_what_the_table_says():
    faithful, invented = tokens("luna is a sailing ship"), tokens("luna is a fishing boat")
    reference = tokens("luna was painted red in 1901")
    good, bad = parent([faithful, invented], [[reference]] * 2, [TRIPLES] * 2)
    assert good.precision > 2 * bad.precision and good.f > bad.f


def test_nothing_to_compare_with_is_unscored():
    assert parent([["a"], ["a"], ["a"]], [[], [["a"]], [["a"]]], [TABLE, [], [(["k"], [])]]) == [None, None, None]
    assert parent([], [], []) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parent([["a"]], [], []), "cannot be paired"),
        (lambda: parent([["a"]], [[["a"]]], [[(["a"],)]]), "entries of"),
        (lambda: parent([["a"]], [[["a"]]], [[(["a"], ["b"]), (["a"], ["b"], ["c"])]]), "of one kind"),
        (lambda: parent([["a"]], [[["a"]]], [TABLE], lambda_weight=2), "lambda_weight=2"),
    ],
)
def test_bad_input_is_said(call, message):
    with pytest.raises(UserError, match=message):
        call()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abce"), max_size=70))
def test_bit_parallel_lcs_is_the_lcs(x, y):
    cells = [0] * (len(y) + 1)
    for token in x:
        previous = cells[:]
        for j, other in enumerate(y):
            cells[j + 1] = previous[j] + 1 if token == other else max(previous[j + 1], cells[j])
    assert lcs_length(x, position_masks(y), len(y)) == cells[-1]


def test_flat_table_loses_which_passage_said_it():
    passages = [
        Passage(id="1", title="Luna", types=("ship",), text="It was built in 1878. It sank."),
        Passage(id="2", title="Luna", description="2014 film"),
    ]
    assert flat_table(passages) == [
        (["title"], ["luna"]), (["type"], ["ship"]), (["text"], ["it", "was", "built", "in", "1878"]),
        (["text"], ["it", "sank"]), (["title"], ["luna"]), (["description"], ["2014", "film"]),
    ]  # fmt: skip
