"""The raw columns: aggregation by hand with a fake model, chunks, unscored states."""

from __future__ import annotations

import numpy as np
import pytest

from rac.errors import UserError
from rac.metrics.entailment_windows import windows
from rac.metrics.raw import chunks, raw_alignscore, raw_parent, raw_summac_zs
from rac.records import Passage

SHIP = Passage(id="1", title="Luna", types=("ship",), text="It was built in Dumbarton. It sank in 1911.")
FILM = Passage(id="2", title="Luna", description="2014 film", text="Dave McKean directed it.")


class Fake:
    """P_ent = share of the hypothesis' words in the premise; remembers what it was asked."""

    embedded = False

    def __init__(self):
        self.pairs = []

    def entail_probs(self, pairs):
        self.pairs += pairs
        shares = [len(set(h.lower().split()) & set(p.lower().split())) / len(set(h.lower().split())) for p, h in pairs]
        return np.array(shares)


def test_summac_takes_the_best_premise_and_the_mean_sentence():
    scorer = Fake()
    (score,) = raw_summac_zs(["Built in Dumbarton. Purple elephants"], [[SHIP, FILM]], scorer)
    # "built in dumbarton." is whole in one premise, nothing of "purple elephants" anywhere.
    assert score == pytest.approx((1.0 + 0.0) / 2)
    premises = list(dict.fromkeys(p for p, _ in scorer.pairs))
    assert premises == [
        "Luna (ship): It was built in Dumbarton.", "Luna (ship): It sank in 1911.",
        "Luna (2014 film): Dave McKean directed it.",
    ]  # fmt: skip


def test_alignscore_sees_words_of_two_passages_in_one_chunk():
    question = "dumbarton. directed"
    together = raw_alignscore(["ship mckean"], [[SHIP, FILM]], Fake())
    apart = raw_alignscore(["ship mckean"], [[SHIP, FILM]], Fake(), chunk_words=4)
    assert together[0] == 0.5 and apart[0] == 0.5  # "(ship)." is another token than "ship"
    assert raw_alignscore([question], [[SHIP, FILM]], Fake())[0] == 1.0


def test_chunks_are_whole_sentences_in_order():
    assert chunks([SHIP, FILM], 7) == [
        "Luna (ship). It was built in Dumbarton.", "It sank in 1911. Luna (2014 film).", "Dave McKean directed it.",
    ]  # fmt: skip
    long = Passage(id="3", text="one two three four five six")
    assert chunks([long], 2) == ["one two three four five six"]
    assert chunks([], 350) == []


def test_short_questions_are_scored_and_empty_ones_are_not():
    scores = raw_summac_zs(["Which one?", "", "?!", "Which one?"], [[SHIP], [SHIP], [SHIP], []], Fake())
    assert scores == [0.0, None, None, None]


def test_all_items_go_through_the_model_in_one_call():
    calls = []

    class Counting(Fake):
        def entail_probs(self, pairs):
            calls.append(len(pairs))
            return super().entail_probs(pairs)

    raw_summac_zs(["a b", "c d", "e f"], [[SHIP], [FILM], [SHIP, FILM]], Counting())
    assert calls == [2 + 1 + 3]


def test_the_embedded_model_gets_windows():
    class Small(Fake):
        embedded = True

    passage = Passage(id="1", text=" ".join(f"Word {i} is here." for i in range(60)))
    wide, small = Fake(), Small()
    raw_alignscore(["word"], [[passage]], wide)
    raw_alignscore(["word"], [[passage]], small)
    assert len(wide.pairs) == 1 and [premise for premise, _ in small.pairs] == windows(passage)


def test_raw_parent_cannot_see_a_recombination_but_needs_gold():
    gold = "Do you mean the ship built in Dumbarton or the 2014 film?"
    right = "Do you mean the ship from Dumbarton or the 2014 film?"
    recombined = "Do you mean the film from Dumbarton or the 2014 ship?"
    invented = "Do you mean the opera from Paris or the 1999 comet?"
    questions = [right, recombined, invented, right, ""]
    scores = raw_parent(questions, [[gold], [gold], [gold], [], [gold]], [[SHIP, FILM]] * 5)
    assert scores[0] > scores[1] > scores[2] > 0
    assert scores[1] > 0.4 * scores[0]
    assert scores[3] is None and scores[4] == 0.0


def test_lists_must_fit():
    with pytest.raises(UserError, match="cannot be paired"):
        raw_summac_zs(["a"], [], Fake())
    with pytest.raises(UserError, match="use 350"):
        raw_alignscore(["a"], [[SHIP]], Fake(), chunk_words=0)
