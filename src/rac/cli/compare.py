"""``rac compare``: systems x metrics across runs, with intervals and what is significant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or score files of rac evaluate --per-item.")],
    system: Annotated[list[str] | None, typer.Option(help="Only these systems (give it again for another).")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Only these metrics (give it again for another).")] = None,
    passages: Annotated[str | None, typer.Option(help="Which D of the runs: retrieved or gold.")] = None,
    alpha: Annotated[float, typer.Option(min=0.0001, max=0.5, help="Level of significance after Holm.")] = 0.05,
    family: Annotated[str, typer.Option(help="Correct over the pairs of one metric, or over the table.")] = "metric",
    seed: Annotated[int, typer.Option(help="Seed of resampling.")] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write a page (.html or .md).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Compare systems of one or more runs on their common queries.

    Every difference is tested by approximate randomisation over clusters and corrected with Holm's method. Scores that
    were made differently (another metric version, model, D or threshold) are refused.

    Example: rac compare runs/a runs/b --system rac --system gold
    """
    from rac.report.compare import compare_scored, load_systems

    if output is not None and output.suffix not in (".html", ".md"):
        from rac.errors import UserError

        raise UserError(f"'{output.name}' ends in neither .html nor .md, so its format is not known; name one of them")
    systems = load_systems(runs, passages=passages, systems=system or ())
    result = compare_scored(systems, seed=seed, metrics=metric or (), alpha=alpha, family=family)
    if as_json:
        import json

        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=2))
    else:
        from rac.report.terminal import show_comparison

        show_comparison(result.to_dict(), every_metric=bool(metric))
    if output is not None:
        from rac.report.compare import write_comparison

        write_comparison(output, result)
        typer.echo(f"the page is {output}", err=as_json)
