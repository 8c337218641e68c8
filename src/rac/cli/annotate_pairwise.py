"""``rac annotate pairwise`` and ``rac annotate pairwise-report``: which of two systems' questions a reader prefers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli.annotate import commands


@commands.command("pairwise")
def pairwise(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    first: Annotated[str, typer.Argument(help="A system of the run.")],
    second: Annotated[str, typer.Argument(help="The system that it is compared with.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New directory for sheet, guideline and key.")],
    queries: Annotated[int, typer.Option(min=1, help="Queries to read, drawn at random.")] = 100,
    passages: Annotated[str | None, typer.Option(help="Which D of the run: retrieved or gold.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of drawing, order and sides.")] = 0,
) -> None:
    """Write a blind sheet with two systems' questions side by side, the sides drawn for each query.

    Example: rac annotate pairwise runs/claqua rac template -o pairwise
    """
    from rac.annotation_sources import questions
    from rac.pairwise_study import export_pairs

    asked = questions([run], None, passages, (first, second))
    counts = export_pairs(asked, first, second, output, queries=queries, seed=seed)
    typer.echo(f"{counts['pairs']} pairs to read; for {counts['same']} more queries both ask the same, which is a tie")
    typer.echo(f"fill in {output / 'sheet.csv'} by {output / 'guideline.md'}, without a look at key.json")


@commands.command("pairwise-report")
def pairwise_report(
    key: Annotated[Path, typer.Argument(help="The exported directory, or its key.json.")],
    sheet: Annotated[Path, typer.Argument(help="The filled sheet.")],
    scores: Annotated[Path, typer.Option(help="The run that the questions are of, or its compact form.")],
    read_by: Annotated[str, typer.Option(help="Who or what read, as the page shall say it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A Markdown file; printed if left out.")] = None,
    passages: Annotated[str | None, typer.Option(help="Which D the sheet showed: retrieved or gold.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of resampling and test.")] = 0,
) -> None:
    """Write what a filled sheet says: how often each system was preferred, with interval and p, and examples.

    Example: rac annotate pairwise-report pairwise pairwise/filled.csv --scores runs/claqua --read-by "two authors"
    """
    from rac.files import write_text
    from rac.pairwise_study import read_pairs, render_pairs
    from rac.report.stored import load

    run = load(scores)
    source = run.source(passages)
    systems, items = read_pairs(key, sheet)
    page = render_pairs(systems, items, run, source, read_by=read_by, seed=seed)
    if output is None:
        typer.echo(page, nl=False)
    else:
        write_text(output, page)
        typer.echo(f"The page is in {output}")
