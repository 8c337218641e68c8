from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entailment_support import FakeModel
from rac.errors import UserError
from rac.metrics import entailment
from rac.metrics.entailment import EntailmentScorer, load_entailment, token_batches
from rac.metrics.entailment_cache import EntailmentCache, cache_key
from rac.metrics.entailment_windows import HEAD_WORDS, OVERLAP_WORDS, spell_lifetimes, split_sentences, windows
from rac.records import Passage

words = st.lists(
    st.sampled_from(["Ulm", "is", "a", "town.", "Dr.", "J.", "It", "grew!", "U.S.", "1982", "“So"]), max_size=90
)


# ---- windows


def test_windows_carry_title_types_and_description() -> None:
    passage = Passage(
        id="p", title="Luna", types=("moon",), description="Satellite", text="It is grey. It is round. It is far."
    )
    assert windows(passage) == [
        "Luna (moon, Satellite): It is grey. It is round.",
        "Luna (moon, Satellite): It is far.",
    ]
    assert windows(passage, sentences=1)[1] == "Luna (moon, Satellite): It is round."


def test_windows_without_title_types_or_text() -> None:
    assert windows(Passage(id="p")) == []
    assert windows(Passage(id="p", title="Luna")) == ["Luna"]
    assert windows(Passage(id="p", types=("moon",), text="Grey.")) == ["(moon): Grey."]
    assert windows(Passage(id="p", text="Grey.")) == ["Grey."]


def test_types_beyond_the_head_get_windows_of_their_own() -> None:
    types = tuple(f"type number {i}" for i in range(20))
    made = windows(Passage(id="p", title="Luna", types=types, text="It is grey."))
    assert len(made) > 1
    assert all(any(t in w for w in made) for t in types)
    assert all(len(w.partition("(")[2].split()) <= HEAD_WORDS + 4 for w in made)


@given(words, st.integers(1, 3), st.integers(OVERLAP_WORDS + 1, 60))
@settings(deadline=None, max_examples=100)
def test_windows_lose_no_word(text: list[str], sentences: int, max_words: int) -> None:
    made = windows(Passage(id="p", title="T", text=" ".join(text)), sentences=sentences, max_words=max_words)
    bodies = [w.removeprefix("T: ").split() for w in made] if text else []
    assert all(len(body) <= max_words for body in bodies)
    assert [w for w in text if w not in {v for body in bodies for v in body}] == []
    if len(text) <= max_words:  # nothing is laid over two windows, so the words are all there, once, in order
        assert [w for body in bodies for w in body] == text


@pytest.mark.parametrize("bad", [{"sentences": 0}, {"max_words": OVERLAP_WORDS}])
def test_impossible_window_sizes_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="sentences"):
        windows(Passage(id="p", text="A."), **bad)


def test_sentences_end_neither_at_initials_nor_at_abbreviations() -> None:
    text = "J. R. Smith met Dr. Foo in the U.S. in 1950. “He left.” It rained!\n\nno capital here"
    assert split_sentences(text) == [
        "J. R. Smith met Dr. Foo in the U.S. in 1950.", "“He left.”", "It rained!", "no capital here"
    ]  # fmt: skip


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=100)
def test_sentences_keep_every_word_in_order(text: str) -> None:
    assert " ".join(split_sentences(text)).split() == text.split()


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("A (October 27, 1909 – September 24, 2006) was", "A (born October 27, 1909, died September 24, 2006) was"),
        ("A (born 3 May 1879 – 1955) was", "A (born 3 May 1879, died 1955) was"),
        ("A (1899–) was", "A (born 1899) was"),
        ("Dune (1984 film): A (1984) is 4 km (2.5 mi) long", "Dune (1984 film): A (1984) is 4 km (2.5 mi) long"),
    ],
)
def test_lifetimes_are_spelled_out_and_nothing_else(text: str, spelled: str) -> None:
    assert spell_lifetimes(text) == spelled


# ---- scorer


def test_scores_come_in_the_order_of_the_pairs_and_equal_pairs_are_computed_once() -> None:
    model = FakeModel()
    scorer = EntailmentScorer(model)
    pairs = [("a b c", "a b"), ("a", "z"), ("a b c", "a b"), ("a b", "a z")]
    assert scorer.entail_probs(pairs).tolist() == [1.0, 0.0, 1.0, 0.5]
    assert sorted(model.seen) == sorted(set(pairs))
    assert (scorer.requested, scorer.computed) == (4, 3)


def test_what_was_prefetched_or_asked_before_is_not_computed_again() -> None:
    model = FakeModel()
    scorer = EntailmentScorer(model)
    scorer.prefetch([("a b", "a"), ("a b", "not a"), ("a b", "a")])
    assert scorer.entail_probs([("a b", "a"), ("a", "b")]).tolist() == [1.0, 0.0]
    assert scorer.addressed_probs([("a b", "not a")]).tolist() == [0.9]
    assert scorer.entail_probs([("a", "b")]).tolist() == [0.0]
    assert sorted(model.seen) == [("a", "b"), ("a b", "a"), ("a b", "not a")]


def test_memory_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entailment, "MEMORY_PAIRS", 2)
    model = FakeModel()
    scorer = EntailmentScorer(model)
    for word in "abcdef":
        scorer.entail_probs([(word, word)])
    scorer.entail_probs([("f", "f"), ("e", "e"), ("a", "a")])
    assert model.seen.count(("a", "a")) == 2 and model.seen.count(("f", "f")) == 1


def test_more_pairs_may_be_asked_for_at_once_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entailment, "MEMORY_PAIRS", 2)
    assert EntailmentScorer(FakeModel()).entail_probs([(word, word) for word in "abcdef"]).tolist() == [1.0] * 6


def test_a_pair_that_another_thread_stores_meanwhile_has_its_score() -> None:
    class Shared(dict[tuple[str, str], tuple[float, float]]):
        """A memory into which another thread puts every pair just after it was looked up."""

        def get(self, pair: Any, default: Any = None) -> Any:
            found = super().get(pair, default)
            self[pair] = (1.0, 0.05)
            return found

    scorer = EntailmentScorer(FakeModel())
    scorer._memory = Shared()
    assert scorer.entail_probs([("a b", "a")]).tolist() == [1.0]


def test_what_a_thread_stores_while_another_forgets_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entailment, "MEMORY_PAIRS", 2)
    model = FakeModel()
    scorer = EntailmentScorer(model)
    other = threading.Thread(target=scorer.entail_probs, args=([("z", "z")],))

    class Walked(dict[tuple[str, str], tuple[float, float]]):
        """A memory that another thread wants to store a pair in as soon as it is walked over."""

        def items(self) -> Any:
            for item in super().items():
                if other.ident is None:
                    other.start()
                    other.join(0.3)
                yield item

    scorer._memory = Walked({(word, word): (1.0, 0.05) for word in "abcd"})
    assert scorer.entail_probs([("e", "e")]).tolist() == [1.0]
    other.join()
    assert scorer.entail_probs([("e", "e"), ("z", "z")]).tolist() == [1.0, 1.0]
    assert sorted(model.seen) == [("e", "e"), ("z", "z")]


def test_no_pairs_give_no_scores() -> None:
    assert EntailmentScorer(FakeModel()).entail_probs([]).shape == (0,)


def test_a_topic_is_addressed_in_either_polarity() -> None:
    scorer = EntailmentScorer(FakeModel())
    assert scorer.addressed_probs([("a", "a"), ("a", "not b")]).tolist() == [1.0, 0.9]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "a b", "c not"])), max_size=30), st.integers(1, 20)
)
@settings(deadline=None, max_examples=60)
def test_batching_changes_no_score(pairs: list[tuple[str, str]], budget: int) -> None:
    together = EntailmentScorer(FakeModel(), batch_tokens=budget).entail_probs(pairs)
    alone = [EntailmentScorer(FakeModel()).entail_probs([pair])[0] for pair in pairs]
    assert together.tolist() == alone


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 120))
@settings(deadline=None, max_examples=100)
def test_batches_hold_every_item_once_and_keep_the_budget(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= budget for b in batches)


def test_cut_texts_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    scorer = EntailmentScorer(FakeModel(limit=3))
    scorer.entail_probs([("a b c d", "a"), ("a", "a")])
    assert scorer.truncated == 1
    assert "1 texts were longer" in caplog.text


def test_a_batch_needs_tokens() -> None:
    with pytest.raises(UserError, match="batch_tokens is 0"):
        EntailmentScorer(FakeModel(), batch_tokens=0)


def test_signature_names_model_and_revision_and_only_the_small_model_has_a_note() -> None:
    scorer = EntailmentScorer(FakeModel())
    assert (scorer.signature, scorer.note, scorer.embedded) == ("nli:fake@r1", "", False)


# ---- cache


def test_cached_pairs_are_not_computed_again_even_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cache.sqlite"
    pairs = [("a b", "a"), ("a b", "not a")]
    first = EntailmentScorer(FakeModel(), cache=EntailmentCache(path))
    expected = first.entail_probs(pairs).tolist()
    model = FakeModel()
    second = EntailmentScorer(model, cache=EntailmentCache(path))
    assert second.entail_probs(pairs).tolist() == expected
    assert second.addressed_probs(pairs).tolist() == first.addressed_probs(pairs).tolist()
    assert model.seen == []
    assert len(EntailmentCache(path)) == 2


def test_another_revision_does_not_see_the_cache(tmp_path: Path) -> None:
    EntailmentScorer(FakeModel("r1"), cache=EntailmentCache(tmp_path / "c")).entail_probs([("a", "a")])
    model = FakeModel("r2")
    EntailmentScorer(model, cache=EntailmentCache(tmp_path / "c")).entail_probs([("a", "a")])
    assert model.seen == [("a", "a")]


def test_cache_remembers_that_a_model_has_no_contradiction_class(tmp_path: Path) -> None:
    cache = EntailmentCache(tmp_path / "c")
    cache.put([(b"k", 0.25, None)])
    assert cache.get([b"k", b"other"]) == {b"k": (0.25, None)}


def test_many_keys_are_looked_up_in_parts(tmp_path: Path) -> None:
    cache = EntailmentCache(tmp_path / "c")
    keys = [i.to_bytes(4, "big") for i in range(1203)]
    cache.put((k, 0.5, 0.25) for k in keys)
    assert set(cache.get(keys)) == set(keys)


def test_joined_texts_have_other_keys() -> None:
    assert cache_key("m", "r", "ab", "c") != cache_key("m", "r", "a", "bc")
    assert cache_key("m", "r", "\ud800", "c") == cache_key("m", "r", "\ud800", "c")


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_text("this is no database, and long enough to be read as a header by SQLite " * 20)
    with pytest.raises(UserError, match="cannot be used"):
        load_cache = EntailmentCache(path)
        load_cache.get([b"k"])
    assert path.read_text().startswith("this is no database")


def test_an_unknown_model_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be loaded"):
        load_entailment(str(tmp_path))


def test_probabilities_are_numbers_in_range() -> None:
    probs = EntailmentScorer(FakeModel()).entail_probs([("a b", "a"), ("", "")])
    assert probs.dtype == np.float64 and ((probs >= 0) & (probs <= 1)).all()
