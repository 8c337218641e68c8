"""``rac annotate errors`` and ``rac annotate error-report``: the error study's sheet, and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli.annotate import commands


@commands.command("errors")
def errors(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New directory for sheet, guideline and key.")],
    items: Annotated[int, typer.Option(min=1, help="Outputs to read, about as many of each system.")] = 100,
    system: Annotated[list[str] | None, typer.Option(help="Only these systems (give it again for another).")] = None,
    passages: Annotated[str | None, typer.Option(help="Which D of the run: retrieved or gold.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of drawing and shuffling.")] = 0,
) -> None:
    """Write a blind sheet with a yes-or-no column for each fault: systems mixed and hidden.

    Example: rac annotate errors runs/claqua -o errors --items 100
    """
    from rac.annotation_sources import questions
    from rac.error_study import export_errors

    counts = export_errors(questions([run], None, passages, system or ()), output, items=items, seed=seed)
    for name, count in sorted(counts.items()):
        typer.echo(f"{count:>5}  {name}")
    typer.echo(f"fill in {output / 'sheet.csv'} by {output / 'guideline.md'}, without a look at key.json")


@commands.command("error-report")
def error_report(
    key: Annotated[Path, typer.Argument(help="The exported directory, or its key.json.")],
    sheet: Annotated[Path, typer.Argument(help="The filled sheet.")],
    scores: Annotated[Path, typer.Option(help="The run that the outputs are of, or its compact form.")],
    labelled_by: Annotated[str, typer.Option(help="Who or what labelled, as the page shall say it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A Markdown file; printed if left out.")] = None,
    passages: Annotated[str | None, typer.Option(help="Which D the sheet showed: retrieved or gold.")] = None,
    notes: Annotated[Path | None, typer.Option(help="Markdown put behind the tables.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of resampling.")] = 0,
) -> None:
    """Write what a filled sheet says: faults by system, agreement with the metrics, examples.

    Example: rac annotate error-report errors errors/filled.csv --scores runs/claqua --labelled-by "one author"
    """
    from rac.error_study import read_errors, render_errors
    from rac.files import read_text, write_text
    from rac.report.stored import load

    run = load(scores)
    source = run.source(passages)
    page = render_errors(
        read_errors(key, sheet),
        run,
        source,
        labelled_by=labelled_by,
        notes=read_text(notes) if notes else "",
        seed=seed,
    )
    if output is None:
        typer.echo(page, nl=False)
    else:
        write_text(output, page)
        typer.echo(f"The page is in {output}")
