"""``rac describe``: statistics of a benchmark or of your own examples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rac.cli import app
from rac.errors import UserError

if TYPE_CHECKING:
    from rac.benchmarks import BenchmarkInfo
    from rac.records import ClarificationExample


@app.command()
def describe(
    source: Annotated[str, typer.Argument(help="A benchmark (see `rac fetch --list`) or a file of examples.")],
    split: Annotated[str, typer.Option(help="One split; `dev:fold 1/5` is a fold of one.")] = "all",
    directory: Annotated[Path | None, typer.Option("--dir", help="Where benchmarks lie.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="Directory with OWNER/REPO/PATH (also RAC_MIRROR).")] = None,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) of a table.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Count a model's tokens (`embedded`, a folder, a hub id) instead of words.")
    ] = None,
    index: Annotated[Path | None, typer.Option(help="Also ground the gold in what this index returns.")] = None,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Passages taken from --index.")] = 5,
    compare: Annotated[bool, typer.Option(help="Look for queries shared with the other benchmarks here.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print sizes, lengths, how grounded the gold is in its passages, leaks between splits and benchmarks, and damage.

    Example: rac describe claqua

    Example: rac describe my-examples.jsonl --json
    """
    from rac.benchmarks.describe import count_words
    from rac.benchmarks.describe import describe as describe_examples
    from rac.benchmarks.describe_text import render
    from rac.benchmarks.resolve import read_present, read_source

    data, info = read_source(
        source, split, directory=directory, mirror=mirror, columns=_column_map(columns) if columns else None,
        distinct=False,
    )  # fmt: skip
    if not data.examples:
        raise UserError(f"{source} holds no example, so there is nothing to describe")
    others: dict[str, list[ClarificationExample]] = {}
    absent: list[str] = []
    if compare:
        others, absent = read_present(without=info.name if info else "", directory=directory, mirror=mirror)
    found = describe_examples(
        data.examples, data.corpus, others=others, count_tokens=_counter(tokenizer) if tokenizer else count_words
    )
    found = {"source": source, "unit": tokenizer or "words", "counts": data.counts, **found, "not_here": absent}
    if info:
        found["benchmark"] = {
            name: getattr(info, name)
            for name in ("name", "title", "url", "licence", "citation", "passages", "missing", "splitting")
        }
    if index:
        found["retrieved_grounding"] = _retrieved(data.examples, index, top_k, info)
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2) if as_json else render(found))


def _column_map(path: Path) -> Any:
    from rac.benchmarks.columns import read_column_map

    return read_column_map(path)


def _counter(name: str) -> Callable[[str], int]:
    from rac.models import load_tokenizer

    tokenizer = load_tokenizer(name)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _retrieved(
    examples: list[ClarificationExample], index: Path, top_k: int, info: BenchmarkInfo | None
) -> dict[str, Any]:
    from rac.benchmarks import stand_in_note
    from rac.benchmarks.gold_grounding import gold_grounding
    from rac.retrieval import open_index

    hits = open_index(index).search_batch([e.query for e in examples], top_k)
    by_id = {e.id: [hit.passage for hit in own] for e, own in zip(examples, hits, strict=True)}
    found: dict[str, Any] = {"index": str(index), "top_k": top_k}
    found |= gold_grounding(examples, passages_of=lambda e: by_id[e.id])
    judged = [e for e in examples if e.gold_ids]
    if judged:
        shares = [len({p.id for p in by_id[e.id]} & set(e.gold_ids)) / len(e.gold_ids) for e in judged]
        found["gold_recall"] = sum(shares) / len(shares)
    if info is not None and (note := stand_in_note(info.name, str(index))):
        found["note"] = note
    return found
