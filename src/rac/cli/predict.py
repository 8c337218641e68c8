"""``rac predict``: one question for each example of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="A run directory, a model folder, a hub id, or `embedded`.")],
    examples: Annotated[Path, typer.Option(help="Examples, one JSON object a line: id and query, maybe passages.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the predictions go (.jsonl).")],
    system: Annotated[str | None, typer.Option(help="Model of the run: ungrounded, grounded or rac.")] = None,
    index: Annotated[Path | None, typer.Option(help="Index for examples that bring no passages.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=100, help="Passages per query.")] = None,
) -> None:
    """Ask one question for each example. Passages of an example are D; others are retrieved from the run's index.

    An interrupted run goes on where it was.

    Example: rac predict runs/claqua --examples examples.jsonl -o predictions.jsonl
    """
    from rac.asking import Asker
    from rac.predicting import predict_file

    asker = Asker.open(run, system=system, index=index)
    count, empty = predict_file(asker, examples, output, top_k=top_k)
    typer.echo(f"{count} questions are in {output}" + (f"; {empty} queries retrieved nothing" if empty else ""))
