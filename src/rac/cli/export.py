"""``rac export`` and ``rac import``: between rac's records and other formats."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


class Format(enum.StrEnum):
    """What `rac export` writes."""

    jsonl = "jsonl"
    trec = "trec"
    datasets = "datasets"


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="A benchmark (see `rac fetch --list`) or a file of examples.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write; an existing one is replaced.")],
    to: Annotated[Format, typer.Option(help="JSON Lines, TREC topics and qrels, or a datasets.DatasetDict.")] = (
        Format.jsonl
    ),
    split: Annotated[str, typer.Option(help="One split; `dev:but 1/5` leaves a fold out.")] = "all",
    directory: Annotated[Path | None, typer.Option("--dir", help="Where benchmarks lie.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="Directory with OWNER/REPO/PATH (also RAC_MIRROR).")] = None,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) of a table.")] = None,
) -> None:
    """Write a benchmark, or your own examples, in a format that other tools read.

    Example: rac export claqua --to trec -o claqua-trec
    """
    from rac.benchmarks.columns import read_column_map
    from rac.benchmarks.export import export_examples
    from rac.benchmarks.resolve import read_source

    data, _ = read_source(
        source, split, directory=directory, mirror=mirror, columns=read_column_map(columns) if columns else None
    )
    for name, count in export_examples(data.examples, data.corpus, output, to.value).items():
        typer.echo(f"{count:>9,}  {output / name}")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A table or JSON Lines file of yours, or a ClariQ run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .jsonl file to write.")],
    columns: Annotated[
        Path | None, typer.Option(help="Column map (YAML): which column holds what. Makes examples.")
    ] = None,
    clariq_run: Annotated[bool, typer.Option("--clariq-run", help="Read a ClariQ run. Makes predictions.")] = False,
    directory: Annotated[Path | None, typer.Option("--dir", help="Where ClariQ's question bank lies.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="Directory with OWNER/REPO/PATH (also RAC_MIRROR).")] = None,
) -> None:
    """Turn a table of yours into examples, or a ClariQ run into predictions.

    Example: rac import questions.csv --columns map.yaml -o examples.jsonl

    Example: rac import dev_bm25 --clariq-run -o predictions.jsonl
    """
    from rac.errors import UserError
    from rac.files import write_records

    if (columns is None) == (not clariq_run):
        raise UserError("one of --columns and --clariq-run is needed: it says what the file holds")
    if columns is not None:
        from rac.benchmarks.columns import read_column_map, read_mapped

        examples, counts = read_mapped(file, read_column_map(columns))
        write_records(output, examples)
    else:
        from rac.benchmarks.predictions import load_bank, read_clariq_run

        predictions, counts = read_clariq_run(file, load_bank(directory, mirror))
        write_records(output, predictions)
    for name, count in counts.items():
        typer.echo(f"{count:>9,}  {name}")
    typer.echo(f"Written to {output}")
