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
    source: Annotated[
        str,
        typer.Argument(
            help="A benchmark (see `rac fetch --list`), a file of examples; or gguf, merged or adapter, then a model."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="What to write; an existing one is replaced.")],
    model: Annotated[
        str | None, typer.Argument(help="Behind gguf, merged or adapter: a run, a model folder or a hub id.")
    ] = None,
    to: Annotated[Format, typer.Option(help="JSON Lines, TREC topics and qrels, or a datasets.DatasetDict.")] = (
        Format.jsonl
    ),
    split: Annotated[str, typer.Option(help="One split; `dev:but 1/5` leaves a fold out.")] = "all",
    directory: Annotated[Path | None, typer.Option("--dir", help="Where benchmarks lie.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="Directory with OWNER/REPO/PATH (also RAC_MIRROR).")] = None,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) of a table.")] = None,
    system: Annotated[str | None, typer.Option(help="Model of a run: rac (default), grounded or ungrounded.")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="Weights: f32, f16, q8_0 (gguf); float32, bfloat16, float16 (merged).")
    ] = None,
    check: Annotated[bool, typer.Option(help="Read a GGUF file back and compare greedy output.")] = True,
) -> None:
    """Write a benchmark or your own examples for other tools, or a model for llama.cpp, Ollama or vLLM.

    Example: rac export claqua --to trec -o claqua-trec

    Example: rac export gguf runs/quickstart -o rac.gguf
    """
    from rac.cli.export_model import MODEL_FORMATS, export_model
    from rac.errors import UserError

    if source in MODEL_FORMATS:
        if model is None:
            raise UserError(f"rac export {source} needs a model: rac export {source} RUN|MODEL -o {output}")
        return export_model(source, model, output, system, dtype, check)
    if model is not None or system is not None or dtype is not None:
        raise UserError(
            f"a model is exported as {', '.join(MODEL_FORMATS)}, not as '{source}': rac export gguf RUN -o rac.gguf"
        )
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
