"""Evaluating prediction files of any system: which D, the suite, score files, a page."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rac.benchmarks.predictions import read_predictions
from rac.errors import UserError
from rac.files import atomic_path, header_path, read_records, write_json
from rac.metrics.suite import Evaluation, MetricSettings, evaluate, prefetch
from rac.records import SCHEMA_VERSION, ClarificationExample, Passage, Prediction
from rac.report.build import PRINTED, metric_infos, report_data, summary_table

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer
    from rac.retrieval import Index

log = logging.getLogger(__name__)

Source = Literal["auto", "predictions", "examples", "retrieved"]
SOURCES = ("auto", "predictions", "examples", "retrieved")

_UNSAFE = re.compile(r"[^\w.+-]+")

_LONGEST_NAME = 150
"""Bytes of a system's name in a file name: 255 is the usual limit, and headers and temporary files add to it."""


@dataclass(frozen=True)
class EvaluatedSystems:
    """What was scored.

    Attributes:
        evaluations: system -> evaluation.
        examples: The queries.
        contexts: D by example id; where the systems were scored against different D, the passages of all of them.
    """

    evaluations: dict[str, Evaluation]
    examples: list[ClarificationExample]
    contexts: dict[str, list[Passage]]

    @property
    def signature(self) -> str:
        """What made the scores; the same for all systems."""
        return next(iter(self.evaluations.values())).signature

    @property
    def notes(self) -> list[str]:
        """Sentences that readers must see."""
        return sorted({note for e in self.evaluations.values() for note in e.notes})

    def table(self, seed: int = 0) -> dict[str, Any]:
        """Return systems x metrics with intervals and tests, as plain JSON values."""
        items = {name: e.per_item for name, e in self.evaluations.items()}
        return summary_table("All queries", items, {e.id: e.cluster for e in self.examples}, seed=seed)

    def metrics(self, seed: int = 0) -> dict[str, Any]:
        """Return what ``metrics.json`` holds."""
        return {
            "schema": 1,
            "signature": self.signature,
            "notes": self.notes,
            "counts": {name: e.counts for name, e in self.evaluations.items()},
            "metrics": [vars(info) for info in metric_infos()],
            "printed": list(PRINTED),
            "tables": [self.table(seed)],
        }


def evaluate_files(
    predictions: Sequence[Path],
    examples: Path,
    *,
    passages: Source = "auto",
    index: Index | None = None,
    top_k: int = 5,
    corpus: Mapping[str, Passage] | None = None,
    entailment: EntailmentScorer | None = None,
    settings: MetricSettings | None = None,
) -> EvaluatedSystems:
    """Score prediction files against an examples file.

    Args:
        predictions: One file per system.
        examples: The examples.
        passages: Where D comes from: ``predictions`` (what the system saw), ``examples`` (gold), ``retrieved`` (the top
            ``top_k`` of ``index``), or ``auto``: the prediction's own, else the example's.
        index: The corpus; also for support by the corpus.
        top_k: Passages retrieved per query.
        corpus: Passages by id, for examples that only name theirs.
        entailment: Entailment model of support.
        settings: Further settings of the suite.

    Raises:
        UserError: for inputs that do not fit together, among them two systems whose score files would have the same
            name, and two different passages with one id for a query; ``DataError`` for files with wrong records.
    """
    known = read_records(examples, ClarificationExample)
    if not known:
        raise UserError(f"{examples} has no examples, so there is nothing to score against; give at least one")
    settings = settings or MetricSettings()
    contexts = _contexts(known, passages, index, top_k, corpus)
    named = settings.passages or (
        f"retrieved{top_k}" if passages == "retrieved" else "" if passages == "auto" else passages
    )
    settings = MetricSettings(**{**vars(settings), "passages": named})
    systems: dict[str, list[Prediction]] = {}
    for path in predictions:
        made = read_predictions(path)[0]
        if not made:
            raise UserError(f"{path} has no predictions, so there is nothing to score; give at least one")
        if passages == "predictions":
            without = [p.id for p in made if p.passages is None]
            if without:
                raise UserError(
                    f"{path} has {len(without)} predictions without passages (the first is '{without[0]}'), so they "
                    "cannot be scored against what the system saw; use --passages auto, examples or retrieved"
                )
        systems[system_name(path, made, systems)] = made
    _check_file_names(systems)
    shown, different = _merged(systems, known, contexts)
    if entailment is not None:
        prefetch(systems.values(), known, contexts, settings, entailment)
    evaluations: dict[str, Evaluation] = {}
    for name, made in systems.items():
        evaluation = evaluate(made, known, contexts, settings, entailment=entailment, index=index)
        for row, example in zip(evaluation.per_item, known, strict=True):
            row["system"] = name
            row["cluster"] = example.cluster
        if different:
            # With the scores of each system, so that rac compare says it too: their signatures may be the same.
            note = (
                f"the systems were scored against different D for {different} of {len(known)} queries, so their rows "
                "are not comparable in faithfulness (--passages examples or retrieved gives all the same D)"
            )
            evaluation = replace(evaluation, notes=[*evaluation.notes, note])
        evaluations[name] = evaluation
    return EvaluatedSystems(evaluations, known, shown)


def _contexts(
    known: Sequence[ClarificationExample],
    source: Source,
    index: Index | None,
    top_k: int,
    corpus: Mapping[str, Passage] | None,
) -> dict[str, list[Passage]] | None:
    """Return D by example id, or None where each prediction brings its own."""
    if source == "retrieved":
        if index is None:
            raise UserError(
                "--passages retrieved was given without an index, so nothing can be retrieved; give --index"
            )
        hits = index.search_batch([e.query for e in known], top_k)
        return {e.id: [hit.passage for hit in found] for e, found in zip(known, hits, strict=True)}
    gold = {e.id: _gold(e, corpus) for e in known}
    if source == "examples":
        bare = [i for i, found in gold.items() if not found]
        if len(bare) == len(gold):
            raise UserError(
                "no example has passages, so there is nothing to score questions against; put passages into the "
                "examples or predictions, name a --corpus that has their passage_ids, or use --passages retrieved with "
                "--index"
            )
        return gold
    if source == "auto" and corpus is not None:
        return {i: found for i, found in gold.items() if found}
    return None


def _gold(example: ClarificationExample, corpus: Mapping[str, Passage] | None) -> list[Passage]:
    found = list(example.passages)
    if corpus is not None:
        have = {p.id for p in found}
        missing = [i for i in example.passage_ids if i not in have and i not in corpus]
        if missing:
            raise UserError(
                f"example '{example.id}' names passage '{missing[0]}', which the corpus does not have; give the corpus "
                "that belongs to the examples"
            )
        found += [corpus[i] for i in example.passage_ids if i not in have]
    return found


def _merged(
    systems: Mapping[str, Sequence[Prediction]],
    examples: Sequence[ClarificationExample],
    contexts: Mapping[str, Sequence[Passage]] | None,
) -> tuple[dict[str, list[Passage]], int]:
    """Return by example id the passages that any system is scored against, and for how many queries these differ."""
    asked = {name: {p.id: p for p in made} for name, made in systems.items()}
    merged: dict[str, list[Passage]] = {}
    different = 0
    for example in examples:
        given = contexts.get(example.id) if contexts is not None else None
        # A system without a question here is scored against nothing, so it makes no difference.
        own = {
            name: _own(example, by_id[example.id], given) for name, by_id in asked.items() if example.id in by_id
        } or {"the examples": _own(example, None, given)}
        merged[example.id] = _union(example.id, own)
        different += len({frozenset(p.id for p in found) for found in own.values()}) > 1
    return merged, different


def _own(
    example: ClarificationExample, prediction: Prediction | None, given: Sequence[Passage] | None
) -> Sequence[Passage]:
    """Return the D that ``evaluate`` scores a prediction against."""
    if given is not None:
        return given
    return prediction.passages if prediction is not None and prediction.passages is not None else example.passages


def _union(query: str, own: Mapping[str, Sequence[Passage]]) -> list[Passage]:
    """Return each passage once, in order of first appearance; evidence names passages by id, so ids must be unique.

    Of two copies with one text the fuller one is shown: systems differ in what they write beside it.
    """
    first: dict[str, tuple[str, Passage]] = {}
    for name, passages in own.items():
        for passage in passages:
            before, known = first.setdefault(passage.id, (name, passage))
            if known.text != passage.text:
                where = " and ".join(f"'{n}'" for n in dict.fromkeys((before, name)))
                raise UserError(
                    f"query '{query}' has two different passages with the id '{passage.id}' (in D of {where}), so "
                    "evidence could lie in either; give each an id of its own, or score against another D (--passages)"
                )
            if _said(passage) > _said(known):
                first[passage.id] = (before, passage)
    return [passage for _, passage in first.values()]


def _said(passage: Passage) -> int:
    """Return how many of the fields beside the text a passage has."""
    return sum(map(bool, (passage.title, passage.types, passage.description)))


def system_name(path: Path, made: Sequence[Prediction], taken: Collection[str]) -> str:
    """Return what the system of a prediction file is called: as most of its predictions say, else as the file.

    Args:
        path: The file.
        made: Its predictions.
        taken: Names of other files' systems; a file that says one of these is called by its own name.

    Raises:
        UserError: if that is taken, too.
    """
    named = Counter(p.system for p in made if p.system)
    name = named.most_common(1)[0][0] if named else path.stem
    if name in taken:
        name = path.stem
    if name in taken:
        raise UserError(f"two prediction files are of a system '{name}', so their rows would mix; rename one file")
    return name


def _file_name(system: str) -> str:
    """Return the name of a system's score file; the rows hold the system's own name, which may be that of a path."""
    safe = _UNSAFE.sub("-", system).encode()[:_LONGEST_NAME].decode(errors="ignore").strip("-.")
    return f"{safe or 'system'}.jsonl"


def _check_file_names(systems: Iterable[str]) -> None:
    taken: dict[str, str] = {}
    for system in systems:
        file = _file_name(system)
        # On some disks capitals make no difference.
        other = taken.setdefault(file.casefold(), system)
        if other != system:
            raise UserError(
                f"the scores of systems '{other}' and '{system}' would both be {file}, so one would replace the other; "
                "rename one ('system' in its predictions, else the name of its file)"
            )


def write_score_files(folder: Path, result: EvaluatedSystems) -> None:
    """Write the scores of every system, one file each, into a folder."""
    for system, evaluation in result.evaluations.items():
        write_scores(folder / _file_name(system), evaluation)


def write_scores(path: Path, evaluation: Evaluation) -> None:
    """Write per-item scores as JSON Lines, with a header that says what made them; both atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for row in evaluation.per_item:
            handle.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    write_json(
        header_path(path),
        {
            "schema": SCHEMA_VERSION, "record": "Score", "count": len(evaluation.per_item),
            "signature": evaluation.signature, "notes": evaluation.notes, "counts": evaluation.counts,
        },
    )  # fmt: skip


def write_folder(folder: Path, result: EvaluatedSystems, *, title: str, seed: int = 0) -> None:
    """Write ``report.html``, ``report.md``, ``metrics.json`` and ``scores/SYSTEM.jsonl``."""
    from rac.report.html import write_report
    from rac.report.markdown import write_markdown

    metrics = result.metrics(seed)
    data = report_data(
        title=title,
        metrics=metrics,
        examples=result.examples,
        passages=result.contexts,
        items={name: e.per_item for name, e in result.evaluations.items()},
        warnings=result.notes,
        passages_used=result.signature.split("|D:")[-1].split("|")[0],
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_score_files(folder / "scores", result)
    write_json(folder / "metrics.json", metrics)
    write_report(folder / "report.html", data)
    write_markdown(folder / "report.md", data)
