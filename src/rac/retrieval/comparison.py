"""Strategies x datasets: build, search, measure; every cell is kept, so that an interrupted comparison goes on."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rac
from rac.errors import UserError
from rac.files import check_header, read_json, read_records, sha256_file, sha256_json, write_json, write_records
from rac.progress import Progress
from rac.records import ClarificationExample, Passage
from rac.retrieval.comparison_settings import Comparison, Dataset
from rac.retrieval.entries import attach_queries
from rac.retrieval.evaluation import Judged, judge, measure
from rac.retrieval.settings import SEARCH_TIME, IndexSettings

log = logging.getLogger(__name__)

COSTS = (
    "build_s", "build_cpu_s", "build_peak_mb", "bytes", "open_s", "queries_per_second", "cpu_ms_per_query",
    "one_query_ms", "search_peak_mb",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One strategy on one dataset: a value per measure and query, and what it cost."""

    dataset: str
    strategy: str
    values: dict[str, dict[str, float]]
    costs: dict[str, float | None]


@dataclass(frozen=True)
class Compared:
    """All cells of a comparison with what they were measured on."""

    comparison: Comparison
    judged: dict[str, Judged]
    passages: dict[str, int]
    cells: list[Cell]

    def cell(self, dataset: str, strategy: str) -> Cell:
        """Return one cell."""
        return next(cell for cell in self.cells if (cell.dataset, cell.strategy) == (dataset, strategy))


def run_comparison(comparison: Comparison, folder: Path, *, mirror: Path | None = None) -> Compared:
    """Run a comparison in a directory; cells that are there already, with the same inputs, are not run again.

    Args:
        comparison: What to compare.
        folder: Gets ``corpora/``, ``indexes/`` and ``cells/``.
        mirror: Folder with benchmark files, laid out OWNER/REPO/PATH; fetched ones by default.

    Raises:
        UserError: if a benchmark has no passages, or a strategy cannot be built or searched.
    """
    judged: dict[str, Judged] = {}
    passages: dict[str, int] = {}
    cells: list[Cell] = []
    total = len(comparison.datasets) * len(comparison.strategies)
    with Progress("comparing", total, unit="cells") as progress:
        for name, dataset in comparison.datasets.items():
            path = folder / "corpora" / f"{name}.jsonl"
            examples, corpus = _load(name, dataset, mirror, path)
            judged[name] = judge(examples, corpus)
            passages[name] = len(corpus)
            if not judged[name].queries:
                raise UserError(f"dataset '{name}' has no query with a relevant passage, so nothing can be measured")
            for strategy in comparison.strategies:
                progress.note = f"{strategy} on {name}"
                cells.append(_cell(comparison, name, strategy, judged[name], path, folder))
                progress.advance()
    return Compared(comparison, judged, passages, cells)


def _load(
    name: str, dataset: Dataset, mirror: Path | None, path: Path
) -> tuple[list[ClarificationExample], list[Passage]]:
    """Return the examples and the corpus of a dataset, and write the corpus to ``path``."""
    if dataset.examples:
        from rac.corpus import read_corpus

        examples, corpus = read_records(dataset.examples, ClarificationExample), list(read_corpus(dataset.corpus))
    else:
        from rac.benchmarks import load

        everything = load(dataset.benchmark, "all", mirror=mirror)
        corpus = everything.corpus
        if not corpus:
            raise UserError(
                f"dataset '{name}': the benchmark {dataset.benchmark} brings no passages, so nothing can be retrieved; "
                "use claqua, white-sharc, inscit or files of your own"
            )
        asked = everything if dataset.split == "all" else load(dataset.benchmark, dataset.split, mirror=mirror)
        examples = asked.examples
    if dataset.max_queries is not None and dataset.max_queries < len(examples):
        step = len(examples) / dataset.max_queries
        examples = [examples[int(number * step)] for number in range(dataset.max_queries)]
    key = sha256_json([rac.__version__, dataset.bootstrap_queries, [passage.to_dict() for passage in corpus]])
    if check_header(path).get("key") == key:
        return examples, read_records(path, Passage)
    if dataset.bootstrap_queries is not None:
        corpus = list(attach_queries(corpus, _bootstrapped(corpus, dataset.bootstrap_queries)))
    write_records(path, corpus, key=key)
    return examples, corpus


def _bootstrapped(corpus: list[Passage], count: int) -> list[ClarificationExample]:
    """Make queries from the corpus alone, so that nothing of the queries asked is known to the index."""
    from rac.corpus.bootstrap import Bootstrap, bootstrap
    from rac.retrieval import build_index

    with tempfile.TemporaryDirectory() as folder:
        index = build_index(corpus, IndexSettings(), Path(folder) / "index")
        return bootstrap(corpus, index, Bootstrap(examples=count), seed=0).examples


def _cell(
    comparison: Comparison, dataset: str, strategy: str, judged: Judged, corpus: Path, folder: Path
) -> Cell:  # fmt: skip
    settings = comparison.settings(strategy)
    # Turns of several conversations may ask the same; each text is searched once.
    texts = list(dict.fromkeys(judged.queries.values()))
    built_from = {
        "corpus": sha256_file(corpus), "rac": rac.__version__,
        "settings": settings.model_dump(mode="json", exclude=set(SEARCH_TIME)),
    }  # fmt: skip
    key = sha256_json({
        "built": built_from, "settings": settings.model_dump(mode="json"), "queries": texts,
        "depth": comparison.depth,
    })  # fmt: skip
    path = folder / "cells" / dataset / f"{strategy}.json"
    kept = read_json(path) if path.exists() else {}
    if kept.get("key") != key:
        index = folder / "indexes" / f"{dataset}-{sha256_json(built_from)[:12]}"
        costs = _build(index, settings, corpus, folder)
        spec = {
            "step": "search", "index": str(index), "settings": settings.model_dump(mode="json"),
            "queries": texts, "depth": comparison.depth,
        }  # fmt: skip
        found = _step(spec, folder, f"searching with '{strategy}' on '{dataset}'")
        kept = {"key": key, "rankings": found.pop("rankings"), "costs": {**costs, **found}}
        write_json(path, kept)
    found_by_text = dict(zip(texts, kept["rankings"], strict=True))
    rankings = {identity: found_by_text[text] for identity, text in judged.queries.items()}
    costs = {name: kept["costs"].get(name) for name in COSTS}
    return Cell(dataset, strategy, measure(rankings, judged), costs)


def _build(index: Path, settings: IndexSettings, corpus: Path, folder: Path) -> dict[str, Any]:
    """Build an index, or return the figures of an earlier build; strategies that differ in searching only share one."""
    figures = index.with_name(index.name + ".json")
    if figures.exists() and index.exists():
        return dict(read_json(figures))
    spec = {"step": "build", "settings": settings.model_dump(mode="json"), "corpus": str(corpus), "index": str(index)}
    made = _step(spec, folder, f"building {settings.strategy} over {settings.fields}")
    write_json(figures, made)
    return made


def _step(spec: dict[str, Any], folder: Path, what: str) -> dict[str, Any]:
    """Run a step in a process of its own."""
    asked, answer = folder / "step.json", folder / "step.result.json"
    write_json(asked, spec)
    answer.unlink(missing_ok=True)
    log.info("%s ...", what)
    command = [sys.executable, "-m", "rac.retrieval.comparison_step", str(asked), str(answer)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if not answer.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{what} ended with status {done.returncode} ({last:.200}); see the rest with --debug")
    result: dict[str, Any] = read_json(answer)
    if "error" in result:
        raise UserError(f"{what}: {result['error']}")
    return result


def counts_of(compared: Compared) -> Iterable[str]:
    """Yield a sentence per dataset: passages, queries, what was left out."""
    for name, judged in compared.judged.items():
        counted = ", ".join(f"{count} {what}" for what, count in judged.counts.items() if count)
        clusters = len(set(judged.clusters.values()))
        yield f"{name}: {compared.passages[name]} passages, {counted}, {clusters} clusters"
