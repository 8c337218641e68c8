"""Where the questions that people or a model judge come from: a run, or prediction files with their examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rac.annotate import Asked
from rac.errors import UserError, did_you_mean
from rac.files import read_records
from rac.pipeline.predictions import contexts
from rac.pipeline.run_directory import RunDirectory
from rac.records import ClarificationExample, Passage, Prediction
from rac.report.evaluation import system_name


def questions(
    sources: Sequence[Path], examples: Path | None, passages: str | None = None, systems: Sequence[str] = ()
) -> list[Asked]:
    """Return the questions of one run, or of prediction files with their examples.

    Args:
        sources: A run directory, or prediction files.
        examples: The examples of prediction files.
        passages: Which D of a run.
        systems: Names of the systems to keep; all if empty.

    Raises:
        UserError: for sources that do not go together, an unknown system, or files without examples.
    """
    runs = [path for path in sources if path.is_dir()]
    if runs and len(sources) > 1:
        raise UserError(
            f"{len(sources)} sources with a run directory among them were given, but a run is judged by itself; give "
            "one run, or prediction files with --examples"
        )
    if runs:
        asked = questions_of_run(runs[0], passages)
    elif examples is None:
        raise UserError(
            "prediction files name no queries, so nobody can judge them; give their examples with --examples"
        )
    else:
        asked = questions_of_files(sources, examples)
    known = {a.system for a in asked}
    for name in systems:
        if name not in known:
            raise UserError(f"no system is called '{name}'; {did_you_mean(name, known)}")
    return [a for a in asked if not systems or a.system in systems]


def questions_of_run(path: Path, passages: str | None = None) -> list[Asked]:
    """Return the questions of the systems that a run's recipe asks, with the D that they were scored against.

    Predictions of systems that were taken out of the recipe may still lie in the run; they are left out.

    Args:
        path: The run directory.
        passages: ``retrieved`` or ``gold``; the run's first one by default.

    Raises:
        UserError: for a D that the run has no predictions for, or a run without predictions.
    """
    run = RunDirectory(path)
    evaluation = run.recipe.evaluation
    sources: Sequence[str] = evaluation.passages
    source = passages or sources[0]
    if source not in sources:
        raise UserError(f"{path} has no predictions for D '{source}'; {did_you_mean(source, sources)}")
    asked = sorted(system for system in evaluation.systems if source in evaluation.sources_of(system))
    files = [file for system in asked if (file := path / "predictions" / source / f"{system}.jsonl").exists()]
    if not files:
        raise UserError(f"{path} has no predictions yet, so there is nothing to annotate; finish it with rac train")
    examples = {e.id: e for e in read_records(run / "examples/evaluation.jsonl", ClarificationExample)}
    found = contexts(run, source)
    return [
        _asked(examples[p.id], file.stem, p.question, found[p.id])
        for file in files
        for p in read_records(file, Prediction)
        if p.id in found
    ]


def questions_of_files(files: Sequence[Path], examples: Path) -> list[Asked]:
    """Return the questions of prediction files, one file a system, named as ``rac evaluate`` names them.

    D of a query is what the first prediction for it brings, else the example's own passages, so that all systems are
    judged against the same D.

    Raises:
        UserError: for two files whose systems have one name, a prediction whose example is unknown, or a query without
            passages.
    """
    by_id = {e.id: e for e in read_records(examples, ClarificationExample)}
    systems: dict[str, list[Prediction]] = {}
    found: dict[str, Sequence[Passage]] = {}
    for file in files:
        predictions = read_records(file, Prediction)
        systems[system_name(file, predictions, systems)] = predictions
        for p in predictions:
            if p.id not in by_id:
                raise UserError(
                    f"{file} has a prediction for '{p.id}', which {examples} does not have; give its examples"
                )
            if p.passages and p.id not in found:
                found[p.id] = p.passages
    for example in by_id.values():
        found.setdefault(example.id, example.passages)
    asked = [
        _asked(by_id[p.id], system, p.question, found[p.id])
        for system, predictions in systems.items()
        for p in predictions
    ]
    bare = [a.id for a in asked if not a.passages]
    if bare:
        raise UserError(
            f"{len(bare)} questions have no passages (the first is for '{bare[0]}'), so nobody can judge them; put the "
            "passages into the predictions or the examples"
        )
    return asked


def _asked(example: ClarificationExample, system: str, question: str, passages: Sequence[Passage]) -> Asked:
    return Asked(example.id, system, example.query, question, tuple(passages), example.cluster)
