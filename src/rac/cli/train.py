"""``rac train``: run a recipe, both stages and the evaluation."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


class Until(enum.StrEnum):
    """Where to stop."""

    ungrounded = "ungrounded"
    grounded = "grounded"
    pairs = "pairs"
    rac = "rac"
    predict = "predict"
    report = "report"


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one (see `rac recipe`).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run directory; runs/NAME of the recipe if left out.")
    ] = None,
    until: Annotated[Until, typer.Option(help="Stop after this stage.")] = Until.report,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; can be repeated.")
    ] = None,
) -> None:
    """Train grounded, ungrounded and rac by a recipe, evaluate them and write the report.

    Stages that are done are kept: the same command goes on after an interruption.

    Example: rac train recipes/claqua.yaml -o runs/claqua
    """
    from rac.config import find_recipe, load_recipe

    resolved = load_recipe(find_recipe(recipe), settings or [])
    directory = output or Path("runs") / resolved.name
    from rac.pipeline import run_recipe

    run = run_recipe(resolved, directory, until=until.value)
    if until is Until.report:
        from rac.report.terminal import show_tables

        show_tables(run.path)
    typer.echo(f"\nThe run is in {run.path}")
