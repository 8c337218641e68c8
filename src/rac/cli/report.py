"""``rac report`` and ``rac pack``: the results page of finished runs, and what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or runs in compact form (rac pack).")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A Markdown file; printed if left out.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Queries shown with every system's question.")] = 5,
) -> None:
    """Write the results page of finished runs as Markdown: bars met and missed, tables, questions side by side.

    Runs with one name, the same queries and different seeds share a table.

    Example: rac report runs/claqua results/white-sharc -o docs/results.md
    """
    from rac.files import write_text
    from rac.report.results import render_results

    page = render_results(runs, examples=examples)
    if output is None:
        typer.echo(page, nl=False)
    else:
        write_text(output, page)
        typer.echo(f"The page is in {output}")


@app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="A finished run directory.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder; replaced as a whole.")],
) -> None:
    """Keep a run's questions, scores, tables and stage records in compact form: no models, no passage text.

    `rac report` makes the same page of it as of the run.

    Example: rac pack runs/claqua -o results/claqua
    """
    from rac.errors import UserError
    from rac.report.stored import is_packed
    from rac.report.stored import pack as pack_run

    if output.exists() and any(output.iterdir() if output.is_dir() else (output,)) and not is_packed(output):
        raise UserError(f"{output} exists and is no run in compact form, so it is not replaced; give another folder")
    size = pack_run(run, output)
    typer.echo(f"{size / 1e6:.2f} MB in {output}")
