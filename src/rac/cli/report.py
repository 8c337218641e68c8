"""``rac report``: the results page of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A Markdown file; printed if left out.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Queries shown with every system's question.")] = 5,
) -> None:
    """Write the results page of finished runs as Markdown: how they were made, tables, questions side by side.

    Example: rac report runs/claqua -o docs/results.md
    """
    from rac.errors import UserError
    from rac.files import write_text
    from rac.pipeline.run_directory import RunDirectory
    from rac.report.results import render_results

    for run in runs:
        opened = RunDirectory(run)
        if opened.record("metrics") is None:
            raise UserError(f"{run} has no metrics yet: finish it with rac train {run / 'recipe.yaml'} -o {run}")
    page = render_results(runs, examples=examples)
    if output is None:
        typer.echo(page, nl=False)
    else:
        write_text(output, page)
        typer.echo(f"The page is in {output}")
