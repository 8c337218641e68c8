"""``rac serve``: the HTTP service with its web page."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rac.cli import app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from rac.server.settings import ServerSettings


@app.command()
def serve(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|MODEL", help="A run directory or a model; the adapter that comes with rac if left out."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings; see --explain.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as limits.queue=128.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if left out.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 8000 if left out, 0 takes a free one.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; each loads the model.")] = None,
    system: Annotated[str | None, typer.Option(help="Model of the run: ungrounded, grounded or rac.")] = None,
    index: Annotated[Path | None, typer.Option(help="Index to retrieve from, instead of the run's.")] = None,
    feedback: Annotated[str | None, typer.Option(help="SQLite file or database URL for feedback, or `off`.")] = None,
    new_key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print a new API key and what to store of it; nothing is served.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print every setting with its default.")] = False,
) -> None:
    """Serve clarifying questions over HTTP, with a web page, for other programs and for trying out.

    Settings come from --config, then --set, then the options. Addresses: / (page), /v1/clarify and others
    (/v1/openapi.json lists them), /healthz, /readyz, /metrics.

    Example: rac serve runs/quickstart --port 8000
    """
    from rac.server.settings import ServerSettings
    from rac.settings import explain_settings, load_settings

    if explain:
        typer.echo(explain_settings(ServerSettings), nl=False)
        return
    if new_key is not None:
        _print_new_key(new_key)
        return
    given: dict[str, Any] = {
        "model": model, "host": host, "port": port, "workers": workers, "system": system,
        "index": None if index is None else str(index), "feedback": feedback,
    }  # fmt: skip
    flags = [f"{key}={_as_yaml(value)}" for key, value in given.items() if value is not None]
    chosen = load_settings(ServerSettings, config, [*(settings or []), *flags])
    _check_parts(chosen)
    set_up_logging(chosen)
    from rac.server.running import feedback_place, serve

    place = feedback_place(chosen)
    if place is not None:
        logging.getLogger(__name__).info("feedback goes to %s", _without_password(place))
    serve(chosen, "rac.cli.serve:worker_app", _make(chosen, None) if chosen.workers == 1 else None)


def worker_app() -> FastAPI:
    """Return the application of one of several workers."""
    from rac.server.running import worker_state

    settings, shared = worker_state()
    set_up_logging(settings)
    return _make(settings, shared)


def _make(settings: ServerSettings, shared: Path | None) -> FastAPI:
    from rac.report.scoring import question_scorer
    from rac.server.running import make_app

    entailment = None
    if settings.entailment != "none":
        from rac.metrics.entailment import load_entailment

        entailment = load_entailment(settings.entailment, threads=1)
    return make_app(settings, scorer=question_scorer(entailment), shared=shared)


def set_up_logging(settings: ServerSettings) -> None:
    """Send every log line to standard error, as JSON if the settings say so."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.logs.format == "json":
        from rac.server.jsonlog import JsonFormatter

        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("bm25s", "transformers", "httpx", "httpx2", "urllib3", "filelock", "asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _check_parts(settings: ServerSettings) -> None:
    """Refuse at once what cannot work: missing packages, runs, indexes."""
    import importlib.util

    from rac.errors import UserError

    missing = [
        name for name in ("fastapi", "uvicorn", "prometheus_client", "sqlalchemy")
        if importlib.util.find_spec(name) is None
    ]  # fmt: skip
    if missing:
        raise UserError(
            f"the service needs {', '.join(missing)}, which is not installed: pip install 'rac-clarify[serve]'"
        )
    path = Path(settings.model)
    if not (path / "run.json").exists():
        if settings.system is not None:
            raise UserError(
                f"{settings.model} is a model, not a run directory, so it has no system '{settings.system}'; "
                "leave it out"
            )
        from rac.models import resolve_model

        resolve_model(settings.model)
    if settings.index is not None and not Path(settings.index).is_dir():
        raise UserError(f"no index at {settings.index}: make one with rac index CORPUS -o {settings.index}")


def _print_new_key(name: str) -> None:
    import re

    from rac.errors import UserError
    from rac.server.keys import new_key

    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise UserError(f"'{name}' cannot name a key: use up to 64 letters, digits, dots, dashes and underscores")
    key, stored = new_key()
    typer.echo(f"key (shown only now): {key}")
    typer.echo(f"setting:              security.api_keys: {{{name}: '{stored}'}}")


def _as_yaml(value: Any) -> str:
    import json

    return json.dumps(value)


def _without_password(place: str) -> str:
    import re

    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", place)
