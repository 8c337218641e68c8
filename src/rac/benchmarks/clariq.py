"""ClariQ (Aliannejadi et al., 2020): crowdsourced clarifying questions and answers for TREC Web Track topics.

Source: https://github.com/aliannejadi/ClariQ, ``data/{train,dev}.tsv`` and ``data/question_bank.tsv``. Licence: not
stated by the publisher; public research data. Sizes: 187 training and 50 dev topics with 638 and 163 facets, 9,176
and 2,313 rows (topic x facet x question), a bank of 3,941 questions.

One example is one topic: ``query`` the initial request, ``questions`` every different non-empty gold question,
``facets`` the facet descriptions, ``answers`` every different answer of a user, ``labels.clarification_need`` 1
(clear) to 4 (ambiguous), ``group`` the topic, shared with Qulac (``trec-web-17``): the two benchmarks are one group
and are split together. ``meta`` has ``topic_desc``, ``facet_ids``, ``question_ids`` (aligned with ``facets`` and
``questions``) and ``exchanges``: [facet number, question number, answer], numbers from 0.

On purpose: question Q00001 is empty by design ("ask nothing"): its rows are counted and give no gold question. Fields
hold quotes (TSV quoting is undone) and ``\\'`` in descriptions (unescaped). A row that occurs twice counts once.

Not here: passages. The topics are over ClueWeb09 and ClueWeb12, which are licensed; bring them as an ``ir_datasets``
name or a TREC-format collection (see docs/benchmarks.md). If the publisher's ``data/SPLIT.qrel`` lies beside the
tables, ``qrels`` is filled from it (the highest grade of any facet). Also not here: the test split (topics without
questions; its file can be brought by hand) and the synthetic multi-turn conversations.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.sources import read_table, unescape_quotes, unique_rows
from rac.benchmarks.text import squeeze
from rac.benchmarks.trec import read_qrels
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "aliannejadi/ClariQ", "46885a544581a0af8aff0681d29e4971807e2912"
COLUMNS = (
    "topic_id",
    "initial_request",
    "topic_desc",
    "clarification_need",
    "facet_id",
    "facet_desc",
    "question_id",
    "question",
    "answer",
)
NO_QUESTION = "Q00001"
"""Id of the empty question, which means: do not ask."""

INFO = BenchmarkInfo(
    name="clariq",
    title="ClariQ, clarifying questions for TREC Web Track topics (single turn)",
    url="https://github.com/aliannejadi/ClariQ",
    licence="not stated; public research data",
    citation="Aliannejadi et al.: Building and Evaluating Open-Domain Dialogue Corpora with Clarifying Questions. "
    "EMNLP 2021 (ConvAI3: arXiv 2009.11352)",
    splits=("train", "dev"),
    passages="a corpus that you bring: ClueWeb09/12 (licensed), as an ir_datasets name or a TREC collection",
    own_passages=False,
    missing="passages, test questions, multi-turn conversations",
    splitting="the publisher's, by topic; group = topic, shared with qulac",
    files=(
        RemoteFile(
            _REPO, _COMMIT, "data/train.tsv",
            "65d3da13b2d6ea77e7eaa45290894ffc162a5bd000e7640decd1b0a272a6e9d1", 2354040, "train",
        ),
        RemoteFile(
            _REPO, _COMMIT, "data/dev.tsv",
            "68d2a5f87eab73721979b5f45f64099a9b2f080db1d0ce4b979d9daa4249906e", 585998, "dev",
        ),
        RemoteFile(
            _REPO, _COMMIT, "data/question_bank.tsv",
            "266f501bdc31afbc8a763685ea0de82949137a2779241b325f5ee03026f42f1b", 239064,
        ),
    ),
    by_hand=(("test", f"{_REPO}/data/test.tsv"),),
)  # fmt: skip


def topic_group(topic_id: str | int) -> str:
    """Return the cluster of a TREC Web topic: the same in ClariQ and in Qulac."""
    return f"trec-web-{topic_id}"


def read_question_bank(directory: Path | str) -> dict[str, str]:
    """Return question id -> text of ClariQ's bank, the empty question included.

    Raises:
        DataError: if the file is missing or wrong, or an id occurs twice.
    """
    path = Path(directory) / _REPO / "data/question_bank.tsv"
    bank: dict[str, str] = {}
    for line, row in read_table(path, ("question_id", "question")):
        if row["question_id"] in bank:
            raise DataError(path, f"question id '{row['question_id']}' occurs twice", line=line, field="question_id")
        bank[row["question_id"]] = squeeze(row["question"])
    return bank


def _read_topics(path: Path, split: str, bank: dict[str, str], counts: Counter[str]) -> list[ClarificationExample]:
    required = COLUMNS[:2] if split == "test" else COLUMNS
    rows = read_table(path, required, counts=counts)
    counts["rows"] += len(rows)
    topics: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, row in unique_rows(rows, lambda r: tuple(r[1].items()), counts):
        if not row["topic_id"].strip() or not row["initial_request"].strip():
            raise DataError(path, "has no topic_id or no initial_request", line=line)
        topics.setdefault(row["topic_id"], []).append((line, row))
    return [_make_example(path, topic, found, split, bank, counts) for topic, found in topics.items()]


def _make_example(
    path: Path,
    topic: str,
    rows: list[tuple[int, dict[str, str]]],
    split: str,
    bank: dict[str, str],
    counts: Counter[str],
) -> ClarificationExample:
    first = rows[0][1]
    facets: dict[str, str] = {}
    questions: dict[str, str] = {}
    exchanges: list[list[int | str]] = []
    for line, row in rows:
        for column in ("initial_request", "clarification_need"):
            if row.get(column) != first.get(column):
                raise DataError(path, f"topic {topic} has two different values", line=line, field=column)
        facet_id, question_id = row.get("facet_id", ""), row.get("question_id", "")
        if facet_id:
            description = unescape_quotes(row["facet_desc"])
            counts["descriptions with escaped quotes (unescaped)"] += description != row["facet_desc"]
            facets.setdefault(facet_id, squeeze(description))
        question = squeeze(row.get("question", ""))
        if question_id == NO_QUESTION or not question:
            counts["rows with the empty question (no gold question)"] += bool(question_id)
            continue
        counts["rows whose question is not that of the bank (kept)"] += bank.get(question_id) != question
        counts["rows with an empty answer (question kept)"] += not row["answer"].strip()
        questions.setdefault(question_id, question)
        exchanges.append([list(facets).index(facet_id), list(questions).index(question_id), squeeze(row["answer"])])
    need = first.get("clarification_need", "")
    if need and need not in ("1", "2", "3", "4"):
        raise DataError(path, f"'{need}' is not 1, 2, 3 or 4", line=rows[0][0], field="clarification_need")
    return ClarificationExample(
        id=f"clariq-{topic}",
        query=squeeze(first["initial_request"]),
        questions=tuple(dict.fromkeys(questions.values())),
        facets=tuple(facets.values()),
        answers=tuple(dict.fromkeys(str(e[2]) for e in exchanges if e[2])),
        group=topic_group(topic),
        split=split,
        labels={"clarification_need": int(need)} if need else {},
        meta={
            "topic_desc": squeeze(unescape_quotes(first.get("topic_desc", ""))),
            "facet_ids": list(facets),
            "question_ids": list(questions),
            "exchanges": exchanges,
        },
    )


def _with_qrels(examples: list[ClarificationExample], path: Path, counts: Counter[str]) -> list[ClarificationExample]:
    judged = read_qrels(path)
    filled = []
    for example in examples:
        qrels: dict[str, int] = {}
        for facet in example.meta["facet_ids"]:
            for document, grade in judged.get(facet, {}).items():
                qrels[document] = max(grade, qrels.get(document, grade))
        counts["judged documents"] += len(qrels)
        filled.append(example.model_copy(update={"qrels": qrels}))
    return filled


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    bank = read_question_bank(directory)
    counts["questions in the bank"] = len(bank)
    examples: list[ClarificationExample] = []
    for part in INFO.splits if split == "all" else (split,):
        found = _read_topics(directory / _REPO / f"data/{part}.tsv", part, bank, counts)
        qrels = directory / _REPO / f"data/{part}.qrel"
        examples += _with_qrels(found, qrels, counts) if qrels.is_file() else found
    return examples, []


BENCHMARK = Benchmark(INFO, _read)
