"""``rac mcp``: an MCP server, so that assistants can ask clarifying questions over a corpus."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rac.cli import EngineOption, app

if TYPE_CHECKING:
    from rac.asking import Asker

log = logging.getLogger(__name__)


@app.command()
def mcp(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|MODEL", help="A run directory or a model; the adapter that comes with rac if left out."
        ),
    ] = None,
    system: Annotated[str | None, typer.Option(help="Model of the run: ungrounded, grounded or rac.")] = None,
    index: Annotated[Path | None, typer.Option(help="Index to retrieve from, instead of the run's.")] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Folder or file of documents to retrieve from (or `wikipedia`).")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=64, help="Candidates at most; samples if the first fails.")] = 4,
    min_faithfulness: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least mean support of the options.")] = 1.0,
    engine: EngineOption = None,
) -> None:
    """Serve the tools clarify, search and refine to an assistant over MCP (standard input and output).

    An assistant starts this itself; give it this command in its list of servers. Messages go to standard error.

    Example: rac mcp runs/quickstart
    """
    import importlib.util

    from rac.errors import UserError

    if importlib.util.find_spec("mcp") is None:
        raise UserError("the MCP server needs mcp, which is not installed: pip install 'rac-clarify[mcp]'")
    if index is not None and corpus is not None:
        raise UserError("--index and --corpus exclude each other: give one of them")
    if index is not None and not index.is_dir():
        raise UserError(f"no index at {index}: make one with rac index CORPUS -o {index}")
    from rac.models import EMBEDDED, default_model, resolve_model

    name = default_model() if model is None else model
    if not (Path(name) / "run.json").exists():
        # The embedded one is there, and unpacked on first use, which a client need not wait for.
        if name != EMBEDDED:
            resolve_model(name)
        if index is None and corpus is None:
            log.warning("there is no index: only clarify with passages works; give --index or --corpus for the rest")
    from rac.integrations.mcp_server import run_stdio

    def open_asker() -> Asker:
        from rac.asking import Asker, checked_engine
        from rac.cli.ask import index_of_corpus

        source: Any = index if corpus is None else index_of_corpus(corpus)
        asker = Asker.open(name, system=system, index=source, engine=checked_engine(engine))
        log.info("ready: %s", asker.name)
        return asker

    run_stdio(open_asker, n=n, min_faithfulness=min_faithfulness)
