"""``rac index``: build an index of a corpus, add to it, delete from it, describe it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rac.cli import app

if TYPE_CHECKING:
    from rac.corpus import ReadOptions
    from rac.retrieval.refresh import Change
    from rac.retrieval.settings import IndexSettings


@app.command()
def index(
    corpus: Annotated[
        str | None,
        typer.Argument(help="A file, a folder, `wikipedia`, trec:PATH, ir_datasets:NAME or datasets:NAME."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="INDEX", help="Directory of the index.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="bm25, dense, sparse, hybrid or milvus; short for --set strategy=...")
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(help="text, title+text, facets, facets+text, queries or queries+text; short for --set fields=..."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the index (section `index` of a recipe)."),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe whose `index` section is used.")] = None,
    passage_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Most words and marks of a passage (documents: 200; records stay whole)."),
    ] = None,
    overlap_tokens: Annotated[int, typer.Option(min=0, help="Words and marks that a passage repeats.")] = 40,
    near_duplicates: Annotated[
        str, typer.Option(metavar="ignore|count|drop", help="What to do with passages of nearly the same text.")
    ] = "count",
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
    """Build an index of a corpus, or bring it up to date; with --add or --delete change one; without these describe it.

    The same command again reads only files that were added or changed since, and forgets the removed ones. Files that
    cannot be read are listed at the end and stop nothing.

    Example: rac index documents/ -o my.index --strategy hybrid
    """
    from rac.errors import UserError
    from rac.retrieval import open_index

    if output is None:
        raise UserError("no index was named, so there is nowhere to write; give -o INDEX")
    if corpus is None and (add or passage_tokens or queries or recipe or strategy or fields or settings):
        raise UserError("no corpus was given; name one, such as `rac index documents/ -o my.index`")
    if delete and corpus is not None and not add:
        raise UserError("a new index has nothing to delete; leave --delete away, or give --add as well")

    chosen = _settings(recipe, strategy, fields, settings or [])
    options = _options(passage_tokens, overlap_tokens, near_duplicates)
    reading: dict[str, Any] = {}
    if corpus is not None and not add:
        from rac.retrieval.refresh import index_corpus

        change, change_key = _change(queries)
        made = index_corpus(corpus, chosen, output, options, change=change, change_key=change_key)
        opened, reading = made.index, {"reading": made.report.to_dict()}
        if made.note:
            typer.echo(made.note, err=True)
    else:
        given = chosen if (recipe or strategy or fields or settings) else None
        opened = open_index(output, given, verify=verify)
        if delete:
            typer.echo(f"deleted {opened.delete(delete)} passages", err=True)
        if corpus is not None:
            from rac.corpus import read_corpus

            change, _ = _change(queries)
            passages = read_corpus(corpus, options)
            added = opened.add(change(passages) if change else passages)
            typer.echo(f"added {added} passages", err=True)
        if delete or add:
            opened.save(output)
            opened = open_index(output)
    if verify:
        open_index(output, verify=True)
    info = opened.info()
    if as_json:
        typer.echo(json.dumps({**info, **reading}, ensure_ascii=False))
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


def _options(tokens: int | None, overlap: int, near_duplicates: str) -> ReadOptions:
    from typing import get_args

    from rac.corpus import NearDuplicates, ReadOptions
    from rac.errors import UserError

    for known in get_args(NearDuplicates):
        if near_duplicates == known:
            return ReadOptions(tokens, overlap, known)
    raise UserError(f"--near-duplicates {near_duplicates}: give one of {', '.join(get_args(NearDuplicates))}")


def _change(queries: Path | None) -> tuple[Change | None, str]:
    """Return what is done to passages before they are indexed, and a name for it that changes with the file."""
    if queries is None:
        return None, ""
    from rac.files import read_records, sha256_file
    from rac.records import ClarificationExample
    from rac.retrieval.entries import attach_queries

    examples = read_records(queries, ClarificationExample)
    return (lambda passages: attach_queries(passages, examples)), f"queries {sha256_file(queries)}"


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
