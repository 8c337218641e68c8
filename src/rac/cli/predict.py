"""``rac predict``: one question for each example of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rac.cli import EngineOption, app


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="A run directory, a model folder, a hub id, or `embedded`.")],
    examples: Annotated[Path, typer.Option(help="Examples, one JSON object a line: id and query, maybe passages.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the predictions go (.jsonl).")],
    system: Annotated[
        str | None,
        typer.Option(
            help="Model of the run: ungrounded, grounded or rac; or openai, the server that its recipe names."
        ),
    ] = None,
    index: Annotated[Path | None, typer.Option(help="Index for examples that bring no passages.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=100, help="Passages per query.")] = None,
    server: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with the settings of an OpenAI-compatible server that asks (vLLM, llama.cpp, ...)."
        ),
    ] = None,
    engine: EngineOption = None,
    ray: Annotated[
        int | None, typer.Option(min=1, help="Workers on Ray, on this machine or on the cluster of RAY_ADDRESS.")
    ] = None,
) -> None:
    """Ask one question for each example. Passages of an example are D; others are retrieved from the run's index.

    An interrupted run goes on where it was. An item that fails has an empty question and says why; where trying again
    may help (a server was down) the status is 1 and the same command asks about these items only.

    Example: rac predict runs/claqua --examples examples.jsonl -o predictions.jsonl
    """
    from rac.asking import checked_engine
    from rac.generation.openai_settings import OpenAIServer
    from rac.predicting import Source, predict_file, with_system
    from rac.settings import load_settings

    settings = load_settings(OpenAIServer, server) if server is not None else None
    system, settings = with_system(run, system, settings)
    source = Source(run, system, None if index is None else str(index), settings, checked_engine(engine))
    asker = source.open()
    asking = None
    if ray is not None:
        from rac.integrations.ray import ask_on_ray

        asking = ask_on_ray(source, workers=ray, top_k=top_k)
    done = predict_file(asker, examples, output, top_k=top_k, asking=asking)
    failed = sum(done.failures.values())
    typer.echo(
        f"{done.written - failed} questions are in {output}" + (f"; {failed} items have none:" if failed else "")
    )
    for reason, count in sorted(done.failures.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"{count:>9,}  {reason}")
    if done.again:
        sys.stderr.write(
            f"rac: {done.again} of these may succeed later: run the same command again to ask about them\n"
        )
        raise typer.Exit(1)
