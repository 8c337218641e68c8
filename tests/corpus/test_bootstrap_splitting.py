from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rac.corpus.bootstrap.splitting import leakage, split_groups

GROUPS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.sets(st.integers(0, 30).map(str), min_size=2, max_size=3), max_size=40
)


@settings(deadline=None, max_examples=100)
@given(GROUPS, st.integers(0, 3))
def test_no_passage_is_an_option_in_two_splits(passages_of: dict[str, set[str]], seed: int) -> None:
    sizes = {group: 1 + len(group) for group in passages_of}
    splits = split_groups(passages_of, sizes, {"validation": 0.2, "test": 0.2}, seed)
    assert set(splits.split_of) | set(splits.dropped) == set(passages_of)
    assert not set(splits.split_of) & set(splits.dropped)
    seen: dict[str, str] = {}
    for group, split in splits.split_of.items():
        for passage in passages_of[group]:
            assert seen.setdefault(passage, split) == split
    total = sum(sizes.values())
    for name in ("validation", "test"):
        assert sum(sizes[g] for g, s in splits.split_of.items() if s == name) <= round(0.2 * total)


def test_small_components_fill_the_held_out_splits_without_loss() -> None:
    passages_of = {f"g{n}": {f"p{n}", f"q{n}"} for n in range(100)}
    splits = split_groups(passages_of, dict.fromkeys(passages_of, 1), {"validation": 0.1, "test": 0.2}, 0)
    counts = [list(splits.split_of.values()).count(name) for name in ("train", "validation", "test")]
    assert counts == [70, 10, 20]
    assert splits.dropped == ()


def test_one_large_component_is_cut_and_the_cut_is_reported() -> None:
    passages_of = {f"g{n}": {f"p{n}", f"p{n + 1}"} for n in range(50)}
    splits = split_groups(passages_of, dict.fromkeys(passages_of, 1), {"test": 0.1}, 0)
    assert list(splits.split_of.values()).count("test") == 5
    assert splits.dropped


def test_training_data_is_not_sacrificed_to_the_held_out_splits() -> None:
    passages_of = {f"g{n}": {"the one passage of all", f"p{n}"} for n in range(10)}
    splits = split_groups(passages_of, dict.fromkeys(passages_of, 4), {"test": 0.2}, 0)
    assert set(splits.split_of.values()) == {"train"}
    assert splits.dropped == ()


def test_splits_depend_on_the_seed_only() -> None:
    passages_of = {f"g{n}": {f"p{n}", f"q{n}"} for n in range(40)}
    backwards = dict(reversed(passages_of.items()))
    sizes = dict.fromkeys(passages_of, 1)
    first = split_groups(passages_of, sizes, {"test": 0.2}, 1)
    assert first == split_groups(backwards, sizes, {"test": 0.2}, 1)
    assert first.split_of != split_groups(passages_of, sizes, {"test": 0.2}, 2).split_of


def test_leakage_is_the_share_of_held_out_passages_seen_in_training() -> None:
    retrieved = {"a": {"1", "2"}, "b": {"2", "3"}, "c": {"4"}}
    assert leakage(retrieved, {"a": "train", "b": "test", "c": "validation"}) == {"validation": 0.0, "test": 0.5}
