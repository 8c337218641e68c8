"""CAmbigNQ (Lee et al., Findings of EMNLP 2023): clarifying questions for AmbigNQ.

Source: https://github.com/DongryeolLee96/AskCQ, which links to its files ``cq_train.json`` and ``cq_dev.json``.
Licence: not stated by the publisher; built on AmbigNQ (CC BY-SA 3.0). **This reader has not met the original files
here**: it follows the format that the publisher documents, and is tested with small files written for the test. For a
check of your own: the paper's BART baselines reach BLEU-4 7.9 to 15.4.

Fields of an object: ``id``, ``question``, ``dqs`` (disambiguated questions), ``clarification_answers`` (a list of
answers for each of them), ``clarification_question`` in the form "question: option, option, or option",
``viewed_doc_titles``, ``nq_doc_title``, ``used_queries``.

One example: ``query``, ``questions`` the clarification question as it stands, ``facets`` the ``dqs``, ``answers``
theirs (alternatives joined with " / "), ``meta.options`` the options behind the colon, ``meta.titles`` the page
titles named by the source. ``group`` is the question, as in AmbigNQ and PaQa. Not here: passages; the publisher's
retrieved passages are token ids in pickle files, which rac does not open. Bring Wikipedia as the corpus.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field

from rac.benchmarks.ambignq import question_group
from rac.benchmarks.base import Benchmark, BenchmarkInfo
from rac.benchmarks.sources import SourceModel, read_source_json, unique_rows
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO = "DongryeolLee96/AskCQ"

INFO = BenchmarkInfo(
    name="cambignq",
    title="CAmbigNQ, clarifying questions for AmbigNQ",
    url="https://github.com/DongryeolLee96/AskCQ",
    licence="not stated; built on AmbigNQ, CC BY-SA 3.0",
    citation="Lee et al.: Asking Clarification Questions to Handle Ambiguity in Open-Domain QA. Findings of EMNLP 2023",
    splits=(),
    passages="a corpus that you bring (the questions are over Wikipedia)",
    own_passages=False,
    missing="passages; the files themselves (by hand); this reader was written from the documentation",
    splitting="the publisher's; group = question, shared with ambignq and paqa",
    by_hand=(("train", f"{_REPO}/cq_train.json"), ("dev", f"{_REPO}/cq_dev.json")),
)


class _Row(SourceModel):
    id: str
    question: str
    dqs: list[str]
    clarification_question: str
    clarification_answers: list[list[str] | str] = Field(default_factory=list)
    viewed_doc_titles: list[str] = Field(default_factory=list)
    nq_doc_title: str = ""
    used_queries: list[Any] = Field(default_factory=list)


_OPTION_END = re.compile(r",\s*or\s+|\s+or\s+|,\s+|;\s*")


def options_of(question: str) -> list[str]:
    """Return the options behind the last colon of "question: option, option, or option?"; none without a colon.

    >>> options_of("Which version: the 1971 novel, or the 2010 film?")
    ['the 1971 novel', 'the 2010 film']
    """
    head, colon, tail = question.rpartition(":")
    if not colon or not head.strip():
        return []
    return [o for o in (part.strip(" ?.\"'") for part in _OPTION_END.split(tail)) if o]


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    path = directory / _REPO / f"cq_{split}.json"
    examples = []
    seen: set[str] = set()
    rows = read_source_json(path, list[_Row])
    counts["questions"] += len(rows)
    for row in unique_rows(rows, lambda r: r.model_dump_json(), counts, "questions"):
        if row.id in seen:
            raise DataError(path, f"id '{row.id}' is used by two different questions", field="id")
        seen.add(row.id)
        if not row.question.strip():
            raise DataError(path, f"question '{row.id}' is empty", field="question")
        question = squeeze(row.clarification_question)
        counts["rows without a clarification question (kept)"] += not question
        options = options_of(question)
        counts["clarification questions without options behind a colon (kept)"] += bool(question) and not options
        answers = [a if isinstance(a, str) else " / ".join(a) for a in row.clarification_answers]
        counts["rows with another number of answers than of disambiguations (kept)"] += len(answers) != len(row.dqs)
        examples.append(
            ClarificationExample(
                id=f"cambignq-{row.id}",
                query=squeeze(row.question),
                questions=(question,) if question else (),
                facets=tuple(squeeze(q) for q in row.dqs if q.strip()),
                answers=tuple(map(squeeze, answers)),
                group=question_group(row.question),
                split=split,
                meta={
                    "options": options,
                    "titles": list(dict.fromkeys(t for t in [row.nq_doc_title, *row.viewed_doc_titles] if t.strip())),
                },
            )
        )
    return examples, []


BENCHMARK = Benchmark(INFO, _read)
