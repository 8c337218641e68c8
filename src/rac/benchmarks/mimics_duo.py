"""MIMICS-Duo (Tavakoli et al., SIGIR 2022): clarification panes rated by people, several for each query.

Source: https://github.com/Leila-Ta/MIMICS-Duo, ``Data/Task1-OfflineRating.tsv`` and
``Data/Task2-QualityLabelling.tsv``. Licence: MIT. Size: 1,034 panes for 306 queries, in both files.

One example is one pane: ``query``, ``questions`` (nearly always "Select one to refine your search"), ``facets`` the
two to five options, ``labels.offline_rating`` 1 to 5 (how good the pane is against the query's other panes),
``labels.quality`` 1 to 5 (the pane by itself) and ``labels.options`` 1 to 5 (each option). The two files are joined
by query, question and options; a pane that one of them lacks is kept without its labels and counted. ``group`` is the
query, shared with MIMICS.

On purpose: Task 2 has eight unnamed empty columns (dropped, counted). Not here: passages and search results. Splits:
the publisher gives none; carved by query into ``train`` (70 %) and ``evaluation``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.mimics import PANE, number, pane_example, read_panes
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "Leila-Ta/MIMICS-Duo", "21c54380fda266ec243bcb38405fa385e475cbaf"
_RATING, _QUALITY = "Data/Task1-OfflineRating.tsv", "Data/Task2-QualityLabelling.tsv"
_QUALITY_COLUMNS = (*(f"Quality_Option{i}" for i in range(1, 6)), "OverallClarificationPaneQuality")

INFO = BenchmarkInfo(
    name="mimics-duo",
    title="MIMICS-Duo, clarification panes rated by people",
    url="https://github.com/Leila-Ta/MIMICS-Duo",
    licence="MIT",
    citation="Tavakoli et al.: MIMICS-Duo: Offline & Online Evaluation of Search Clarification. SIGIR 2022",
    splits=("train", "evaluation"),
    passages="none; a corpus that you bring",
    own_passages=False,
    missing="passages, search results",
    splitting="carved 70/30 by query; group = query",
    files=(
        RemoteFile(_REPO, _COMMIT, _RATING, "e2d6f7bb1e70c326a164befd56611a4f4ba0aeeec957a2e065b9e11314756c88", 116671),
        RemoteFile(
            _REPO, _COMMIT, _QUALITY, "9fd06159ed30ef440d68317748b195f37f22c8ff8077b63c27ce81bad209d9cf", 133919
        ),
    ),
    carved=(("train", 0.7), ("evaluation", 0.3)),
)


def _by_pane(
    path: Path, columns: tuple[str, ...], counts: Counter[str]
) -> dict[tuple[str, ...], tuple[int, dict[str, str]]]:
    found: dict[tuple[str, ...], tuple[int, dict[str, str]]] = {}
    for line, row in read_panes(path, columns, counts):
        key = tuple(row[c] for c in PANE)
        if key in found:
            raise DataError(path, f"labels the pane of line {found[key][0]} once more, differently", line=line)
        found[key] = (line, row)
    return found


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    rating_path, quality_path = directory / _REPO / _RATING, directory / _REPO / _QUALITY
    ratings = _by_pane(rating_path, ("offline rating",), counts)
    # Counted once: the second file lists the same panes again, but its own repairs count.
    second: Counter[str] = Counter()
    qualities = _by_pane(quality_path, _QUALITY_COLUMNS, second)
    counts.update({k: v for k, v in second.items() if k != "panes" and k not in counts})
    counts["panes without a quality label (kept)"] = len(ratings.keys() - qualities.keys())
    only = [key for key in qualities if key not in ratings]
    counts["panes without an offline rating (kept)"] = len(only)
    counts["panes"] += len(only)
    grades = range(1, 6)
    examples = []
    for key in [*ratings, *only]:
        labels: dict[str, Any] = {}
        line, row = ratings.get(key) or qualities[key]
        if key in ratings:
            labels["offline_rating"] = number(rating_path, line, row, "offline rating", grades)
        if key in qualities:
            other, judged = qualities[key]
            given = [i for i in range(1, 6) if judged[f"option_{i}"]]
            labels["options"] = [number(quality_path, other, judged, f"Quality_Option{i}", grades) for i in given]
            labels["quality"] = number(quality_path, other, judged, "OverallClarificationPaneQuality", grades)
        name = "mimics-duo" if key in ratings else "mimics-duo-task2"
        examples.append(pane_example(name, line, row, "published", labels))
    return examples, []


BENCHMARK = Benchmark(INFO, _read)
