"""PaQa (Erbacher et al., 2024): AmbigNQ questions with generated clarifying questions and evidence passages.

Source: https://arxiv.org/abs/2402.16608; an earlier release is described at
https://github.com/emnlppaper4012/AMBIGNQ-CQ. Licence: not stated; built on AmbigNQ (CC BY-SA 3.0). **This reader has
not met the original files here.** They are CSV; their column names are not documented, so a column map has to say
which column holds what (``data.columns`` in a recipe, ``--columns`` of ``rac import`` and ``rac describe``). Put the
files under the benchmark directory as ``paqa/train.csv``, ``paqa/dev.csv`` and ``paqa/test.csv``. Without a map, or
with one that does not fit, the error lists the columns found.

What the paper describes, and so what a map will name: the AmbigNQ ``query``, the disambiguated questions
(``facets``), one clarifying question generated from them (``questions``), and 100-word Wikipedia passages, re-ranked
for the query (``passages``). ``group`` is the question, as in AmbigNQ and CAmbigNQ, unless the map names a column. D:
those passages.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rac.benchmarks.ambignq import question_group
from rac.benchmarks.base import Benchmark, BenchmarkInfo, carried, distinct_passages
from rac.benchmarks.column_settings import ColumnMap
from rac.benchmarks.columns import read_mapped
from rac.benchmarks.sources import read_table
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

INFO = BenchmarkInfo(
    name="paqa",
    title="PaQa, clarifying questions for AmbigNQ with evidence passages",
    url="https://arxiv.org/abs/2402.16608",
    licence="not stated; built on AmbigNQ, CC BY-SA 3.0",
    citation="Erbacher et al.: PAQA: Toward ProActive Open-Retrieval Question Answering. arXiv 2402.16608",
    splits=(),
    passages="its own: the 100-word passages of each row",
    own_passages=True,
    missing="the files themselves (by hand) and their column names (a column map); reader written from the paper",
    splitting="the publisher's; group = question, shared with ambignq and cambignq",
    by_hand=(("train", "paqa/train.csv"), ("dev", "paqa/dev.csv"), ("test", "paqa/test.csv")),
)


def _read(
    directory: Path, split: str, counts: Counter[str], columns: ColumnMap | None = None
) -> tuple[list[ClarificationExample], list[Passage]]:
    path = directory / f"paqa/{split}.csv"
    if columns is None:
        rows = read_table(path, (), delimiter=",", multiline=True)
        found = ", ".join(repr(c) for c in (rows[0][1] if rows else {})) or "none (the file has no row)"
        raise DataError(
            path,
            "PaQa's column names are not documented, so it needs a column map, such as data.columns: {query: question, "
            f"questions: clarifying_question, passages: evidence}} in the recipe; columns found: {found}",
        )
    examples, found_counts = read_mapped(path, columns, prefix="paqa-", split=split)
    counts.update(found_counts)
    if not columns.group:
        examples = [e.model_copy(update={"group": question_group(e.query)}) for e in examples]
    return examples, distinct_passages(carried(examples), path)


BENCHMARK = Benchmark(INFO, _read, takes_columns=True)
