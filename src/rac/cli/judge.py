"""``rac judge``: let a language model grade questions, or choose between two systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def judge(
    sources: Annotated[list[Path], typer.Argument(help="A run directory, or prediction files (.jsonl).")],
    model: Annotated[str, typer.Option(help="Name of the judging model on its server.")],
    url: Annotated[str, typer.Option(help="OpenAI-compatible server, up to its version.")] = "http://127.0.0.1:8000/v1",
    key_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the server's key, if it wants one.")
    ] = "OPENAI_API_KEY",
    examples: Annotated[Path | None, typer.Option(help="Examples that prediction files belong to.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="Only these systems (give it again for another).")] = None,
    against: Annotated[
        tuple[str, str] | None, typer.Option(help="Two systems to choose between, instead of grades.")
    ] = None,
    passages: Annotated[str | None, typer.Option(help="Which D of a run: retrieved or gold.")] = None,
    structured: Annotated[str, typer.Option(help="What the server enforces: schema, json or none.")] = "schema",
    cache: Annotated[Path | None, typer.Option(help="SQLite file of replies; asked again costs nothing.")] = None,
    per_item: Annotated[Path | None, typer.Option(help="Also write every verdict (.jsonl).")] = None,
    budget_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens to spend.")] = None,
    input_price: Annotated[float, typer.Option(min=0, help="Price of a million prompt tokens.")] = 0.0,
    output_price: Annotated[float, typer.Option(min=0, help="Price of a million reply tokens.")] = 0.0,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests at the same time.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of resampling.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything but the verdicts as JSON.")] = False,
) -> None:
    """Let a language model judge faithfulness, usefulness and clarity by a rubric.

    With --against, each pair is judged in both orders.

    Example: rac judge runs/claqua --model judge-70b --url http://gpu:8000/v1 --against rac grounded
    """
    import json

    from rac.annotation_sources import questions
    from rac.files import write_text
    from rac.judging import judge_against, judge_systems, make_server
    from rac.metrics.verdicts import VerdictAsker

    asked = questions(sources, examples, passages, system or ())
    server = make_server(
        url=url, model=model, api_key_variable=key_variable, concurrency=concurrency, budget_tokens=budget_tokens,
        input_price=input_price, output_price=output_price,
    )  # fmt: skip
    with VerdictAsker(server, cache=cache, structured=structured) as asker:
        if against is not None:
            result = judge_against(asked, *against, asker, seed=seed)
        else:
            result = judge_systems(asked, asker, seed=seed)
    if per_item is not None:
        write_text(per_item, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in result.rows))
    shown = {name: value for name, value in vars(result).items() if name != "rows"}
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        from rac.report.terminal import show_judgement

        show_judgement(shown)
    if per_item is not None:
        typer.echo(f"verdicts: {per_item}", err=as_json)
