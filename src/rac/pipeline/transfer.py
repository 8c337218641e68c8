"""Transfer: the models of a run are asked on data that they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rac.config import Data, overridden
from rac.errors import UserError
from rac.pipeline import data, evaluation
from rac.pipeline.models import models_of
from rac.pipeline.run_directory import RunDirectory


def transfer(
    trained: RunDirectory, source: str, path: Path | str | None = None, *, every: bool = False,
    overrides: Sequence[str] = (),
) -> RunDirectory:  # fmt: skip
    """Ask all systems of a run on another benchmark, over that benchmark's own corpus, and write the report.

    Prompts and systems are the run's own; D is retrieved. The queries are those that a run on that benchmark would
    hold out, without any that the models were trained on.

    Args:
        trained: A run with its models.
        source: A benchmark, an examples file or folder, or ``bootstrap``; see ``data.source``.
        path: The directory of the result; ``RUN/transfer/SOURCE`` if None.
        every: Ask every query with a gold question, not only those that a run on that benchmark would hold out.
        overrides: ``section.key=value`` strings for the result's recipe.

    Returns:
        The result, a run directory without models of its own.

    Raises:
        UserError: if the run has no models, or nothing can be asked on that source.
    """
    if trained.trained is not trained:
        raise UserError(
            f"{trained.path} is a transfer of {trained.trained.path} and has no models of its own; transfer that run"
        )
    if not models_of(trained):
        raise UserError(
            f"{trained.path} has no trained model yet: finish it with rac train {trained.path / 'recipe.yaml'} "
            f"-o {trained.path}"
        )
    recipe = trained.recipe
    name = Path(source).stem if Path(source).suffix else Path(source).name
    target = recipe.model_copy(
        update={
            "name": f"{recipe.name}-to-{name}",
            "data": Data(source=source, directory=recipe.data.directory, fold="1/1" if every else ""),
            "prompt": recipe.prompt.model_copy(update={"passages": "retrieved"}),
            "evaluation": recipe.evaluation.model_copy(update={"passages": ("retrieved",)}),
        }
    )
    run = RunDirectory(path or trained / "transfer" / name, overridden(target, overrides), trained=trained)
    with run.lock():
        data.index_stage(run)
        data.data_stage(run)
        data.retrieve_stage(run)
        evaluation.predict_stages(run)
        evaluation.metrics_stage(run)
        evaluation.report_stage(run)
    return run
