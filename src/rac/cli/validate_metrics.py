"""``rac validate-metrics``: how far the metrics can be trusted, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command("validate-metrics")
def validate_metrics(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page (.md); its plots lie beside it. Printed if left out."),
    ] = None,
    nli: Annotated[
        str, typer.Option(help="Entailment model: auto (embedded where it runs), none (words alone), hub id or folder.")
    ] = "auto",
    data: Annotated[Path | None, typer.Option(help="Where CLAQUA's files lie or shall lie.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="A local copy of benchmark files.")] = None,
    perplexity: Annotated[bool, typer.Option(help="Also beat perplexity (minutes on two cores).")] = True,
    other: Annotated[bool, typer.Option(help="Also make faults on bootstrapped Wikipedia queries.")] = True,
    items: Annotated[int | None, typer.Option(min=20, help="Only this many queries of each data set.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of faults and resampling.")] = 1,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also keep every figure here.")] = None,
) -> None:
    """Validate the metrics on labelled model outputs and controlled faults, and write the page of docs/metrics.md.

    What models computed is kept in the user's cache folder: a run that was stopped goes on where it was.

    Example: rac validate-metrics -o docs/metrics.md
    """
    from rac.benchmarks import load
    from rac.errors import UserError
    from rac.files import write_json
    from rac.metrics.validation_run import WIKIPEDIA, bootstrapped_examples, run_validation
    from rac.report.metrics_page import render_page, write_page

    if output is not None and output.suffix != ".md":
        raise UserError(f"'{output.name}' does not end in .md, but the page is Markdown; name a .md file")
    examples = load("claqua", "validation", directory=data, mirror=mirror).examples[:items]
    others = {WIKIPEDIA: bootstrapped_examples(items or 300)} if other else {}
    from rac.metrics.entailment import chosen_entailment, default_cache_path

    scorer = chosen_entailment(nli, cache=default_cache_path())
    measure = None
    if perplexity:
        from functools import partial

        from rac.metrics.perplexity import perplexities

        measure = partial(perplexities, cache=default_cache_path().with_name("perplexity.sqlite"))
    result = run_validation(examples, others=others, entailment=scorer, perplexity=measure, seed=seed)
    if as_json is not None:
        write_json(as_json, result.to_dict())
    if output is None:
        typer.echo(render_page(result), nl=False)
    else:
        write_page(output, result)
        typer.echo(f"The page is in {output}")
    for name, bars in result.bars().items():
        for bar in bars:
            if not bar.met:
                typer.echo(f"missed, {name}: {bar.name}: {bar.value:.3f} (bar {bar.bar:.3f})", err=True)
