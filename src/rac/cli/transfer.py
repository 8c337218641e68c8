"""``rac transfer``: the models of a run on another benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def transfer(
    run: Annotated[Path, typer.Argument(help="The run directory whose models are asked.")],
    to: Annotated[str, typer.Option("--to", help="A benchmark, an examples file or folder, or `bootstrap`.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The directory; RUN/transfer/NAME if left out.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Ask every query with a gold question, not only those it would hold out.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; can be repeated.")
    ] = None,
) -> None:
    """Ask all systems of a run on a benchmark that its models were not trained on, with intervals and tests.

    Queries that the models were trained on are left out. The same command goes on after an interruption.

    Example: rac transfer runs/claqua --to white-sharc
    """
    from rac.pipeline.run_directory import RunDirectory
    from rac.pipeline.transfer import transfer as run_transfer
    from rac.report.terminal import show_tables

    done = run_transfer(RunDirectory(run), to, output, every=every, overrides=settings or [])
    show_tables(done.path)
    typer.echo(f"\nThe table and its report are in {done.path}")
