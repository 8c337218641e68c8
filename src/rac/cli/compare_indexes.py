"""``rac compare-indexes``: strategies x datasets with judgements, quality and cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app, list_shipped


@app.command("compare-indexes")
def compare_indexes(
    recipe: Annotated[
        str | None, typer.Argument(help="A comparison (YAML), or the name of a shipped one; left out: list those.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory of the results; indexes/NAME by default.")
    ] = None,
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", metavar="NAME", help="Only this dataset; can be repeated.")
    ] = None,
    strategies: Annotated[
        list[str] | None, typer.Option("--strategy", metavar="NAME", help="Only this strategy; can be repeated.")
    ] = None,
    mirror: Annotated[
        Path | None, typer.Option(help="Folder with benchmark files, laid out OWNER/REPO/PATH.", envvar="RAC_MIRROR")
    ] = None,
) -> None:
    """Compare indexing strategies on queries whose passages are known: quality, significance, time, disk and memory.

    Interrupted, the same command goes on where it was.

    Example: rac compare-indexes benchmarks -o indexes/benchmarks
    """
    from rac.errors import UserError, did_you_mean
    from rac.retrieval.comparison_settings import load_comparison, shipped_comparisons

    if recipe is None:
        list_shipped(shipped_comparisons())
        return
    comparison = load_comparison(recipe)
    changes = {}
    for key, chosen, known in (
        ("datasets", datasets, comparison.datasets), ("strategies", strategies, comparison.strategies),
    ):  # fmt: skip
        for name in chosen or []:
            if name not in known:
                nearest = did_you_mean(name, known)
                raise UserError(f"the comparison has no '{name}' among its {key}; {nearest}")
        if chosen:
            keep = {*chosen, comparison.baseline} if key == "strategies" else set(chosen)
            changes[key] = {name: value for name, value in known.items() if name in keep}
    comparison = comparison.model_copy(update=changes)

    from rac.report.indexes import write_index_report
    from rac.retrieval.comparison import run_comparison

    folder = output or Path("indexes") / comparison.name
    compared = run_comparison(comparison, folder, mirror=mirror)
    page, table, numbers = write_index_report(compared, folder)
    typer.echo(table.read_text(encoding="utf-8"))
    typer.echo(f"page       {page}\ntable      {table}\nnumbers    {numbers}")
