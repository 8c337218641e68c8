from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from rac.files import read_records, write_records
from rac.metrics.selection import SelectionScorer
from rac.records import Passage, PreferencePair
from rac.training.pair_settings import Pairs
from rac.training.pairs import PairSource, make_pairs, normalise, option_value, similarity

D = (
    Passage(id="1", title="Rescue", types=("arcade game",), text="Rescue is a game by Stern."),
    Passage(id="2", title="Rescue", types=("book",), text="Rescue is a book by Anita Shreve."),
)
GAME_BOOK = "Do you mean the game Rescue or the book Rescue?"
BOOK_GAME = "Do you mean the book Rescue or the game Rescue?"
FILM = "Do you mean the game Rescue or the film Rescue?"
OPERA = "Which one did you have in mind today, the opera Rescue, or rather the sonata Rescue?"
TWICE = "Do you mean the game Rescue or the game Rescue?"
EMPTY = "What do you mean?"


@dataclass(frozen=True)
class FakeScore:
    options: tuple[str, ...]
    supported: tuple[bool, ...]
    distinct: bool
    faithfulness: float
    apart: bool = True


class FakeScorer:
    """Options are the words "game", "book", "film" ... in front of "Rescue"; only the first two are supported."""

    def __init__(self) -> None:
        self.seen: list[Sequence[Passage]] = []

    def score(self, question: str, query: str, passages: Sequence[Passage]) -> FakeScore:
        self.seen.append(passages)
        words = question.replace("?", "").replace(",", "").split()
        options = tuple(a for a, b in pairwise(words) if b == "Rescue")
        supported = tuple(o in ("game", "book") for o in options)
        share = sum(supported) / len(options) if options else 0.0
        return FakeScore(options, supported, len(set(options)) == len(options), share)


def source(**changes: Any) -> PairSource:
    values: dict[str, Any] = {
        "example_id": "q1", "query": "who made Rescue", "passages": D, "prompt": "PROMPT",
        "gold": (GAME_BOOK,), "grounded": (FILM, BOOK_GAME, TWICE), "ungrounded": (OPERA, FILM),
    }  # fmt: skip
    return PairSource(**{**values, **changes})


def make(settings: Pairs, *sources: PairSource) -> tuple[list[PreferencePair], dict[str, int]]:
    return make_pairs(sources or (source(),), settings, seed=0, scorer=FakeScorer())


def test_best_of_n_against_the_nearest_faulty_questions() -> None:
    pairs, counts = make(Pairs(negatives=("grounded", "ungrounded"), max_shares={}))
    (pair,) = pairs
    assert (pair.chosen, pair.chosen_kind, pair.chosen_score) == (BOOK_GAME, "best-of-n", 1.0)
    # The nearest of each kind before a second one of any.
    assert pair.all_rejected == (TWICE, OPERA, FILM)
    assert pair.rejected_kinds == ("grounded", "ungrounded", "grounded")
    assert pair.rejected_scores == (1.0, 0.0, 0.5)
    assert (pair.id, pair.prompt, pair.passages) == ("q1", "PROMPT", D)
    assert counts["C- grounded dropped: same as another question"] == 1
    assert counts["C- ungrounded dropped: same as another question"] == 1
    assert counts["C+ candidates dropped: an option is unsupported or repeated"] == 2
    assert (counts["pairs"], counts["C+ best-of-n"], counts["C- grounded"], counts["C- ungrounded"]) == (1, 1, 2, 1)


def test_best_of_n_takes_the_good_sample_most_like_gold() -> None:
    other = "Which one, the game Rescue or the book Rescue, did you have in mind?"
    like = "Do you mean the game Rescue or else the book Rescue?"
    pairs, _ = make(Pairs(), source(grounded=(other, like, FILM)))
    assert pairs[0].chosen == like


def test_without_gold_the_good_sample_most_like_the_others_is_chosen() -> None:
    odd = "Which one, the game Rescue or the book Rescue, did you have in mind?"
    usual = "Do you mean the game Rescue or else the book Rescue?"
    pairs, counts = make(Pairs(negatives=("grounded",)), source(gold=(), grounded=(odd, usual, GAME_BOOK, FILM)))
    assert pairs[0].chosen in (usual, GAME_BOOK) and counts["C+ best-of-n"] == 1
    alone, _ = make(Pairs(negatives=("grounded",)), source(gold=(), grounded=(odd, FILM)))
    assert alone[0].chosen == odd


@pytest.mark.parametrize("first", [True, False])
def test_options_that_say_what_a_thing_is_come_first(first: bool) -> None:
    """The real scorer, since only it knows that "non book" is another kind of claim."""
    negated = "Do you mean non book Rescue or book Rescue?"
    candidates = source(gold=(negated,), grounded=(negated, GAME_BOOK, FILM))
    (pair,), _ = make_pairs([candidates], Pairs(natural_first=first), seed=0, scorer=SelectionScorer())
    assert pair.chosen == (GAME_BOOK if first else negated)


def test_best_of_n_falls_back_to_gold_and_then_drops() -> None:
    pairs, _ = make(Pairs(negatives=("grounded",)), source(grounded=(FILM, TWICE)))
    assert (pairs[0].chosen, pairs[0].chosen_kind) == (GAME_BOOK, "gold")
    bad = "Do you mean the film Rescue or the book Rescue?"
    pairs, counts = make(Pairs(negatives=("grounded",)), source(grounded=(FILM, TWICE), gold=(bad,)))
    assert pairs == []
    assert counts["queries dropped: no C+ with supported, different options"] == 1
    _, counts = make(Pairs(), source(grounded=(), gold=()))
    assert counts["queries dropped: no candidate for C+"] == 1


def test_the_paper_s_plain_reading() -> None:
    settings = Pairs(
        positives="grounded", negatives=("ungrounded",), filter=False, max_negatives=1,
        grounded_samples=1, ungrounded_samples=1,
    )  # fmt: skip
    pairs, counts = make(settings, source(grounded=(FILM,), ungrounded=(BOOK_GAME,)), source(example_id="q2", gold=()))
    # No filter: the samples are paired as they come, whatever D supports.
    assert [(p.chosen, p.all_rejected) for p in pairs] == [(FILM, (BOOK_GAME,)), (FILM, (OPERA,))]
    assert pairs[0].chosen_score is None and pairs[0].rejected_scores == ()
    assert counts["pairs"] == 2
    pairs, counts = make(
        settings, source(grounded=(FILM,), ungrounded=("do you mean the game rescue, or the film Rescue",))
    )
    assert pairs == [] and counts["queries dropped: no C-"] == 1


def test_gold_as_positive_must_be_supported() -> None:
    pairs, counts = make(Pairs(positives="gold", negatives=("ungrounded",)), source(gold=(FILM, GAME_BOOK)))
    assert pairs[0].chosen == GAME_BOOK
    assert counts["C+ candidates dropped: an option is unsupported or repeated"] == 1
    pairs, _ = make(Pairs(positives="gold", negatives=("ungrounded",)), source(gold=(FILM,)))
    assert pairs == []


def test_positives_offer_as_many_options_as_gold() -> None:
    one = "Do you mean the game Rescue?"
    pairs, counts = make(Pairs(negatives=("ungrounded",)), source(grounded=(one, EMPTY)))
    assert pairs[0].chosen_kind == "gold"
    assert counts["C+ candidates dropped: too few options"] == 2
    pairs, _ = make(Pairs(negatives=("ungrounded",), min_options=1), source(grounded=(one, EMPTY)))
    assert pairs[0].chosen == one
    pairs, _ = make(Pairs(negatives=("ungrounded",)), source(grounded=(one,), gold=(one,)))
    assert pairs[0].chosen == one


def test_margin_and_ties() -> None:
    three = "Do you mean the game Rescue, the book Rescue or the film Rescue?"
    for margin, kept in ((0.3, True), (0.5, False)):
        pairs, counts = make(Pairs(negatives=("ungrounded",), margin=margin), source(ungrounded=(three,)))
        assert bool(pairs) is kept
        assert counts.get("C- ungrounded dropped: margin", 0) == (not kept)
    pairs, counts = make(Pairs(negatives=("ungrounded",)), source(ungrounded=(GAME_BOOK,)))
    assert pairs == [] and counts["C- ungrounded dropped: tie"] == 1


def test_most_negatives_and_length_preference() -> None:
    pairs, counts = make(Pairs(negatives=("ungrounded", "grounded"), max_negatives=1, max_shares={}))
    # Kinds take turns in the order in which they are listed; of ungrounded, OPERA is far too long.
    assert pairs[0].all_rejected == (FILM,)
    assert counts["C- dropped: more than max_negatives"] == 2
    far = "Would you say that it is the sonata Rescue?"
    near = GAME_BOOK.replace("game", "film") + " Please tell me which of the two it is."
    found, _ = make(Pairs(negatives=("ungrounded",), max_negatives=1), source(ungrounded=(near, far)))
    assert similarity(GAME_BOOK, near) > similarity(GAME_BOOK, far)
    assert found[0].rejected == far
    found, _ = make(
        Pairs(negatives=("ungrounded",), max_negatives=1, length_tolerance=9), source(ungrounded=(near, far))
    )
    assert found[0].rejected == near


def test_what_the_model_asks_greedily_is_learnt_from_first() -> None:
    far = "Which one did you have in mind just now, the poem Rescue, or would it rather be the book Rescue?"
    settings = Pairs(negatives=("grounded",), max_negatives=1)
    pairs, counts = make_pairs([source(asked=far)], settings, seed=0, scorer=FakeScorer())
    assert pairs[0].rejected == far, "farther from C+ and longer than the samples, but what a user would see"
    plain, _ = make_pairs([source()], settings, seed=0, scorer=FakeScorer())
    assert plain[0].rejected in (FILM, TWICE) and plain[0].chosen == pairs[0].chosen == BOOK_GAME
    assert counts["C- grounded"] == 1
    # Among sound samples the one most like it is C+, so that the two differ in little but the claim.
    turned = "Rescue can be many things: the book Rescue or the game Rescue?"
    for own in ((turned, GAME_BOOK), (GAME_BOOK, turned), (turned, GAME_BOOK, turned + " Say which.")):
        nearest, _ = make_pairs([source(asked=FILM, grounded=own, gold=())], settings, seed=0, scorer=FakeScorer())
        assert nearest[0].chosen == GAME_BOOK
    # Where no sample is sound, C+ is that question with another option in place of the faulty one.
    lost, counts = make_pairs([source(asked=FILM, grounded=(TWICE,), gold=())], settings, seed=0, scorer=FakeScorer())
    assert (lost[0].chosen, lost[0].rejected) == ("Do you mean the game Rescue or book Rescue?", FILM)
    assert lost[0].chosen_kind == "repaired" and counts["C+ repaired"] == 1
    # A fault is not mended by not asking: with two options in it C+ has two.
    bare, _ = make_pairs(
        [source(asked=FILM, grounded=("Is it the game Rescue?", GAME_BOOK), gold=())], settings, seed=0,
        scorer=FakeScorer(),
    )  # fmt: skip
    assert bare[0].chosen == GAME_BOOK
    # A sound one is a candidate for C+ like any sample.
    sound, _ = make_pairs([source(asked=GAME_BOOK, gold=(GAME_BOOK,))], settings, seed=0, scorer=FakeScorer())
    assert sound[0].chosen == GAME_BOOK and sound[0].rejected != GAME_BOOK


def test_edits_which_are_always_nearest_leave_room_for_the_models_own_faults() -> None:
    settings = Pairs(negatives=("grounded", "edited-chosen"), edit_kinds=("repeated-option",), max_negatives=2)
    pairs, counts = make(settings, source(grounded=(BOOK_GAME, OPERA)))
    assert pairs[0].rejected_kinds == ("grounded", "edited-chosen")
    assert pairs[0].rejected == OPERA
    assert similarity(BOOK_GAME, pairs[0].all_rejected[1]) > similarity(BOOK_GAME, OPERA)
    assert counts["C- edited-chosen: repeated-option"] == 1


def test_shares_of_kinds() -> None:
    sources = [source(example_id=f"q{i}", grounded=(BOOK_GAME, FILM), ungrounded=(OPERA,)) for i in range(6)]
    sources += [source(example_id="only", grounded=(BOOK_GAME,), ungrounded=(OPERA,))]
    pairs, counts = make(Pairs(negatives=("grounded", "ungrounded"), max_shares={"ungrounded": 1 / 3}), *sources)
    kinds = [k for p in pairs for k in p.rejected_kinds]
    assert kinds.count("ungrounded") == 3 and kinds.count("grounded") == 6
    assert counts["C- ungrounded dropped: share"] == 4
    # A query that has nothing else keeps its C-.
    assert [p for p in pairs if p.id == "only"]
    alone, _ = make(Pairs(negatives=("ungrounded",), max_shares={"ungrounded": 0.1}), *sources)
    assert len(alone) == 7


def test_edited_negatives_are_labelled_and_repeatable() -> None:
    settings = Pairs(negatives=("edited-gold",), edit_kinds=("repeated-option", "near-number"))
    pairs, counts = make(settings)
    assert set(pairs[0].rejected_kinds) == {"edited-gold"}
    assert len(pairs[0].all_rejected) == 2
    assert counts["C- edited-gold: repeated-option"] == counts["C- edited-gold"] == 2
    assert make(settings) == (pairs, counts)
    chosen, _ = make(Pairs(negatives=("edited-chosen",), edit_kinds=("repeated-option",)))
    assert chosen[0].chosen == BOOK_GAME
    assert chosen[0].rejected in (TWICE, TWICE.replace("game", "book"))
    _, counts = make(settings, source(gold=(EMPTY,)))
    assert counts["queries without an edit (edited-gold)"] == 1


def test_candidates_are_scored_against_what_the_prompt_shows() -> None:
    scorer = FakeScorer()
    visible = (D[0].model_copy(update={"text": "cut"}), D[1])
    pairs, _ = make_pairs([source(visible=visible)], Pairs(negatives=("grounded",)), seed=0, scorer=scorer)
    assert all(seen == visible for seen in scorer.seen)
    assert pairs[0].passages == D


def test_pairs_survive_the_file(tmp_path: Any) -> None:
    pairs, _ = make(Pairs())
    write_records(tmp_path / "pairs.jsonl", pairs)
    assert read_records(tmp_path / "pairs.jsonl", PreferencePair) == pairs


def test_option_value() -> None:
    assert option_value(FakeScore((), (), True, 0.0)) == 0.0
    assert option_value(FakeScore(("a", "b"), (True, True), True, 1.0)) == 1.0
    assert option_value(FakeScore(("a", "a"), (True, True), False, 1.0)) == 0.5
    assert option_value(FakeScore(("a", "a"), (False, False), False, 0.0)) == 0.0
    assert option_value(FakeScore(("a", "b", "c"), (True, True, False), True, 0.7)) == pytest.approx(2 / 3)


def test_options_that_fit_the_same_passages_are_a_fault_where_asked_for() -> None:
    nested = FakeScore(("a", "b"), (True, True), True, 1.0, apart=False)
    assert option_value(nested) == 1.0
    assert option_value(nested, tell_apart=True) == 0.5
    same = "Do you mean the game Rescue or the arcade game Rescue?"
    drawn = source(grounded=(same, GAME_BOOK), ungrounded=(), gold=(BOOK_GAME,))
    (pair,), _ = make_pairs([drawn], Pairs(tell_apart=True), seed=0, scorer=SelectionScorer())
    assert pair.chosen == GAME_BOOK
    assert same in pair.all_rejected
    pairs, _ = make_pairs([drawn], Pairs(), seed=0, scorer=SelectionScorer())
    assert all(same not in pair.all_rejected for pair in pairs)


def test_normalise() -> None:
    assert normalise("  Do you mean A,  or B? ") == normalise("do you mean a or b")
    assert normalise("?!") == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"negatives": []}, "at least 1"),
        ({"negatives": ["ungrounded", "ungrounded"]}, "twice"),
        ({"positives": "grounded", "negatives": ["grounded"], "filter": False}, "same samples"),
        ({"positives": "best-of-n", "filter": False}, "needs scores"),
        ({"max_shares": {"ungrounded": 0}}, "take it from negatives"),
        ({"max_shares": {"gold": 0.5}}, "max_shares"),
        ({"marign": 0.1}, "marign"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Pairs(**wrong)


def test_needed_samples() -> None:
    assert Pairs().needs_grounded and Pairs().needs_ungrounded
    plain = Pairs(positives="gold", negatives=("edited-gold",))
    assert not plain.needs_grounded and not plain.needs_ungrounded
