from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, examples
from rac.benchmarks import READERS
from rac.benchmarks.describe import count_words, damage, describe, summary
from rac.benchmarks.describe_text import render
from rac.benchmarks.gold_grounding import content_stems, gold_grounding, question_grounding
from rac.records import ClarificationExample, Passage

DUNE = Passage(id="p", title="Dune", types=("film",), text="A film of 1984, directed by David Lynch.")
NOVEL = Passage(id="n", title="Dune", description="1965 novel", text="Written by Frank Herbert.")


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Do you mean the film or the novel?", 1.0),
        ("Do you mean the films directed by Lynch?", 1.0),
        ("Do you mean the film or the game?", 0.5),
        ("Do you mean Dune?", None),
        ("What do you mean?", None),
        ("Do you mean the song of 1999?", 0.0),
    ],
)
def test_question_grounding(question: str, value: float | None) -> None:
    assert question_grounding(question, "dune", [DUNE, NOVEL]) == value
    assert question_grounding(question, "dune", []) is None


def test_gold_grounding_counts_what_it_cannot_score() -> None:
    example = ClarificationExample(
        id="a", query="dune", questions=("the film?", "the game or film?", "which?"), passages=(DUNE,), facets=("film",)
    )
    bare = ClarificationExample(id="b", query="x", questions=("the film?",))
    assert gold_grounding([example, bare]) == {"scored": 2, "unscored": 2, "mean": 0.75, "full": 0.5}
    assert gold_grounding([example], texts_of=lambda e: e.facets)["mean"] == 1
    assert gold_grounding([bare], passages_of=lambda e: [DUNE])["mean"] == 1
    assert gold_grounding([]) == {"scored": 0, "unscored": 0, "mean": None, "full": None}
    assert content_stems("Do you mean the Films?") == ["film"]


def test_summary() -> None:
    assert summary([]) == {"n": 0, "mean": None, "median": None, "p95": None, "max": None}
    assert summary([3, 1, 2]) == {"n": 3, "mean": 2, "median": 2, "p95": 3, "max": 3}
    assert summary(list(range(1, 101)))["p95"] == 95
    assert summary([1, 2])["median"] == 1.5


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
@SOME
def test_summary_is_ordered(values: list[int]) -> None:
    found = summary(values)
    assert min(values) <= found["median"] <= found["p95"] <= found["max"] == max(values)
    at_most = sum(v <= found["p95"] for v in values)
    assert at_most >= 0.95 * len(values)


def test_a_hand_counted_description() -> None:
    one = ClarificationExample(
        id="1", query="dune", questions=("the film?", "the game?"), facets=("film", "game", "book"), split="train",
        passages=(DUNE, NOVEL), passage_ids=("z",), qrels={"p": 1}, labels={"l": 1}, meta={"natural": True},
    )  # fmt: skip
    two = one.model_copy(
        update={"id": "2", "split": "dev", "questions": (), "history": ({"role": "user", "text": "hi"},)}
    )
    three = two.model_copy(update={"id": "3", "query": "caf\u00c3\u00a9", "meta": {}, "labels": {}})
    found = describe(
        [two, one, three, three],
        [DUNE, NOVEL, NOVEL.model_copy(update={"id": "m"})],
        others={"same": [one], "none": []},
    )
    assert list(found["splits"]) == ["train", "dev"]
    train, dev = found["splits"]["train"], found["splits"]["dev"]
    assert (train["queries"], train["questions"], train["groups"], train["with_labels"]) == (1, 2, 1, 1)
    assert train["questions_per_query"]["mean"] == 2 and train["facets_per_query"]["mean"] == 3
    assert train["gold_passages_per_query"]["mean"] == 3 and train["judged_per_query"]["mean"] == 1
    assert train["question_tokens"]["mean"] == 3
    assert train["passage_tokens"]["n"] == 2
    assert train["grounding"]["mean"] == 0.5
    assert "natural" not in train and dev["natural"]["queries"] == 1
    assert (dev["queries"], dev["different_queries"], dev["without_question"], dev["with_history"]) == (3, 2, 3, 3)
    assert found["corpus"]["passages"] == 3 and found["corpus"]["repeated_texts"] == 1
    assert found["leakage"][0]["from"] == "train" and found["leakage"][0]["queries"] == 1
    assert list(found["shared"]) == ["same"] and found["compared"] == ["same", "none"]
    assert found["notes"] == {
        "queries with mojibake": 2, "examples that repeat another but for id, labels and notes": 1,
    }  # fmt: skip
    lengths = describe([one], count_tokens=len)["splits"]["train"]["query_tokens"]
    assert lengths["mean"] == 4


def test_damage_is_counted() -> None:
    passages = [Passage(id="a", text=" "), Passage(id="b", text="it鈥檚")]
    doubled = ClarificationExample(id="1", query="q", questions=("a?", "a?"), facets=("x\ufffd",))
    assert damage([doubled], passages) == {
        "facets with mojibake": 1, "examples that list a gold question twice": 1, "passages with mojibake": 1,
        "passages without text": 1,
    }  # fmt: skip
    assert count_words("It's 5!") == 5


@given(st.lists(examples, max_size=4))
@SOME
def test_anything_can_be_described_as_json_and_as_text(found: list[ClarificationExample]) -> None:
    description = describe(found, [p for e in found for p in e.passages], others={"itself": found})
    json.dumps(description, allow_nan=False)
    text = render({"source": "x", "unit": "words", "counts": {"a": 1}, "not_here": [], **description})
    assert "Shared with other benchmarks" in text


def test_figures_of_the_real_files(mirror: Path) -> None:
    claqua = READERS["claqua"].read(mirror)
    found = describe(claqua.examples, claqua.corpus)
    validation = found["splits"]["validation"]
    assert validation["natural"]["queries"] == 281
    assert validation["facet_grounding"]["full"] > 0.98
    leak = found["leakage"][0]
    assert (leak["queries"], leak["near_queries"], leak["groups"], leak["passages"]) == (0, 8, 25, 28)
    sharc = READERS["white-sharc"].read(mirror)
    leak = describe(sharc.examples)["leakage"][0]
    assert (leak["groups"], leak["of_groups"], leak["passages"]) == (23, 51, 23)
