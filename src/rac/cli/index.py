"""``rac index``: build an index of a corpus, add to it, delete from it, describe it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rac.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rac.records import Passage
    from rac.retrieval.settings import IndexSettings


@app.command()
def index(
    corpus: Annotated[
        str | None,
        typer.Argument(help="`wikipedia`, a .jsonl, .txt or .md file, or a folder of such files."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="INDEX", help="Directory of the index.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="bm25, dense, sparse, hybrid or milvus; short for --set strategy=...")
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="text, title+text, facets or queries; short for --set fields=...")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the index (section `index` of a recipe)."),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe whose `index` section is used.")] = None,
    passage_tokens: Annotated[
        int | None, typer.Option(min=1, help="Split documents into passages of at most so many words and marks.")
    ] = None,
    overlap_tokens: Annotated[int, typer.Option(min=0, help="Words and marks that a passage repeats.")] = 40,
    queries: Annotated[
        Path | None, typer.Option(help="Examples (.jsonl) whose queries are indexed with their gold passages.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add the corpus to the index that is there.")] = False,
    delete: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Delete a passage from the index; can be repeated.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check every byte of the index.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the index is as JSON.")] = False,
) -> None:
    """Build an index of a corpus; with --add or --delete change one; with neither corpus nor --delete describe it.

    Example: rac index documents/ -o my.index --strategy hybrid --passage-tokens 200
    """
    from rac.errors import UserError
    from rac.retrieval import build_index, open_index

    if output is None:
        raise UserError("no index was named, so there is nowhere to write; give -o INDEX")
    if corpus is None and (add or passage_tokens or queries or recipe or strategy or fields or settings):
        raise UserError("no corpus was given; name one, such as `rac index documents/ -o my.index`")
    if delete and corpus is not None and not add:
        raise UserError("a new index has nothing to delete; leave --delete away, or give --add as well")

    chosen = _settings(recipe, strategy, fields, settings or [])
    if corpus is not None and not add:
        opened = build_index(_passages(corpus, passage_tokens, overlap_tokens, queries), chosen, output)
    else:
        given = chosen if (recipe or strategy or fields or settings) else None
        opened = open_index(output, given, verify=verify)
        if delete:
            typer.echo(f"deleted {opened.delete(delete)} passages", err=True)
        if corpus is not None:
            added = opened.add(_passages(corpus, passage_tokens, overlap_tokens, queries))
            typer.echo(f"added {added} passages", err=True)
        if delete or add:
            opened.save(output)
            opened = open_index(output)
    if verify:
        open_index(output, verify=True)
    info = opened.info()
    if as_json:
        typer.echo(json.dumps(info, ensure_ascii=False))
    else:
        typer.echo(describe(info))


def _settings(recipe: str | None, strategy: str | None, fields: str | None, settings: list[str]) -> IndexSettings:
    from rac.retrieval.settings import parse_settings

    base = None
    if recipe is not None:
        from rac.config import find_recipe, load_recipe

        base = load_recipe(find_recipe(recipe)).index
    short = [f"{key}={value}" for key, value in (("strategy", strategy), ("fields", fields)) if value is not None]
    return parse_settings([*short, *settings], base)


def _passages(corpus: str, tokens: int | None, overlap: int, queries: Path | None) -> Iterator[Passage]:
    from rac.corpus import read_corpus
    from rac.corpus.splitting import split_corpus
    from rac.files import read_records
    from rac.records import ClarificationExample
    from rac.retrieval.entries import attach_queries

    passages = read_corpus(corpus)
    if tokens is not None:
        passages = split_corpus(passages, tokens, min(overlap, tokens - 1))
    if queries is not None:
        passages = attach_queries(passages, read_records(queries, ClarificationExample))
    return passages


def describe(info: dict[str, Any]) -> str:
    """Return what an index is, in a few lines."""
    size = info["bytes"]
    parts, entries = info["retrievers"], info["entries"]
    lines = [
        f"index      {info['path']}",
        f"strategy   {info['strategy']}" + (f" ({', '.join(parts)})" if len(parts) > 1 else ""),
        f"fields     {info['settings']['fields']}",
        f"passages   {info['passages']}" + (f", {entries} entries" if entries != info["passages"] else ""),
        f"size       {size / 1e6:.1f} MB, {size / max(info['passages'], 1):.0f} bytes per passage" if size else "",
        f"corpus     sha256 {info['corpus']['sha256'][:16]}…",
    ]
    for name, part in parts.items():
        if "model" in part:
            lines.append(f"model      {part['model']} ({name})")
        if "graph" in part:
            graph = part["graph"]
            lines.append(f"graph      recall@{graph['recall_at']} {graph['recall']:.3f} against exact search")
    return "\n".join(line for line in lines if line)
