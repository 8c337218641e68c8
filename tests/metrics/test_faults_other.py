"""Faults of other makes, and the labels of the second annotator."""

from __future__ import annotations

import pytest

from rac.errors import DataError
from rac.metrics import second_labels
from rac.metrics.claims import claims
from rac.metrics.faults import Source
from rac.metrics.faults_other import CONTROLS, OTHER_KINDS, OtherFaultMaker
from rac.metrics.lexical import prepare
from rac.metrics.output_validation import offers_choice, read_outputs
from rac.metrics.second_labels import agreed_outputs, agreed_questions, label_agreement, second_outputs
from rac.metrics.text import content_keys
from rac.metrics.validation import validate_faults
from rac.records import Passage

JOBS = ("actor", "painter", "chemist", "boxer", "poet", "judge")
PLACES = ("Norway", "Chile", "Kenya", "Japan", "Peru", "Ghana")
NAMES = ("Luna", "Orion", "Delta", "Aurora", "Vega", "Nova")


def source(i: int) -> Source:
    name, job, other, place = NAMES[i], JOBS[i], JOBS[(i + 1) % 6], PLACES[i]
    passages = (
        Passage(id=f"{i}a", title=name, types=("person", job), text=f"{name} was born in {place}, known for a film."),
        Passage(id=f"{i}b", title=name, types=("person", other), text=f"A person of the Tower in Brno, in {1900 + i}."),
    )
    return Source(f"q{i}", f"Who is {name}?", f"Do you mean {job} {name} or {other} {name}?", passages, name)


KNOWN = [source(i) for i in range(6)]
MADE = {s.id: OtherFaultMaker(KNOWN, 2).make(s) for s in KNOWN}


def test_every_kind_but_aliases_is_made_here() -> None:
    assert {f.kind for made in MADE.values() for f in made} | {"aliases"} == set(OTHER_KINDS)
    assert [f.question for f in OtherFaultMaker(KNOWN, 2).make(KNOWN[0])] == [f.question for f in MADE["q0"]]


@pytest.mark.parametrize("kind", ["name", "type", "date", "place", "world"])
def test_what_is_put_in_is_nowhere_in_d(kind: str) -> None:
    for s in KNOWN:
        passages = [prepare(p) for p in s.passages]
        for fault in (f for f in MADE[s.id] if f.kind == kind):
            new = content_keys(fault.after) - content_keys(fault.before) - content_keys(s.query)
            assert new and not any(p.has(k) for p in passages for k in new)


def test_a_third_option_is_added_and_a_control_keeps_both() -> None:
    for s in KNOWN:
        by_kind = {f.kind: f for f in MADE[s.id]}
        assert len(claims(by_kind["third"].question, s.query)) == 3
        assert {c.text for c in claims(by_kind["control"].question, s.query)} == {o.text for o in s.options}
        assert not claims(by_kind["vague"].question, s.query) or s.cluster in by_kind["vague"].question


def test_the_headline_tells_them_apart_and_controls_do_not_move_it() -> None:
    report = validate_faults(KNOWN, maker=OtherFaultMaker(KNOWN, 2))
    for kind, own in report.separations.items():
        if kind in CONTROLS:
            assert own["headline"].moved < 0.02, kind
        else:
            assert own["headline"].auc > 0.9, kind


def test_perplexity_is_computed_for_a_sample_only() -> None:
    asked: list[str] = []

    def measure(texts):
        asked.extend(texts)
        return [1.0] * len(texts)

    report = validate_faults(KNOWN, maker=OtherFaultMaker(KNOWN, 2), perplexity=measure, perplexity_sample=2)
    assert set(asked) <= {s.question for s in KNOWN[:2]} | {f.question for s in KNOWN[:2] for f in MADE[s.id]}
    assert report.separations["name"]["perplexity"].n == 2


def test_the_second_annotator_agrees_and_what_both_say_is_kept() -> None:
    first, second = read_outputs("locked"), second_outputs()
    found = label_agreement(first, second)
    assert found.claims >= found.judged > 250 and found.questions > 130
    assert found.judged_kappa > 0.8 and found.question_kappa > 0.8 and found.facets.f1 > 0.9
    agreed = agreed_outputs(first, second)
    differing = sum(
        x is not y for a, b in zip(first, second, strict=True) for x, y in zip(a.supported, b.supported, strict=True)
    )
    dropped = sum(a.supported.count(None) for a in agreed) - sum(
        x is None and y is None
        for a, b in zip(first, second, strict=True)
        for x, y in zip(a.supported, b.supported, strict=True)
    )
    assert dropped == differing > 0
    assert 0 < len(agreed_questions(first, second)) <= len(first)
    assert {offers_choice(o) for o in first} == {True, False}


def test_changed_labels_are_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "second_labels_outputs.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(second_labels, "DATA", tmp_path)
    with pytest.raises(DataError, match="locked"):
        second_outputs()
