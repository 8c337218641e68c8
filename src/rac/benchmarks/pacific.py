"""PACIFIC (Deng et al., EMNLP 2022): clarifying questions in conversations over financial tables and text.

Source: https://github.com/dengyang17/PACIFIC, ``data/pacific/validation.json``. Licence: MIT. Sizes: 277 documents
(one table and some paragraphs each), 1,982 turns, 320 of which ask for clarification.

One example is one turn that needs clarification: ``query`` the user's question, ``history`` the document's earlier
turns, ``questions`` the clarifying question (mostly "Which year are you asking about?": few options are named),
``facets`` the user's reply, ``answers`` the answer that the reply led to, ``meta.resolved_query`` the source's
context-free form, ``meta.resolved_reply`` that of the turn after. ``group`` is the document, joined with those that
share a paragraph or table with it word by word (reports of one company do).

D: the document's paragraphs and its table, all gold. A table is one passage, a line for each row, cells joined with "
| "; ``meta.table`` keeps the cells. The corpus is the passages of all 277 documents.

Turns that need no clarification are left out and counted. Not here: lists of options. Splits: the publisher's
training and test files are not fetched, so the validation file is carved by document into ``train`` (70 %) and
``evaluation``; bring the others by hand as ``publisher-train`` and ``publisher-test``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.history import turn
from rac.benchmarks.sources import SourceModel, read_source_json
from rac.benchmarks.splits import connect
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "dengyang17/PACIFIC", "66a52ad4fd9eb7ad71e82a5c0bfb1de226366827"

INFO = BenchmarkInfo(
    name="pacific",
    title="PACIFIC, clarifying questions over financial tables and text",
    url="https://github.com/dengyang17/PACIFIC",
    licence="MIT",
    citation="Deng et al.: PACIFIC: Towards Proactive Conversational Question Answering over Tabular and Textual Data "
    "in Finance. EMNLP 2022",
    splits=("train", "evaluation"),
    passages="its own corpus: tables and paragraphs of all 277 documents; those of the query's document are gold",
    own_passages=True,
    missing="the publisher's training and test files; most questions name no options",
    splitting="carved from the publisher's validation file, 70/30 by document; group = documents that share a passage",
    files=(
        RemoteFile(
            _REPO, _COMMIT, "data/pacific/validation.json",
            "a5769b1a2d638e4cc1bc83f6d823361bc2fbae2a4438cdb594ff2bf1b5576781", 2110007,
        ),
    ),
    by_hand=(
        ("publisher-train", f"{_REPO}/data/pacific/train.json"),
        ("publisher-test", f"{_REPO}/data/pacific/test.json"),
    ),
    carved=(("train", 0.7), ("evaluation", 0.3)),
)  # fmt: skip

_SHARED_WORDS = 8
"""Shorter passages ("In thousands of euros") are alike in documents that have nothing to do with each other."""


class _Table(SourceModel):
    uid: str
    table: list[list[str]]


class _Paragraph(SourceModel):
    uid: str
    order: int
    text: str


class _Question(SourceModel):
    uid: str
    order: int
    question: str
    answer: Any
    req_clari: bool
    answer_type: str = ""
    scale: str = ""
    original_question: str = ""


class _Document(SourceModel):
    table: _Table
    paragraphs: list[_Paragraph]
    questions: list[_Question]


def table_text(table: list[list[str]]) -> str:
    """Return a table as text: a line for each row that has a value, cells joined with `` | ``."""
    rows = (" | ".join(squeeze(cell) for cell in row) for row in table)
    return "\n".join(row for row in rows if row.strip(" |"))


def _passages(document: _Document) -> list[Passage]:
    name = document.table.uid
    ordered = sorted(document.paragraphs, key=lambda p: p.order)
    found = [Passage(id=f"pacific-{p.uid}", text=squeeze(p.text), source=name) for p in ordered if p.text.strip()]
    text = table_text(document.table.table)
    if text:
        table = [list(row) for row in document.table.table]
        found.append(
            Passage(id=f"pacific-{name}-table", text=text, types=("table",), source=name, meta={"table": table})
        )
    return found


def _answers(answer: Any, scale: str = "") -> list[str]:
    values = answer if isinstance(answer, list) else [answer]
    texts = [squeeze(str(v)) for v in values if v is not None]
    return [f"{t} {scale}".strip() for t in texts if t]


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    name = {"publisher-train": "train", "publisher-test": "test"}.get(split, "validation")
    path = directory / _REPO / f"data/pacific/{name}.json"
    corpus: dict[str, Passage] = {}
    examples: list[ClarificationExample] = []
    seen: set[str] = set()
    documents = read_source_json(path, list[_Document])
    found = [_passages(document) for document in documents]
    groups = connect(
        {
            document.table.uid: [p.text.casefold() for p in own if len(p.text.split()) >= _SHARED_WORDS]
            for document, own in zip(documents, found, strict=True)
        }
    )
    counts["documents that share a passage with an earlier one (one group)"] = sum(k != v for k, v in groups.items())
    for number, (document, passages) in enumerate(zip(documents, found, strict=True)):
        counts["documents"] += 1
        counts["paragraphs without text (left out)"] += sum(not p.text.strip() for p in document.paragraphs)
        corpus.update((p.id, p) for p in passages)
        ordered = sorted(document.questions, key=lambda q: q.order)
        for i, item in enumerate(ordered):
            counts["turns"] += 1
            if item.uid in seen:
                raise DataError(path, f"turn id '{item.uid}' is used twice", field=f"{number}.questions.{i}.uid")
            seen.add(item.uid)
            if not item.question.strip():
                raise DataError(path, "is empty", field=f"{number}.questions.{i}.question")
            if item.req_clari:
                group = groups[document.table.uid]
                examples.append(_make_example(ordered, i, passages, group, name, counts))
            else:
                counts["turns that need no clarification (left out)"] += 1
    return examples, list(corpus.values())


def _make_example(
    ordered: list[_Question],
    i: int,
    passages: list[Passage],
    group: str,
    split: str,
    counts: Counter[str],
) -> ClarificationExample:
    item = ordered[i]
    reply = ordered[i + 1] if i + 1 < len(ordered) and not ordered[i + 1].req_clari else None
    counts["clarifications without the user's reply (kept)"] += reply is None
    questions = _answers(item.answer)
    counts["turns that need clarification but have no question (kept)"] += not questions
    history = [
        t
        for earlier in ordered[:i]
        for t in (turn("user", earlier.question), turn("system", ", ".join(_answers(earlier.answer, earlier.scale))))
    ]
    meta: dict[str, Any] = {"resolved_query": squeeze(item.original_question or item.question)}
    if reply is not None:
        meta["resolved_reply"] = squeeze(reply.original_question)
    return ClarificationExample(
        id=f"pacific-{item.uid}",
        query=squeeze(item.question),
        questions=tuple(dict.fromkeys(questions)),
        passages=tuple(passages),
        passage_ids=tuple(p.id for p in passages),
        facets=(squeeze(reply.question),) if reply else (),
        answers=tuple(_answers(reply.answer, reply.scale)) if reply else (),
        history=tuple(history),
        qrels=dict.fromkeys((p.id for p in passages), 1),
        group=group,
        split=split,
        meta=meta,
    )


BENCHMARK = Benchmark(INFO, _read)
