"""``rac crossfit`` and ``rac pool``: small benchmarks by cross-fitting, and several runs as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def crossfit(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one (see `rac recipe`).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The directory; runs/NAME of the recipe if left out.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=100, help="Folds; each query is held out in one of them.")] = 5,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; can be repeated.")
    ] = None,
) -> None:
    """Train once for each fold of a small benchmark, ask every query by models that know nothing of its document.

    Folds keep documents together. The table is over all queries of all folds. The same command goes on after an
    interruption.

    Example: rac crossfit recipes/claqua.yaml --set data.source=inscit --folds 5 -o runs/inscit
    """
    from rac.config import find_recipe, load_recipe

    resolved = load_recipe(find_recipe(recipe), settings or [])
    from rac.pipeline.crossfit import crossfit as run_crossfit
    from rac.report.terminal import show_tables

    run = run_crossfit(resolved, output or Path("runs") / resolved.name, folds=folds)
    show_tables(run.path)
    typer.echo(f"\nThe pooled table, its report and the folds are in {run.path}")


@app.command()
def pool(
    runs: Annotated[list[Path], typer.Argument(help="Run directories over different queries, with the same systems.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The directory of the pooled table.")],
    name: Annotated[str, typer.Option(help="Its name in reports; the runs' names if left out.")] = "",
) -> None:
    """Score the queries of several runs together: one table with more queries, nothing is asked again.

    Example: rac pool runs/inscit runs/abg-coqa runs/pacific -o runs/small
    """
    from rac.pipeline.pooling import pool as run_pool
    from rac.pipeline.run_directory import RunDirectory
    from rac.report.terminal import show_tables

    run = run_pool([RunDirectory(path) for path in runs], output, name=name)
    show_tables(run.path)
    typer.echo(f"\nThe pooled table and its report are in {run.path}")
