from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, words
from rac.benchmarks.splits import carve, connect, fold_of, folds, place, take_part
from rac.errors import UserError
from rac.records import ClarificationExample


def make(groups: list[str]) -> list[ClarificationExample]:
    return [ClarificationExample(id=f"e{i}", query="q", group=g, split="dev") for i, g in enumerate(groups)]


MANY = make([f"topic {i % 90}" for i in range(300)])


@given(words, words)
@SOME
def test_place_is_in_the_unit_interval_and_depends_on_the_names_only(cluster: str, salt: str) -> None:
    assert 0 <= place(cluster, salt) < 1
    assert place(cluster, salt) == place(cluster, salt)
    assert 1 <= fold_of(cluster, 7) <= 7


def test_place_is_pinned_because_published_tables_depend_on_it() -> None:
    digest = hashlib.sha256(b"split\x1ftrec-web-1").hexdigest()
    assert place("trec-web-1", "split") == int(digest[:12], 16) / 16**12 == pytest.approx(0.28857, abs=1e-6)
    assert [fold_of(f"trec-web-{i}", 5) for i in range(1, 9)] == [3, 5, 3, 1, 4, 1, 1, 3]


def test_folds_hold_every_example_out_once_and_cross_no_cluster() -> None:
    held: Counter[str] = Counter()
    for train, held_out in folds(MANY, 5):
        assert len(train) + len(held_out) == len(MANY)
        assert not {e.cluster for e in train} & {e.cluster for e in held_out}
        held.update(e.id for e in held_out)
    assert held == Counter(e.id for e in MANY)


def test_a_fold_does_not_depend_on_the_other_examples() -> None:
    assert take_part(MANY[:150], "fold 2/5") == [e for e in take_part(MANY, "fold 2/5") if e in MANY[:150]]


def test_carving_keeps_clusters_together_and_remembers_the_published_split() -> None:
    carved = carve(MANY, (("train", 0.7), ("evaluation", 0.3)))
    by_group: dict[str, set[str]] = {}
    for example in carved:
        by_group.setdefault(example.cluster, set()).add(example.split)
        assert example.meta["published_split"] == "dev"
    assert all(len(splits) == 1 for splits in by_group.values())
    share = sum(e.split == "train" for e in carved) / len(carved)
    assert 0.55 < share < 0.85


@pytest.mark.parametrize("part", ["fold", "fold 0/5", "fold 6/5", "train", "fold a/b", "but 1", ""])
def test_other_parts_are_refused(part: str) -> None:
    with pytest.raises(UserError, match="fold 1/5"):
        take_part(MANY, part)


def test_too_many_folds_are_refused() -> None:
    with pytest.raises(UserError, match="1 clusters are too few"):
        folds(make(["one"]), 3)
    with pytest.raises(UserError, match="at least 2"):
        folds(MANY, 1)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 6), max_size=3), max_size=8))
@SOME
def test_connect_is_the_transitive_closure_of_sharing(items: dict[str, list[int]]) -> None:
    found = connect({k: [str(v) for v in vs] for k, vs in items.items()})
    reach = {k: {k} for k in items}
    for _ in items:
        for a in items:
            for b in items:
                if set(items[a]) & set(items[b]) or reach[a] & reach[b]:
                    reach[a] = reach[b] = reach[a] | reach[b]
    order = list(items)
    assert found == {k: min(reach[k], key=order.index) for k in items}
