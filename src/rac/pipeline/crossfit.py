"""Cross-fitting: every query of a small benchmark is asked once, by models that were not trained on its document.

RUN holds ``fold-1`` ... ``fold-K``, each a whole run with fold I held out, and itself the pooled queries of all of
them: one table with as many queries as the benchmark has, clusters (documents) resampled whole.
"""

from __future__ import annotations

import logging
from pathlib import Path

from rac.config import Recipe
from rac.errors import UserError
from rac.pipeline import run_recipe
from rac.pipeline.pooling import pool
from rac.pipeline.run_directory import RunDirectory

log = logging.getLogger(__name__)


def crossfit(recipe: Recipe, path: Path | str, *, folds: int = 5) -> RunDirectory:
    """Train and ask once for each fold, then pool. The same call goes on after an interruption.

    Args:
        recipe: The recipe of one fold; all splits of its source are used together, and ``data.fold`` is set here.
        path: The directory: new, empty, or of an earlier cross-fitting.
        folds: K, at least 2; folds keep documents (``group``) together.

    Returns:
        The pooled run.

    Raises:
        UserError: if the recipe sets a fold itself, or a fold would be empty.
    """
    if recipe.data.fold:
        raise UserError(
            f"the recipe sets data.fold: {recipe.data.fold}, and cross-fitting goes through all folds; leave it out"
        )
    if folds < 2:
        raise UserError(f"{folds} fold cannot be crossed; use at least 2")
    # Made first, so that a directory of somebody else's is refused before anything is trained.
    RunDirectory(path, recipe)
    parts = []
    for number in range(1, folds + 1):
        log.info("fold %d of %d", number, folds)
        data = recipe.data.model_copy(update={"fold": f"{number}/{folds}"})
        own = recipe.model_copy(update={"name": f"{recipe.name}-fold-{number}", "data": data})
        parts.append(run_recipe(own, Path(path) / f"fold-{number}", until="predict"))
    return pool(parts, path, name=recipe.name)
