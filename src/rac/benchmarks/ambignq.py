"""AmbigNQ (Min et al., EMNLP 2020), light version: ambiguous questions with their disambiguations.

Source: https://github.com/shmsw25/AmbigQA; fetched from a public copy of the light files, ``agential-ai/agential``,
``data/ambignq/{train,dev}_light.json``. Licence: CC BY-SA 3.0. Sizes: 10,036 training and 2,002 dev questions; 4,749
and 1,172 of them have at least one annotation with several question-answer pairs.

One example is one question that an annotator found ambiguous: ``query``, ``facets`` the disambiguated questions of
the first such annotation, ``answers`` theirs, in the same order (alternatives joined with " / "),
``meta.other_readings`` the facets of further annotations, ``labels`` how many annotators found it ambiguous
(``multiple``) of how many (``annotators``; dev has two or more). ``group`` is the question.

Not here: a clarifying question (``questions`` is empty: see CAmbigNQ and PaQa), passages and the names of the pages
that annotators viewed (only the full version has those; the corpus is Wikipedia, which you bring). Questions that
every annotator found unambiguous are left out and counted; the test split is held back by the publisher.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pydantic import Field

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.sources import SourceModel, read_source_json, unique_rows
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "agential-ai/agential", "ada38e88d586856f872ecbf1014cf4121a3cce1a"

INFO = BenchmarkInfo(
    name="ambignq",
    title="AmbigNQ (light), ambiguous questions with their disambiguations",
    url="https://nlp.cs.washington.edu/ambigqa",
    licence="CC BY-SA 3.0",
    citation="Min et al.: AmbigQA: Answering Ambiguous Open-domain Questions. EMNLP 2020",
    splits=("train", "dev"),
    passages="a corpus that you bring (the questions are over Wikipedia)",
    own_passages=False,
    missing="clarifying questions, passages, viewed pages, test split",
    splitting="the publisher's; group = question, shared with cambignq and paqa",
    files=(
        RemoteFile(
            _REPO, _COMMIT, "data/ambignq/train_light.json",
            "c9c34bea8d41cc97bf66e9161fa5fcc771eff91bb7e031894ece3ea7964da1b0", 3414352, "train",
        ),
        RemoteFile(
            _REPO, _COMMIT, "data/ambignq/dev_light.json",
            "6e8b69a556843bac9836444ab247adceda5168e5118aec3afefe93936533a493", 999774, "dev",
        ),
    ),
)  # fmt: skip


class _Pair(SourceModel):
    question: str
    answer: list[str]


class _Annotation(SourceModel):
    type: str
    qaPairs: list[_Pair] = Field(default_factory=list)


class _Row(SourceModel):
    id: str
    question: str
    annotations: list[_Annotation]


def question_group(question: str) -> str:
    """Return the cluster of a Natural Questions query: the same in AmbigNQ, CAmbigNQ and PaQa."""
    words = "".join(c if c.isalnum() else " " for c in question.casefold()).split()
    return "nq " + " ".join(words)


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    examples = []
    for part in INFO.splits if split == "all" else (split,):
        path = directory / _REPO / f"data/ambignq/{part}_light.json"
        seen: set[str] = set()
        rows = read_source_json(path, list[_Row])
        counts["questions"] += len(rows)
        for row in unique_rows(rows, lambda r: r.model_dump_json(), counts, "questions"):
            if row.id in seen:
                raise DataError(path, f"id '{row.id}' is used by two different questions", field="id")
            seen.add(row.id)
            if not row.question.strip():
                raise DataError(path, f"question '{row.id}' is empty", field="question")
            multiple = [a for a in row.annotations if a.type == "multipleQAs" and a.qaPairs]
            if not multiple:
                counts["questions that nobody found ambiguous (left out)"] += 1
                continue
            counts["questions that some annotators found unambiguous (kept)"] += len(multiple) < len(row.annotations)
            pairs = [p for p in multiple[0].qaPairs if p.question.strip()]
            counts["empty disambiguations (left out)"] += len(multiple[0].qaPairs) - len(pairs)
            examples.append(
                ClarificationExample(
                    id=f"ambignq-{row.id}",
                    query=squeeze(row.question),
                    facets=tuple(squeeze(p.question) for p in pairs),
                    answers=tuple(" / ".join(map(squeeze, p.answer)) for p in pairs),
                    group=question_group(row.question),
                    split=part,
                    labels={"multiple": len(multiple), "annotators": len(row.annotations)},
                    meta={"other_readings": [[squeeze(p.question) for p in a.qaPairs] for a in multiple[1:]]},
                )
            )
    return examples, []


BENCHMARK = Benchmark(INFO, _read)
