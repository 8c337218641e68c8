from __future__ import annotations

import random

import pytest

from bootstrap_support import CORPUS
from rac.corpus.bootstrap.facets import choose_facets
from rac.corpus.bootstrap.faults import FaultMaker
from rac.corpus.bootstrap.subjects import read_corpus_subjects
from rac.corpus.bootstrap.wording import Wording

SUBJECTS = read_corpus_subjects(CORPUS).subjects
KINGS = [0, 1]


def gold(rows: list[int], form: str = "bracketed", term: str = "King", *, of_class: bool = False) -> Wording:
    facets = choose_facets([SUBJECTS[row] for row in rows], term, of_class=of_class)
    assert isinstance(facets, list)
    return Wording("Do you mean {o}?", form, tuple(facets), term.lower(), term)


@pytest.mark.parametrize("seed", range(10))
def test_one_option_is_changed_and_the_others_stay(seed: int) -> None:
    wording = gold(KINGS)
    assert wording.text == "Do you mean King Lear (play) or B. B. King (American blues guitarist)?"
    options = [f.bracketed() for f in wording.facets]
    faults = FaultMaker(SUBJECTS).make(wording, [CORPUS[row] for row in KINGS], 5, random.Random(seed))
    assert {f.kind for f in faults} >= {"recombined", "repeated", "other thing"}
    for fault in faults:
        assert fault.question != wording.text
        kept = options[1 - fault.option]
        assert kept in fault.question
        assert options[fault.option] not in fault.question


def test_recombined_attributes_are_in_d_but_in_no_single_passage() -> None:
    faults = FaultMaker(SUBJECTS).make(gold(KINGS), [CORPUS[row] for row in KINGS], 5, random.Random(0))
    (fault,) = [f for f in faults if f.kind == "recombined"]
    assert "King Lear (American blues guitarist)" in fault.question or "B. B. King (play)" in fault.question


def test_numbers_move_to_one_that_no_passage_has() -> None:
    wording = gold([12, 13], term="Chinese poet", of_class=True)
    d = [CORPUS[12], CORPUS[13]]
    found = [
        fault
        for seed in range(10)
        for fault in FaultMaker(SUBJECTS).make(wording, d, 5, random.Random(seed))
        if fault.kind == "other number"
    ]
    assert found
    for fault in found:
        assert ("701–762" in fault.question) + ("365–427" in fault.question) == 1


def test_what_a_donor_brings_is_in_no_passage_of_d() -> None:
    d = [CORPUS[row] for row in KINGS]
    for seed in range(10):
        for fault in FaultMaker(SUBJECTS).make(gold(KINGS), d, 5, random.Random(seed)):
            if fault.kind == "other thing":
                assert "Stephen King (American author)" in fault.question
