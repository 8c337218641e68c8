"""``rac screen``: what each choice of a recipe is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app, list_shipped


@app.command()
def screen(
    screening: Annotated[
        str | None, typer.Argument(help="A screening (YAML), or the name of a shipped one; left out: list those.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The directory; runs/NAME of the screening if left out.")
    ] = None,
) -> None:
    """Run variants of a recipe, one choice changed at a time, and compare them on queries of the training side.

    What a source holds out is neither asked nor trained on. Interrupted, the same command goes on where it was.

    Example: rac screen claqua -o runs/screening
    """
    from rac.pipeline.screening_settings import load_screening, shipped_screenings

    if screening is None:
        list_shipped(shipped_screenings())
        return
    described = load_screening(screening)
    folder = output or Path("runs") / described.name
    from rac.pipeline.screening import screen as run_screening

    run_screening(described, folder)
    typer.echo((folder / "screening.md").read_text(encoding="utf-8"))
    typer.echo(f"The page is {folder / 'screening.md'}; every variant is a run beside it")
