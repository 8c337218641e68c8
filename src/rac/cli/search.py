"""``rac search``: the passages that an index finds for a query, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rac.cli import app, check_query, queries_of_stdin

if TYPE_CHECKING:
    from rac.retrieval import Hit


@app.command()
def search(
    index: Annotated[Path, typer.Argument(help="Directory of an index that `rac index` made.")],
    query: Annotated[
        str | None,
        typer.Argument(help="What to look for; left out: one query a line from standard input."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, max=1000, help="Passages per query.")] = 5,
    diversify: Annotated[str | None, typer.Option(help="Let passages differ: mmr, facets, or none.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show which strategy contributed what.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the search, such as rrf_k=10 or reranker=MODEL."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per query.")] = False,
) -> None:
    """Print the passages that an index finds, with scores and the words of the query that they hold.

    Example: rac search my.index "jaguar" --top-k 5 --diversify mmr --explain
    """
    from rac.retrieval import open_index
    from rac.retrieval.settings import parse_settings

    if query is not None:
        check_query(query)
    chosen = [*(settings or []), *([f"diversify={diversify}"] if diversify is not None else [])]
    parsed = parse_settings(chosen)
    keys = [assignment.partition("=")[0].strip().removeprefix("index.") for assignment in chosen]
    opened = open_index(index, **{key: getattr(parsed, key) for key in keys})
    if query is None and sys.stdin.isatty():
        typer.echo("Type a query on each line (Ctrl-D to stop).", err=True)
    queries = [query] if query is not None else list(queries_of_stdin())
    for asked, hits in zip(queries, opened.search_batch(queries, top_k, explain=True), strict=True):
        if as_json:
            typer.echo(json.dumps({"query": asked, "hits": [hit.to_dict() for hit in hits]}, ensure_ascii=False))
        else:
            typer.echo(render(asked, hits, explain=explain))


def render(query: str, hits: list[Hit], *, explain: bool) -> str:
    """Return the hits of a query as text for a terminal; control characters of passages are shown as blanks."""
    if not hits:
        return f"no passage was found for “{_plain(query)}”: none of its words is in the index (stop words are not)"
    lines = []
    for hit in hits:
        passage = hit.passage
        about = ", ".join(part for part in (passage.description, *passage.types) if part)
        heading = passage.title or passage.id
        lines.append(f"{hit.rank:>3}. {hit.score:.4f}  {_plain(heading)}" + (f" ({_plain(about)})" if about else ""))
        if hit.terms:
            lines.append(f"     words: {_plain(', '.join(hit.terms))}")
        if explain:
            for name, part in hit.parts.items():
                lines.append(f"     {name}: score {part.score:.4f}, rank {part.rank}")
        if passage.text:
            lines.append(f"     {_short(_plain(passage.text))}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Return text in one line without characters that steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _short(text: str, limit: int = 150) -> str:
    return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + " …"
