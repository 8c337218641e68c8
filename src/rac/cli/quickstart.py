"""``rac quickstart``: the whole method on embedded parts, offline, in minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rac.cli import app

if TYPE_CHECKING:
    from rac.config import Recipe


@app.command()
def quickstart(
    output: Annotated[Path, typer.Option("--output", "-o", help="The run directory.")] = Path("runs/quickstart"),
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; can be repeated.")
    ] = None,
) -> None:
    """Run the whole method on the embedded corpus and model: index, data, both stages, pairs, evaluation, report.

    Takes minutes on two cores, without network or GPU. The same command goes on after an interruption.

    Example: rac quickstart
    """
    from rac.config import find_recipe, load_recipe
    from rac.pipeline import run_recipe
    from rac.progress import format_seconds
    from rac.report.terminal import show_examples, show_tables

    started = time.monotonic()
    run = run_recipe(_with_shipped(load_recipe(find_recipe("quickstart"), settings or [])), output)
    show_tables(run.path)
    show_examples(run.path, count=3)
    typer.echo(f"\nDone in {format_seconds(time.monotonic() - started)}. Every question with its evidence is in")
    typer.echo(f"  {(run / 'report.html').resolve()}")
    typer.echo("\nNext:")
    typer.echo(f'  rac ask {run.path} "mercury"              ask about the embedded corpus')
    typer.echo('  rac ask --corpus FOLDER "your query"     ask over your own documents, with the embedded model')
    typer.echo("  rac recipe --explain                     every setting of a run")
    typer.echo("  rac train recipes/claqua.yaml            the same on a benchmark")


def _with_shipped(recipe: Recipe) -> Recipe:
    """Add the adapter that is installed with rac to the systems, if one is: what more training gives, in one table."""
    from rac.generation.systems import SYSTEMS
    from rac.models import shipped_adapters

    asked = recipe.evaluation.systems
    if "rac" not in shipped_adapters() or "shipped" in asked:
        return recipe
    systems = tuple(name for name in SYSTEMS if name in asked or name == "shipped")
    return recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"systems": systems})})
