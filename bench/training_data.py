"""The batches of ``bench/training.py``: CLAQUA pairs, short and long, and ClariQ queries with all their questions."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rac.benchmarks import READERS
from rac.corpus import read_corpus
from rac.prompting import PromptSettings, build_prompt, encode_question
from rac.records import ClarificationExample, Passage
from rac.retrieval import build_index
from rac.retrieval.settings import IndexSettings
from rac.training.packing import Tree
from training_peers import Example


def _example(
    tokenizer: Any, identity: str, query: str, passages: Sequence[Passage], questions: list[str], passage_tokens: int
) -> Example:
    settings = PromptSettings(top_k=len(passages), passage_tokens=passage_tokens, max_tokens=4096)
    prompt = build_prompt(tokenizer, query, passages, settings)
    branches = [encode_question(tokenizer, question) for question in questions]
    return Example(Tree(identity, list(prompt.ids), branches), prompt.text, questions)


def example_of(
    tokenizer: Any, example: ClarificationExample, passages: Sequence[Passage], questions: list[str], tokens: int
) -> Example:
    """Return a benchmark's example with D and questions; passages are cut to ``tokens``."""
    return _example(tokenizer, example.id, example.query, passages, questions, tokens)


def _search(passages: list[Passage], queries: list[str], top_k: int) -> list[list[Passage]]:
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(passages, IndexSettings(), Path(folder) / "index")
        return [[hit.passage for hit in hits] for hits in index.search_batch(queries, top_k)]


def claqua_pairs(tokenizer: Any, mirror: Path, count: int, *, retrieved: bool, seed: int = 0) -> list[Example]:
    """Pairs over CLAQUA: the gold question against another query's, with the name put in its place.

    Args:
        tokenizer: The model's.
        mirror: Folder with the benchmark's files.
        count: Number of pairs.
        retrieved: D is the top five of BM25, uncut, (prompts of about 600 tokens) instead of the two gold passages.
        seed: Which ones.
    """
    data = READERS["claqua"].read(mirror, "train")
    examples = [e for e in data.examples if e.meta.get("natural") and e.questions and e.group]
    random.Random(seed).shuffle(examples)
    examples = examples[: 2 * count]
    chosen, donors = examples[:count], examples[count:]
    gold = [list(e.passages) for e in chosen]
    passages = _search(data.corpus, [e.query for e in chosen], 5) if retrieved else gold
    return [
        _example(
            tokenizer, e.id, e.query, found, [e.questions[0], _renamed(donor, e)], 160 if retrieved else 56
        )
        for e, found, donor in zip(chosen, passages, donors, strict=True)
    ]  # fmt: skip


def _renamed(donor: ClarificationExample, receiver: ClarificationExample) -> str:
    return donor.questions[0].replace(donor.group, receiver.group)


def clariq_queries(tokenizer: Any, mirror: Path, count: int, *, questions: int = 13, seed: int = 0) -> list[Example]:
    """ClariQ queries with all their questions; D is the top five of the embedded Wikipedia, as ClariQ brings none.

    Args:
        tokenizer: The model's.
        mirror: Folder with the benchmark's files.
        count: Number of queries.
        questions: Questions for each; queries with fewer are left out (13 is the mean of the data set).
        seed: Which ones.
    """
    data = READERS["clariq"].read(mirror, "train")
    examples = [e for e in data.examples if len(e.questions) >= questions]
    random.Random(seed).shuffle(examples)
    examples = examples[:count]
    passages = _search(list(read_corpus("wikipedia")), [e.query for e in examples], 5)
    return [
        _example(tokenizer, e.id, e.query, found, list(e.questions[:questions]), 80)
        for e, found in zip(examples, passages, strict=True)
    ]


def invented(tokenizer: Any, count: int, *, questions: int, prompt_words: int, seed: int = 0) -> list[Example]:
    """Examples of random words, for trying the bench out where no benchmark files are."""
    generator = random.Random(seed)

    def words(number: int) -> str:
        return " ".join("".join(generator.choices("abcdefghij", k=4)) for _ in range(number))

    return [
        _example(
            tokenizer, f"q{number}", words(2), [Passage(id="p", text=words(prompt_words + number))],
            [f"do you mean {words(2 + k)}?" for k in range(questions)], 4096,
        )
        for number in range(count)
    ]  # fmt: skip
