"""``rac recipe``: show, check and explain recipes."""

from __future__ import annotations

from typing import Annotated

import typer

from rac.cli import app, list_shipped


@app.command()
def recipe(
    name: Annotated[
        str | None, typer.Argument(help="A recipe file, or the name of a shipped one; its resolved form is printed.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print every key with meaning, type and default.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; can be repeated.")
    ] = None,
) -> None:
    """Show a recipe with every key resolved, list the shipped ones, or explain every key.

    Example: rac recipe claqua --set training.epochs=2
    """
    from rac.config import explain_recipe, find_recipe, load_recipe, shipped_recipes

    if explain:
        typer.echo(explain_recipe(), nl=False)
    elif name is None:
        list_shipped(shipped_recipes())
    else:
        typer.echo(load_recipe(find_recipe(name), settings or []).to_yaml(), nl=False)
