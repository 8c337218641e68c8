"""``rac ship``: a run's adapters with model cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def ship(
    run: Annotated[Path, typer.Argument(help="A finished run whose stages trained adapters (adapter: lora).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that gets grounded, ungrounded and rac.")],
    limit: Annotated[float, typer.Option(min=0.001, help="Most megabytes of one adapter.")] = 10.0,
) -> None:
    """Write the adapters of a run in half precision, each with a model card made from the run's records.

    Example: rac ship runs/adapters -o src/rac/adapters
    """
    from rac.pipeline.run_directory import RunDirectory
    from rac.pipeline.shipping import ship as ship_run

    for name, size in ship_run(RunDirectory(run), output, limit_mb=limit).items():
        typer.echo(f"{size / 1e6:7.2f} MB  {output / name}")
