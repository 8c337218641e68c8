from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME
from rac.benchmarks import READERS
from rac.benchmarks.leakage import NEAR, near_duplicates, overlap
from rac.records import ClarificationExample, Passage


def make(
    identity: str, query: str, *questions: str, group: str = "", passages: tuple[str, ...] = ()
) -> ClarificationExample:
    return ClarificationExample(
        id=identity, query=query, questions=questions, group=group,
        passages=tuple(Passage(id=f"{identity}-{p}", text=p) for p in passages),
    )  # fmt: skip


def test_overlap_counts_things_of_the_right_side() -> None:
    left = [
        make("a", "What is Dune?", "the film?", group="g", passages=("Dune is a film.",)),
        make("b", "one two three four five"),
    ]
    right = [
        make("c", "what is dune", "The Film", "the book?", group="g", passages=("dune is a film", "other")),
        make("d", "one two three four five six"),
        make("e", "one two nine four five"),
        make("f", "???"),
    ]
    found = overlap(left, right)
    assert found.to_dict() == {
        "queries": 1, "near_queries": 1, "of_queries": 3, "groups": 1, "of_groups": 4,
        "questions": 1, "of_questions": 2, "passages": 1, "of_passages": 2,
    }  # fmt: skip
    assert found.any and not overlap(left, [make("x", "nothing alike here")]).any
    assert not overlap([], right).any and not overlap(left, []).any


sets = st.lists(st.sampled_from("abcdefgh"), max_size=7).map(tuple)


@given(st.lists(sets, max_size=8), st.lists(sets, max_size=8), st.sampled_from([0.5, 0.75, NEAR, 1.0]))
@SOME
def test_near_duplicates_equal_the_comparison_of_all_pairs(
    left: list[tuple[str, ...]], right: list[tuple[str, ...]], threshold: float
) -> None:
    def near(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
        one, two = set(a), set(b)
        if min(len(one), len(two)) < 3:
            return False
        return len(one & two) * 100 >= round(threshold * 100) * len(one | two)

    assert near_duplicates(left, right, threshold) == {b for b in right if any(near(a, b) for a in left)}


def test_between_real_benchmarks(mirror: Path) -> None:
    data = {name: READERS[name].read(mirror).examples for name in ("clariq", "qulac", "mimics", "mimics-duo")}
    inside = overlap(data["clariq"], data["qulac"])
    assert inside.questions == inside.of_questions == 2592
    assert inside.groups == inside.of_groups == 198
    by_split = {s: [e for e in data["clariq"] if e.split == s] for s in ("train", "dev")}
    qulac = {s: [e for e in data["qulac"] if e.split == s] for s in ("train", "dev")}
    assert overlap(by_split["train"], qulac["dev"]).groups == 0
    assert overlap(qulac["train"], by_split["dev"]).groups == 0
    assert overlap(data["mimics"], data["mimics-duo"]).queries == 5


@pytest.mark.parametrize("name", ["inscit", "abg-coqa", "pacific", "mimics", "mimics-duo", "clariq", "qulac"])
def test_no_group_is_in_two_splits(name: str, mirror: Path) -> None:
    examples = READERS[name].read(mirror).examples
    splits = sorted({e.split for e in examples})
    assert len(splits) == 2
    found = overlap(*([e for e in examples if e.split == s] for s in splits))
    assert found.groups == 0
    if name in ("inscit", "abg-coqa"):
        assert found.passages == 0
