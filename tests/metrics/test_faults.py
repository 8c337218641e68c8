"""Controlled faults and the validation that uses them."""

from __future__ import annotations

import numpy as np
import pytest

from rac.metrics.faults import EMPTY_QUESTIONS, Fault, FaultMaker, Source, sources
from rac.metrics.fitting import fit_support, labelled_claims, threshold
from rac.metrics.lexical import prepare
from rac.metrics.text import content_keys
from rac.metrics.validation import auc, query_overlap, separation, validate_faults
from rac.records import ClarificationExample, Passage

NAMES = ("Luna", "Orion", "Delta", "Aurora", "Vega", "Nova")
JOBS = ("actor", "painter", "chemist", "boxer", "poet", "judge")
PLACES = ("Norway", "Chile", "Kenya", "Japan", "Peru", "Ghana")


def source(i: int) -> Source:
    name, job, other = NAMES[i], JOBS[i], JOBS[(i + 1) % 6]
    place, year = PLACES[i], 1900 + 7 * i
    first = Passage(id=f"{i}a", title=name, types=("person", job), text=f"{name} was born in {place} in {year}.")
    second = Passage(id=f"{i}b", title=name, types=("person", other), text=f"A {other} of the city of Brno.")
    question = f"Do you mean {job} {name} from {place} born in {year} or {other} {name}?"
    return Source(f"q{i}", f"Who is {name}?", question, (first, second), name)


KNOWN = [source(i) for i in range(6)]
MADE: dict[str, list[Fault]] = {s.id: FaultMaker(KNOWN, 3).make(s) for s in KNOWN}


def test_every_kind_is_made_and_changes_the_question() -> None:
    kinds = {f.kind for made in MADE.values() for f in made}
    assert kinds == {"a", "b", "c1", "c2", "c3", "c4", "d", "e", "f"}
    for s in KNOWN:
        assert all(f.question != s.question for f in MADE[s.id])


@pytest.mark.parametrize("kind", ["c1", "c2", "c3"])
def test_replacements_are_nowhere_in_d(kind: str) -> None:
    for s in KNOWN:
        passages = [prepare(p) for p in s.passages]
        for fault in (f for f in MADE[s.id] if f.kind == kind):
            new = content_keys(fault.after) - content_keys(fault.before)
            assert new and not any(p.has(k) for k in new for p in passages)
            assert fault.question.replace(fault.after, fault.before) == s.question


def test_recombined_options_have_every_word_in_d_but_in_no_single_passage() -> None:
    found = [(s, f) for s in KNOWN for f in MADE[s.id] if f.kind == "c4"]
    assert found
    for s, fault in found:
        passages = [prepare(p) for p in s.passages]
        terms = content_keys(fault.after) - content_keys(s.query)
        assert all(any(p.has(t) for p in passages) for t in terms)
        assert not any(all(p.has(t) for t in terms) for p in passages)


def test_other_questions_and_donors_carry_this_name() -> None:
    for s in KNOWN:
        for fault in MADE[s.id]:
            if fault.kind in ("a", "b"):
                assert s.cluster in fault.after and fault.donor != s.id


def test_the_same_seed_makes_the_same_faults() -> None:
    again = FaultMaker(KNOWN, 3)
    assert [again.make(s) for s in reversed(KNOWN)] == [MADE[s.id] for s in reversed(KNOWN)]


def test_examples_without_gold_or_passages_are_no_sources() -> None:
    bare = ClarificationExample(id="x", query="x")
    assert sources([bare]) == []


def test_auc_by_hand() -> None:
    assert auc(np.array([1.0, 2.0]), np.array([0.0, 1.0])) == pytest.approx(3.5 / 4)
    assert auc(np.array([1.0]), np.array([-np.inf])) == 1.0


def test_separation_counts_unscored_faults_as_lowest() -> None:
    found = separation(np.array([0.5, 0.6, np.nan]), np.array([np.nan, 0.1, 0.1]), ["a", "b", "c"], 0)
    assert found.auc == 1.0 and found.n == 2 and found.paired == 1.0
    nuisance = separation(np.array([1.0, 2.0]), np.array([3.0, 4.0]), ["a", "b"], 0, nuisance=True)
    assert nuisance.auc == 1.0


def test_the_metrics_notice_what_nuisance_metrics_do_not() -> None:
    report = validate_faults(KNOWN)
    assert report.items == 6
    for kind in ("b", "c1", "c2", "c3", "c4", "d", "e"):
        found = report.separations[kind]
        assert found["headline"].auc > 0.9, kind
        if kind not in ("d", "e"):
            assert found["faith_strict"].auc > 0.9, kind
            assert found["length"].auc < 0.9, kind
    assert report.separations["f"]["headline"].moved < 0.02
    assert report.applies["d"] == 1.0


def test_empty_questions_come_in_all_lengths() -> None:
    lengths = {len(q.split()) for q in EMPTY_QUESTIONS}
    assert min(lengths) <= 5 and max(lengths) >= 22
    assert query_overlap("What do you mean?", "Who built Luna?") == 0.0


def test_fitting_puts_supported_claims_above_faulty_ones() -> None:
    labelled = labelled_claims(KNOWN, seed=5)
    assert {c.supported for c in labelled} == {True, False}
    fit = fit_support(labelled)
    assert fit.lexical > 0 and fit.entailment == 0.0 and 0 < fit.tau < 1


def test_tau_lets_at_most_the_rate_through() -> None:
    scores = np.array([0.1, *[0.5 + i / 1000 for i in range(99)]])
    below = np.linspace(0.0, 0.3, 50)
    assert (scores < threshold(scores, below, rate=0.05)).mean() <= 0.05
    assert threshold(np.full(10, 0.7), np.array([0.1])) == pytest.approx(0.4)
    assert threshold(np.full(10, 0.7), np.array([])) < 0.7
    # A few wrong labels do not drag it down, and it lies where both sides part.
    assert 0.3 < threshold(np.array([0.1] + [0.8] * 40), np.array([0.2, 0.3, 0.9])) < 0.8
    heavy = threshold(np.array([0.5, *[0.8] * 30]), np.array([0.1, 0.6]), np.array([1.0, 9.0]))
    assert 0.6 < heavy < 0.8
