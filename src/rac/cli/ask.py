"""``rac ask``: one clarifying question with the passages that support it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rac.cli import EngineOption, app, check_query, queries_of_stdin

if TYPE_CHECKING:
    from rac.records import Passage


@app.command()
def ask(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help='[RUN|MODEL] "query": what to ask with (the adapter that comes with rac if left out) and what about.'
        ),
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=100, help="Passages to retrieve.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=64, help="Candidates at most; samples if the first fails.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the samples.")] = 0,
    system: Annotated[str | None, typer.Option(help="Model of the run: ungrounded, grounded or rac.")] = None,
    index: Annotated[Path | None, typer.Option(help="Index to retrieve from, instead of the run's.")] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Folder or file of documents to retrieve from (or `wikipedia`).")
    ] = None,
    passages: Annotated[Path | None, typer.Option(help="File of passages (.jsonl) to use as D.")] = None,
    min_faithfulness: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least mean support of the options.")] = 1.0,
    engine: EngineOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the documented JSON object, one line a query.")
    ] = False,
) -> None:
    """Ask one clarifying question about a query and show the passages that support it.

    Without a query it is an interactive prompt. No question is asked if fewer than two options are supported.

    Example: rac ask runs/quickstart "mercury"
    """
    from rac.errors import UserError

    name, query = _name_and_query(list(arguments or []))
    if sum(option is not None for option in (index, corpus, passages)) > 1:
        raise UserError("--index, --corpus and --passages exclude each other: give one of them")
    if query is not None:
        check_query(query)
    given = _read_passages(passages) if passages is not None else None

    from rac.asking import Asker, checked_engine

    source: Any = index if corpus is None else index_of_corpus(corpus)
    asker = Asker.open(name, system=system, index=source, engine=checked_engine(engine))
    if given is None and asker.index is None:
        raise UserError(
            f"'{name}' is a model without an index: give --corpus DIR, --index INDEX or --passages FILE, or ask a run"
        )

    def one(text: str) -> None:
        answer = asker.ask(
            text, passages=given, top_k=top_k, n=n, seed=seed, min_faithfulness=min_faithfulness
        )  # fmt: skip
        if as_json:
            typer.echo(json.dumps(answer.to_dict(), ensure_ascii=False))
        else:
            from rac.report.terminal import show_answer

            show_answer(answer)

    if query is not None:
        one(query)
        return
    for line in _lines():
        try:
            one(line)
        except UserError as error:
            sys.stderr.write(f"rac: {error}\n")


def _name_and_query(arguments: list[str]) -> tuple[str, str | None]:
    """Tell the run or model from the query: with one argument, a folder is a run and anything else a query."""
    from rac.errors import UserError
    from rac.models import EMBEDDED, default_model

    if len(arguments) > 2:
        raise UserError(f"{len(arguments)} arguments were given: put the query in quotes, after the run or model")
    if len(arguments) == 2:
        return arguments[0], arguments[1]
    if len(arguments) == 1:
        # Not Path.is_dir, which fails where a query is too long for the name of a file.
        if os.path.isdir(arguments[0]) or (  # noqa: PTH112
            arguments[0].partition(":")[0] == EMBEDDED and " " not in arguments[0]
        ):
            return arguments[0], None
        return default_model(), arguments[0]
    return default_model(), None


def _lines() -> Any:
    """Yield queries: typed at a prompt, or from standard input."""
    if not sys.stdin.isatty():
        yield from queries_of_stdin()
        return
    typer.echo("Type a query (empty line or Ctrl-D to stop).")
    while True:
        try:
            line = input("query> ").strip()
        except EOFError:
            return
        if not line:
            return
        yield line


def _read_passages(path: Path) -> list[Passage]:
    from rac.errors import UserError
    from rac.files import read_records
    from rac.records import Passage

    found = read_records(path, Passage)
    if not found:
        raise UserError(f"{path} holds no passage; each line is one JSON object with at least id and text")
    return found


def index_of_corpus(corpus: str) -> Any:
    """Index a corpus for this call; the index is kept in the cache and brought up to date when documents change."""
    from rac.corpus import is_index, named_corpus
    from rac.files import sha256_json
    from rac.models import cache_dir
    from rac.retrieval import open_index
    from rac.retrieval.refresh import index_corpus
    from rac.retrieval.settings import IndexSettings

    if is_index(corpus):
        return open_index(Path(corpus))
    named = named_corpus(corpus) is not None
    folder = cache_dir() / "indexes" / sha256_json(corpus if named else str(Path(corpus).resolve()))[:24]
    if named and folder.exists():
        return open_index(folder)
    return index_corpus(corpus, IndexSettings(), folder).index
