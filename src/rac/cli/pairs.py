"""``rac pairs``: preference pairs from the feedback that a service has collected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rac.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rac.records import Passage


@app.command()
def pairs(
    from_feedback: Annotated[str, typer.Option(help="SQLite file or database URL that `rac serve` writes to.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File of pairs to write (.jsonl).")] = Path(
        "pairs.jsonl"
    ),
    model: Annotated[
        str | None,
        typer.Option(metavar="RUN|MODEL", help="Render the prompts for this run or model; left out: no prompts."),
    ] = None,
    max_rejected: Annotated[int, typer.Option(min=1, help="C- of a pair at most.")] = 3,
) -> None:
    """Turn feedback into preference pairs: questions that served users against those that did not.

    Needs feedback with passages; see docs/service.md for the rule. The pairs of a run itself are made by `rac train`.

    Example: rac pairs --from-feedback feedback.sqlite --model runs/quickstart -o feedback-pairs.jsonl
    """
    from rac.errors import UserError
    from rac.files import write_records
    from rac.server.feedback import FeedbackStore
    from rac.server.feedback_pairs import feedback_pairs

    store = FeedbackStore(from_feedback, create=False)
    try:
        made, counts = feedback_pairs(
            store, prompt=None if model is None else _renderer(model), most_rejected=max_rejected
        )
    finally:
        store.close()
    told = ", ".join(f"{name}: {count}" for name, count in counts.items())
    if not made:
        raise UserError(
            f"{from_feedback} gives no preference pair ({told}): send feedback with `passages` and `candidates`, and "
            "with `helpful: false` for questions that did not help"
        )
    write_records(output, made)
    typer.echo(f"{told}\npairs: {output}")


def _renderer(model: str) -> Callable[[str, Sequence[Passage]], str]:
    """Return what renders a prompt as the run or model sees it."""
    from rac.models import load_tokenizer
    from rac.prompting import PromptSettings, build_prompt

    base, settings = model, PromptSettings()
    if (Path(model) / "run.json").exists():
        from rac.pipeline.run_directory import RunDirectory

        recipe = RunDirectory(Path(model)).recipe
        base, settings = recipe.model.base, recipe.prompt
    tokenizer = load_tokenizer(base)
    return lambda query, passages: build_prompt(tokenizer, query, passages, settings).text
