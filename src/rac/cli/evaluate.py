"""``rac evaluate``: score the questions of any system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command()
def evaluate(
    predictions: Annotated[
        list[Path], typer.Argument(help="Prediction files (JSON Lines, or ClariQ runs), one for each system.")
    ],
    examples: Annotated[Path, typer.Option(help="The examples that the predictions were made for.")],
    passages: Annotated[
        str,
        typer.Option(
            help="D: predictions, examples, retrieved, or auto (with --corpus the example's; else the prediction's "
            "own, where it has none the example's)."
        ),
    ] = "auto",
    index: Annotated[Path | None, typer.Option(help="Index: for retrieved D, and for support by the corpus.")] = None,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Passages retrieved for a query.")] = 5,
    corpus: Annotated[str | None, typer.Option(help="Corpus with the passages that examples only name by id.")] = None,
    nli: Annotated[
        str, typer.Option(help="Entailment model: auto (embedded where it runs), none (words alone), hub id or folder.")
    ] = "auto",
    per_item: Annotated[
        Path | None, typer.Option(help="Also write scores per item (a file; a folder for several systems).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write a folder with report.html, metrics and scores.")] = None,
    embedding: Annotated[str, typer.Option(help="Sentence-embedding model for similarity with gold questions.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of resampling.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Score clarifying questions: faithful to the passages, and telling? Works on any system's output.

    Example: rac evaluate predictions.jsonl --examples examples.jsonl --out evaluation
    """
    from typing import cast

    from rac.errors import UserError, did_you_mean
    from rac.metrics.suite import MetricSettings
    from rac.report.evaluation import SOURCES, Source, evaluate_files, write_folder, write_score_files, write_scores

    if passages not in SOURCES:
        raise UserError(f"--passages {passages} is not known, so D is not either; {did_you_mean(passages, SOURCES)}")
    if per_item is not None and len(predictions) > 1 and per_item.suffix:
        raise UserError(
            f"--per-item {per_item} is one file, but there are {len(predictions)} systems; give a folder instead"
        )
    by_id = None
    if corpus is not None:
        from rac.corpus import read_corpus

        by_id = {p.id: p for p in read_corpus(corpus)}
    opened = None
    if index is not None:
        from rac.retrieval import open_index

        opened = open_index(index)
    from rac.metrics.entailment import chosen_entailment, default_cache_path

    scorer = chosen_entailment(nli, cache=default_cache_path())
    result = evaluate_files(
        predictions, examples, passages=cast(Source, passages), index=opened, top_k=top_k, corpus=by_id,
        entailment=scorer, settings=MetricSettings(seed=seed, embedding=embedding),
    )  # fmt: skip
    if per_item is not None:
        if per_item.suffix:
            (evaluation,) = result.evaluations.values()
            write_scores(per_item, evaluation)
        else:
            write_score_files(per_item, result)
    if out is not None:
        write_folder(out, result, title="Clarifying questions: " + ", ".join(result.evaluations), seed=seed)
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(result), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        from rac.report.terminal import show_evaluation

        show_evaluation(result.metrics(seed))
    for path, label in ((per_item, "scores per item"), (out, "report.html, metrics and scores")):
        if path is not None:
            typer.echo(f"{label}: {path}", err=as_json)


def _as_json(result: object) -> dict[str, object]:
    """Return the whole result: per system its summary, counts and signatures."""
    from rac.report.evaluation import EvaluatedSystems

    assert isinstance(result, EvaluatedSystems)
    return {
        "signature": result.signature,
        "notes": result.notes,
        "systems": {
            name: {"summary": e.summary, "counts": e.counts, "signatures": e.signatures}
            for name, e in result.evaluations.items()
        },
    }
