"""``rac annotate``: blind sheets for people, and what their grades say about the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app

commands = typer.Typer(no_args_is_help=True, help="Blind sheets for people; agreement and correlation with metrics.")
app.add_typer(commands, name="annotate")


@commands.command("export")
def export(
    sources: Annotated[list[Path], typer.Argument(help="A run directory, or prediction files (.jsonl).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New directory for the sheets.")],
    examples: Annotated[Path | None, typer.Option(help="Examples that prediction files belong to.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="Only these systems (give it again for another).")] = None,
    passages: Annotated[str | None, typer.Option(help="Which D of a run: retrieved or gold.")] = None,
    queries: Annotated[
        int | None, typer.Option(min=1, help="Number of queries, drawn at random; all by default.")
    ] = None,
    annotators: Annotated[int, typer.Option(min=1, max=100, help="Number of sheets.")] = 2,
    overlap: Annotated[float, typer.Option(min=0, max=1, help="Share of items that every annotator gets.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of drawing and shuffling.")] = 0,
) -> None:
    """Write a shuffled CSV sheet for each annotator, the guideline, and a key that annotators do not get.

    Example: rac annotate export runs/claqua -o sheets --queries 50 --system ungrounded --system rac --system gold
    """
    from rac.annotate import export_sheets
    from rac.annotation_sources import questions

    asked = questions(sources, examples, passages, system or ())
    counts = export_sheets(asked, output, annotators=annotators, queries=queries, overlap=overlap, seed=seed)
    typer.echo(
        f"{counts.items} questions on {counts.queries} queries are in {annotators} sheets ({counts.rows} rows) in "
        f"{output}; "
        f"{counts.merged} were asked word for word by more than one system, {counts.left_out} empty ones are left out"
    )
    typer.echo("give each annotator one sheet and guideline.md, and keep key.json to yourself")


@commands.command("import")
def import_(
    key: Annotated[Path, typer.Argument(help="The exported directory, or its key.json.")],
    sheets: Annotated[list[Path], typer.Argument(help="The filled sheets, one per annotator.")],
    scores: Annotated[list[Path] | None, typer.Option(help="Run directory or score files to correlate with.")] = None,
    passages: Annotated[str | None, typer.Option(help="Which D of a run: retrieved or gold.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstraps.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Read filled sheets: agreement (Krippendorff's alpha), mean grades, correlation with each metric.

    Example: rac annotate import sheets anna.csv ben.csv --scores runs/claqua
    """
    from rac.annotate import analyse, read_sheets
    from rac.report.compare import load_systems

    annotations = read_sheets(key, sheets)
    result = analyse(annotations, load_systems(scores, passages=passages) if scores else (), seed=seed)
    if as_json:
        import json

        typer.echo(json.dumps(vars(result), ensure_ascii=False, indent=2))
    else:
        from rac.report.terminal import show_annotations

        show_annotations(vars(result))
