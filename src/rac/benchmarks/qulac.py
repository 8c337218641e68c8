"""Qulac (Aliannejadi et al., SIGIR 2019): the first crowdsourced clarifying questions for TREC Web Track topics.

Source: https://github.com/aliannejadi/qulac, ``data/qulac/qulac.json``. Licence: MIT. Sizes: 198 topics, 762 facets,
2,593 different questions, 11,039 rows (topic x facet x question); all questions occur in ClariQ as well.

The file is one object of columns, each an object row number -> value. One example is one topic: ``query`` the topic's
title as it stands ("obama family tree"; ClariQ has the same topics as sentences), ``questions``, ``facets``,
``answers`` and ``meta.exchanges`` as in ``clariq``, ``labels.topic_type`` ``faceted`` or ``ambiguous``,
``meta.facet_types`` the TREC facet types (inf, nav, inv). Rows whose id ends in ``X`` have an empty question by
design (one for each facet): counted, no gold question.

Splits: the publisher gives none. A topic belongs to ``dev`` if ClariQ has it in dev, else to ``train`` (159 and 39
topics), so that a model trained on either benchmark's train has seen no topic of either dev. ``group`` is the topic,
shared with ClariQ. Not here: passages (ClueWeb, licensed; see ``clariq``) and the query-performance features.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.clariq import topic_group
from rac.benchmarks.sources import read_source_json, unescape_quotes
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "aliannejadi/qulac", "89d156280b75b2107bec9d719bfcbab76e54ce96"
_PATH = "data/qulac/qulac.json"
COLUMNS = (
    "topic_id",
    "facet_id",
    "topic_facet_id",
    "topic_facet_question_id",
    "topic",
    "topic_type",
    "facet_type",
    "topic_desc",
    "facet_desc",
    "question",
    "answer",
)

# The topics of ClariQ's dev split: a topic must not be training data in one benchmark and dev data in the other.
CLARIQ_DEV_TOPICS = frozenset(
    {
        "8", "18", "20", "24", "25", "27", "35", "37", "44", "45", "51", "71", "74", "79", "83", "85", "101", "106",
        "107", "110", "114", "118", "123", "126", "128", "133", "139", "142", "152", "164", "165", "166", "169",
        "174", "190", "191", "193", "195", "200", "214", "219", "229", "250", "252", "256", "262", "283", "287",
        "292", "293",
    }
)  # fmt: skip

INFO = BenchmarkInfo(
    name="qulac",
    title="Qulac, clarifying questions for TREC Web Track topics",
    url="https://github.com/aliannejadi/qulac",
    licence="MIT",
    citation="Aliannejadi et al.: Asking Clarifying Questions in Open-Domain Information-Seeking Conversations. "
    "SIGIR 2019",
    splits=("train", "dev"),
    passages="a corpus that you bring: ClueWeb09/12 (licensed), as an ir_datasets name or a TREC collection",
    own_passages=False,
    missing="passages, test split",
    splitting="by topic, as ClariQ splits the same topics; group = topic, shared with clariq",
    files=(
        RemoteFile(_REPO, _COMMIT, _PATH, "da3c775efcb88e0cb48a530445812ee2a896d36b443459c7847cfdcef8024838", 3799709),
    ),
)


def _rows(path: Path) -> list[dict[str, str]]:
    table = read_source_json(path, dict[str, dict[str, str | int | None]])
    missing = [c for c in COLUMNS if c not in table]
    if missing:
        raise DataError(path, f"has no column '{missing[0]}'; columns found: {', '.join(map(repr, table))}")
    keys = list(table["topic_id"])
    for column in COLUMNS:
        if table[column].keys() != table["topic_id"].keys():
            raise DataError(
                path,
                f"has {len(table[column])} values where 'topic_id' has {len(keys)}, so rows are shifted; fetch the "
                "file again",
                field=column,
            )
    keys.sort(key=lambda k: (not k.isdigit(), int(k) if k.isdigit() else 0, k))
    return [{c: "" if table[c][k] is None else str(table[c][k]) for c in COLUMNS} for k in keys]


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    path = directory / _REPO / _PATH
    topics: dict[str, list[dict[str, str]]] = {}
    for row in _rows(path):
        counts["rows"] += 1
        if not row["topic_id"].strip() or not row["topic"].strip():
            raise DataError(path, f"row {row['topic_facet_question_id']!r} has no topic_id or no topic")
        where = "dev" if row["topic_id"] in CLARIQ_DEV_TOPICS else "train"
        if split in (where, "all"):
            topics.setdefault(row["topic_id"], []).append(row)
        else:
            counts["rows of the other split (not asked for)"] += 1
    return [_make_example(path, topic, rows, counts) for topic, rows in topics.items()], []


def _make_example(path: Path, topic: str, rows: list[dict[str, str]], counts: Counter[str]) -> ClarificationExample:
    facets: dict[str, tuple[str, str]] = {}
    questions: dict[str, int] = {}
    exchanges: dict[tuple[int, int, str], None] = {}
    for row in rows:
        if row["topic"] != rows[0]["topic"]:
            raise DataError(path, f"topic {topic} has two different titles", field="topic")
        description = unescape_quotes(row["facet_desc"])
        counts["descriptions with escaped quotes (unescaped)"] += description != row["facet_desc"]
        facets.setdefault(row["topic_facet_id"], (squeeze(description), row["facet_type"]))
        question, answer = squeeze(row["question"]), squeeze(row["answer"])
        if not question:
            counts["rows with the empty question (no gold question)"] += 1
            continue
        counts["rows with an empty answer (question kept)"] += not answer
        number = questions.setdefault(question, len(questions))
        exchange = (list(facets).index(row["topic_facet_id"]), number, answer)
        if exchange in exchanges:
            counts["rows that repeat facet, question and answer (merged)"] += 1
        exchanges[exchange] = None
    return ClarificationExample(
        id=f"qulac-{topic}",
        query=squeeze(rows[0]["topic"]),
        questions=tuple(questions),
        facets=tuple(text for text, _ in facets.values()),
        answers=tuple(dict.fromkeys(answer for *_, answer in exchanges if answer)),
        group=topic_group(topic),
        split="dev" if topic in CLARIQ_DEV_TOPICS else "train",
        labels={"topic_type": rows[0]["topic_type"]},
        meta={
            "topic_desc": squeeze(unescape_quotes(rows[0]["topic_desc"])),
            "facet_ids": list(facets),
            "facet_types": [kind for _, kind in facets.values()],
            "exchanges": [list(e) for e in exchanges],
        },
    )


BENCHMARK = Benchmark(INFO, _read)
