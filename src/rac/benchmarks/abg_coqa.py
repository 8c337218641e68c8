"""Abg-CoQA (Guo et al., AKBC 2021): ambiguous questions about a story, inside a conversation.

Source: https://github.com/MeiqiGuo/AKBC2021-Abg-CoQA, ``abg-coqa/coqa_abg_val.json``. Licence: MIT. Sizes: 1,092
questions on 495 stories, 130 of them ambiguous, on 106 stories.

One example is one ambiguous turn: ``query`` the turn's question ("What did they remove?"), ``history`` the earlier
questions and answers, ``questions`` the one or two clarifying questions, ``facets`` the users' replies to the first
one without bare yes and no ("I mean with Ray Rice."), ``answers`` the story's answers for each reply,
``meta.replies`` the replies as they stand with all answers of the annotators. ``group`` is the story.

D: the story, cut at sentence ends into passages of at most 100 words, with their offsets; all of a story's passages
are gold (``qrels`` 1), the one that holds the target answer's rationale has grade 2. The corpus is the passages of
all 495 stories. Many stories share wordings like "What did she do?": a query without its history finds little by
itself.

Non-ambiguous turns are left out and counted. Not here: resolved queries, passage titles. Splits: the publisher's
training and test files are not fetched, so the validation file is carved by story into ``train`` (70 %) and
``evaluation``; bring the others by hand as ``publisher-train`` and ``publisher-test``.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.history import turn
from rac.benchmarks.sources import SourceModel, read_source_json, unique_rows
from rac.benchmarks.text import squeeze, stable_id, windows
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "MeiqiGuo/AKBC2021-Abg-CoQA", "3fce317899212847c22e8a6d74dcb0f1b3cb4b56"
PASSAGE_WORDS = 100
"""Longest passage of a story, in words."""

INFO = BenchmarkInfo(
    name="abg-coqa",
    title="Abg-CoQA, ambiguous questions about stories",
    url="https://github.com/MeiqiGuo/AKBC2021-Abg-CoQA",
    licence="MIT",
    citation="Guo et al.: Abg-CoQA: Clarifying Ambiguity in Conversational Question Answering. AKBC 2021",
    splits=("train", "evaluation"),
    passages="its own corpus: all stories in passages of at most 100 words; those of the query's story are gold",
    own_passages=True,
    missing="the publisher's training and test files, resolved queries",
    splitting="carved from the publisher's validation file, 70/30 by story; group = story",
    files=(
        RemoteFile(
            _REPO, _COMMIT, "abg-coqa/coqa_abg_val.json",
            "219f1400873902da47545980869a044507b6875bedfeb5dc42b32dfa67b99c8d", 2648037,
        ),
    ),
    by_hand=(
        ("publisher-train", f"{_REPO}/abg-coqa/coqa_abg_train.json"),
        ("publisher-test", f"{_REPO}/abg-coqa/coqa_abg_test.json"),
    ),
    carved=(("train", 0.7), ("evaluation", 0.3)),
)  # fmt: skip


class _Asked(SourceModel):
    question: str
    answer: str = ""
    span_start: int = -1
    span_end: int = -1


class _Clarification(SourceModel):
    question: str = ""
    answers: list[dict[str, Any]] = Field(default_factory=list)


class _Row(SourceModel):
    id: str
    story: str
    target_turn: _Asked
    history_turns: list[_Asked]
    ambiguity: str
    clarification_turn: _Clarification = _Clarification()
    clarification_turn_2: _Clarification = _Clarification()
    source: str = ""


class _File(SourceModel):
    data: list[_Row]


_BARE = re.compile(r"(yes|no|yeah|nope|correct|neither)\W*", re.IGNORECASE)


def story_passages(story: str) -> list[Passage]:
    """Cut a story into passages; ids depend on the story's text only."""
    document = stable_id("abg-coqa", story)
    return [
        Passage(id=f"{document}-{i}", text=squeeze(story[start:end]), source=document, start=start, end=end)
        for i, (start, end) in enumerate(windows(story, PASSAGE_WORDS))
    ]


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    name = {"publisher-train": "train", "publisher-test": "test"}.get(split, "val")
    path = directory / _REPO / f"abg-coqa/coqa_abg_{name}.json"
    stories: dict[str, list[Passage]] = {}
    examples: list[ClarificationExample] = []
    rows = read_source_json(path, _File).data
    seen: set[str] = set()
    for row in unique_rows(rows, lambda r: r.model_dump_json(), counts, "turns"):
        if row.id in seen:
            raise DataError(path, f"id '{row.id}' is used by two different turns", field="id")
        seen.add(row.id)
        counts["turns"] += 1
        if row.story not in stories:
            stories[row.story] = story_passages(row.story)
        if row.ambiguity != "ambiguous":
            counts["turns that are not ambiguous (left out)"] += 1
            continue
        if not row.target_turn.question.strip():
            raise DataError(path, f"the target turn of '{row.id}' has no question", field="target_turn.question")
        examples.append(_make_example(row, stories[row.story], "validation" if name == "val" else name, counts))
    counts["stories"] = len(stories)
    return examples, [p for passages in stories.values() for p in passages]


def _make_example(row: _Row, passages: list[Passage], split: str, counts: Counter[str]) -> ClarificationExample:
    asked = [c for c in (row.clarification_turn, row.clarification_turn_2) if c.question.strip()]
    counts["ambiguous turns without a clarifying question (kept)"] += not asked
    replies = [{k: squeeze(str(v)) for k, v in reply.items()} for c in asked[:1] for reply in c.answers]
    facets = [r["clr_ans"] for r in replies if r.get("clr_ans") and not _BARE.fullmatch(r["clr_ans"])]
    target = row.target_turn
    qrels = {
        p.id: 2 if p.start is not None and p.end is not None and p.start < target.span_end and target.span_start < p.end
        else 1
        for p in passages
    }  # fmt: skip
    return ClarificationExample(
        id="abg-coqa-" + "_".join(row.id.split()),
        query=squeeze(target.question),
        questions=tuple(dict.fromkeys(squeeze(c.question) for c in asked)),
        passages=tuple(passages),
        passage_ids=tuple(p.id for p in passages),
        facets=tuple(dict.fromkeys(facets)),
        answers=tuple(r["org_ans"] for r in replies if r.get("org_ans")),
        history=tuple(t for h in row.history_turns for t in (turn("user", h.question), turn("system", h.answer))),
        qrels=qrels,
        group=passages[0].source if passages else row.id,
        split=split,
        meta={"domain": row.source, "replies": replies},
    )


BENCHMARK = Benchmark(INFO, _read)
