"""The data card of bootstrapped data: what it is, counts and rejections of every step, samples to read."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from rac.corpus.bootstrap.build import BootstrapResult
from rac.corpus.bootstrap_settings import Bootstrap
from rac.records import ClarificationExample

SAMPLES = 20


def data_card(result: BootstrapResult, settings: Bootstrap, seed: int, corpus: str) -> str:
    """Return the data card as Markdown.

    Args:
        result: The data.
        settings: How it was made.
        seed: Seed of all choices; also chooses the samples shown.
        corpus: Name or path of the corpus, as the user gave it.
    """
    counts = result.counts
    lines = [
        f"# Clarification data from `{corpus}`",
        "",
        f"{len(result.examples)} queries with {counts.get('gold questions', 0)} gold questions, made by "
        f"`rac bootstrap` (seed {seed}) from {counts['passages']} passages without any labels. "
        "Nobody has checked them one by one: queries are ambiguous names, words and classes found in the "
        "corpus, and questions follow patterns.",
        "",
        "Every option names a passage that the index returned for the query and uses words of that passage only.",
        "The text of options is the corpus's: its licence applies to this data as well.",
        "",
        "## Settings",
        "",
        *_table(("setting", "value"), [(name, str(value)) for name, value in settings.model_dump().items()]),
        "",
        "## Splits",
        "",
        "All queries of one ambiguous term are in one split, and no passage is an option in two splits.",
        "",
        *_table(("split", "queries"), _pick(counts, "examples: ")),
        "",
        *[
            f"- {share:.0%} of the passages that {split} queries retrieve are retrieved by training queries as well."
            for split, share in result.leakage.items()
        ],
        "",
        "## What was found and kept",
        "",
        *_table(("terms", "count"), _pick(counts, "terms: ")),
        "",
        *_table(("queries of kind", "count"), _pick(counts, "examples of kind: ")),
        "",
        *_table(("queries of form", "count"), _pick(counts, "examples of form: ")),
        "",
        "## What was left out, and why",
        "",
        *_table(("step and reason", "count"), _left_out(counts)),
        "",
        "## Samples",
        "",
        *_samples(result.examples, seed),
    ]
    return "\n".join(lines) + "\n"


def _pick(counts: Mapping[str, int], prefix: str) -> list[tuple[str, str]]:
    return [(name.removeprefix(prefix), str(n)) for name, n in sorted(counts.items()) if name.startswith(prefix)]


def _left_out(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    tried = [("queries tried", str(counts.get("queries tried", 0)))]
    return tried + [(name, str(n)) for name, n in sorted(counts.items()) if " left out: " in name]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(_plain(cell) for cell in row) + " |" for row in rows]


def _plain(text: str) -> str:
    """Return corpus text as plain Markdown: one line, nothing read as markup."""
    text = " ".join(text.split())
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return text


def _samples(examples: Sequence[ClarificationExample], seed: int) -> list[str]:
    chosen = random.Random(f"{seed} card").sample(range(len(examples)), min(SAMPLES, len(examples)))
    lines = []
    for number in sorted(chosen):
        example = examples[number]
        lines.append(f"- **{_plain(example.query)}** ({example.meta['kind']}, {example.split})")
        lines += [f"  - {_plain(question)}" for question in example.questions]
    return lines
