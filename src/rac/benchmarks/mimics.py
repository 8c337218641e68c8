"""MIMICS (Zamani et al., CIKM 2020): clarification panes of a web search engine.

Source: https://github.com/microsoft/MIMICS, ``data/MIMICS-Manual.tsv``. Licence: MIT. Size: 2,832 panes for 2,464
queries, with human quality labels. MIMICS-Click (414,362 panes) and MIMICS-ClickExplore (64,007) have the same
columns with user signals instead of labels; they are not fetched, and read when brought by hand.

One example is one pane: ``query``, ``questions`` the pane's question (nine of ten are "Select one to refine your
search"), ``facets`` its two to five options, ``labels`` what the file has: ``question``, ``options_overall`` (0 bad,
1 fair, 2 good) and ``options`` (one for each option, null if none) in Manual; ``impression``, ``engagement`` and
``click_rates`` in the click files. ``group`` is the query, shared with MIMICS-Duo: up to three panes share one in
Manual.

On purpose: doubled quotes inside a field ("Which ""gml"" do you mean?") become single ones, counted. Not here:
passages (and no search results): nothing can be said about faithfulness. Splits: Manual is carved by query into
``train`` (70 %) and ``evaluation``; the click files are ``click`` and ``click-explore``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.sources import read_table, unique_rows
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "microsoft/MIMICS", "6450e8143bd380505bbf047822e41a2a3a2b474f"
OPTIONS = tuple(f"option_{i}" for i in range(1, 6))
PANE = ("query", "question", *OPTIONS)
"""Columns of a pane, the same in MIMICS and MIMICS-Duo."""
_LABELS = ("question_label", "options_overall_label", *(f"option_label_{i}" for i in range(1, 6)))
_SIGNALS = ("impression_level", "engagement_level", *(f"option_cctr_{i}" for i in range(1, 6)))

INFO = BenchmarkInfo(
    name="mimics",
    title="MIMICS-Manual, labelled clarification panes of a web search engine",
    url="https://github.com/microsoft/MIMICS",
    licence="MIT",
    citation="Zamani et al.: MIMICS: A Large-Scale Data Collection for Search Clarification. CIKM 2020",
    splits=("train", "evaluation"),
    passages="none; a corpus that you bring",
    own_passages=False,
    missing="passages, search results; MIMICS-Click and MIMICS-ClickExplore (by hand)",
    splitting="Manual carved 70/30 by query; group = query",
    files=(
        RemoteFile(
            _REPO, _COMMIT, "data/MIMICS-Manual.tsv",
            "bd8e405326605d69b643c046d2d72fcb0cb891acc1d7a8438c2ed2d724aeafbb", 312923,
        ),
    ),
    by_hand=(
        ("click", f"{_REPO}/data/MIMICS-Click.tsv"),
        ("click-explore", f"{_REPO}/data/MIMICS-ClickExplore.tsv"),
    ),
    carved=(("train", 0.7), ("evaluation", 0.3)),
)  # fmt: skip


def read_panes(path: Path, columns: tuple[str, ...], counts: Counter[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a table of panes; doubled quotes are undone, exact repetitions left out, both counted.

    Raises:
        DataError: for a pane without query, question or two options, or with an option behind an empty one.
    """
    panes = []
    rows = read_table(path, (*PANE, *columns), counts=counts)
    counts["panes"] += len(rows)
    for line, row in unique_rows(rows, lambda r: tuple(r[1].items()), counts, "panes"):
        clean = {k: squeeze(v.replace('""', '"')) if k in PANE else v.strip() for k, v in row.items()}
        counts["panes with doubled quotes (undone)"] += any('""' in row[c] for c in PANE)
        given = [bool(clean[c]) for c in OPTIONS]
        if not clean["query"] or not clean["question"]:
            raise DataError(path, "is a pane without query or question", line=line)
        if given != sorted(given, reverse=True):
            raise DataError(path, "has an option behind an empty one, so columns are shifted", line=line)
        counts["panes with fewer than two options (kept)"] += sum(given) < 2
        panes.append((line, clean))
    return panes


def number(path: Path, line: int, row: dict[str, str], column: str, allowed: range | None = None) -> float | int | None:
    """Return a cell as a number, None if it is empty.

    Raises:
        DataError: if it is no number, or not an allowed one.
    """
    text = row[column]
    if not text:
        return None
    try:
        value: float | int = int(text) if allowed is not None else float(text)
    except ValueError as error:
        raise DataError(path, f"'{text}' is not a number; are columns shifted?", line=line, field=column) from error
    if allowed is not None and value not in allowed:
        raise DataError(
            path, f"{text} is not between {allowed.start} and {allowed.stop - 1}; are columns shifted?",
            line=line, field=column,
        )  # fmt: skip
    return value


def pane_example(name: str, line: int, row: dict[str, str], split: str, labels: dict[str, Any]) -> ClarificationExample:
    """Make the example of one pane; its id is made of its line in the file."""
    return ClarificationExample(
        id=f"{name}-{line:06d}",
        query=row["query"],
        questions=(row["question"],),
        facets=tuple(dict.fromkeys(row[c] for c in OPTIONS if row[c])),
        group=f"mimics {row['query'].casefold()}",
        split=split,
        labels=labels,
    )


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    manual = split not in ("click", "click-explore")
    name = {"click": "Click", "click-explore": "ClickExplore"}.get(split, "Manual")
    path = directory / _REPO / f"data/MIMICS-{name}.tsv"
    examples = []
    for line, row in read_panes(path, _LABELS if manual else _SIGNALS, counts):
        given = [f"{i}" for i in range(1, 6) if row[f"option_{i}"]]
        labels: dict[str, Any]
        if manual:
            grades = range(3)
            labels = {
                "question": number(path, line, row, "question_label", grades),
                "options_overall": number(path, line, row, "options_overall_label", grades),
                "options": [number(path, line, row, f"option_label_{i}", grades) for i in given],
            }
        else:
            labels = {
                "impression": row["impression_level"],
                "engagement": number(path, line, row, "engagement_level", range(11)),
                "click_rates": [number(path, line, row, f"option_cctr_{i}") for i in given],
            }
        counts["panes without a label of the question (kept)"] += manual and labels["question"] is None
        examples.append(pane_example(f"mimics-{name.lower()}", line, row, split if not manual else "manual", labels))
    return examples, []


BENCHMARK = Benchmark(INFO, _read)
