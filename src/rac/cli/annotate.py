"""``rac annotate``: blind sheets for people, and what their grades say about the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rac.cli import app

if TYPE_CHECKING:
    from rac.annotate import Asked

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

    asked = _questions(sources, examples, passages)
    if system:
        from rac.errors import UserError, did_you_mean

        known = {a.system for a in asked}
        for name in system:
            if name not in known:
                raise UserError(f"no system is called '{name}'; {did_you_mean(name, known)}")
        asked = [a for a in asked if a.system in system]
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


def _questions(sources: list[Path], examples: Path | None, passages: str | None) -> list[Asked]:
    """Return the questions of a run, or of prediction files."""
    from rac.errors import UserError

    runs = [path for path in sources if path.is_dir()]
    if runs and len(sources) > 1:
        raise UserError(
            f"{len(sources)} sources with a run directory among them were given, but the sheets of a run are its own; "
            "give one run, or prediction files with --examples"
        )
    if runs:
        from rac.annotation_sources import questions_of_run

        return questions_of_run(runs[0], passages)
    if examples is None:
        raise UserError(
            "prediction files name no queries, so no sheet can be written; give their examples with --examples"
        )
    from rac.annotation_sources import questions_of_files

    return questions_of_files(sources, examples)
