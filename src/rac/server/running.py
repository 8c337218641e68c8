"""Runs the application under uvicorn, alone or in several worker processes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.arithmetic import usable_cores
from rac.asking import Asker
from rac.errors import UserError
from rac.server.settings import ServerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from rac.server.service import QuestionScorer

log = logging.getLogger(__name__)

STATE_VARIABLE = "RAC_SERVE_STATE"
"""Environment variable through which worker processes learn where settings and shared rate limits lie."""


def feedback_place(settings: ServerSettings) -> str | None:
    """Return the file or URL of the feedback, None where it is off."""
    if settings.feedback == "off":
        return None
    if settings.feedback:
        return settings.feedback
    run = Path(settings.model)
    return str(run / "feedback.sqlite") if (run / "run.json").exists() else "feedback.sqlite"


def make_app(settings: ServerSettings, *, scorer: QuestionScorer | None = None, shared: Path | None = None) -> FastAPI:
    """Return the application of one worker; its model loads when it starts.

    Args:
        settings: The service's settings.
        scorer: The report scorer.
        shared: Folder with the rate limits of all workers; own ones if None.
    """
    from rac.server.app import create_app
    from rac.server.backends import LocalBackend, OpenAIBackend
    from rac.server.batching import Backend
    from rac.server.feedback import FeedbackStore
    from rac.server.rate import RateLimiter
    from rac.server.service import ClarifyService

    place = feedback_place(settings)
    limits = settings.limits

    def make_backend(asker: Asker) -> Backend:
        if settings.openai is not None:
            return OpenAIBackend(asker.generator)
        return LocalBackend(asker.generator)

    service = ClarifyService(
        lambda: open_asker(settings), settings, scorer=scorer, make_backend=make_backend,
        feedback=None if place is None else FeedbackStore(place),
    )  # fmt: skip
    limiter = RateLimiter(limits.requests_per_minute, limits.burst, None if shared is None else shared / "rates")
    return create_app(settings, service, limiter=limiter)


def open_asker(settings: ServerSettings) -> Asker:
    """Load what asks: the model with its index, or the client of an OpenAI-compatible server."""
    if settings.openai is None:
        import torch

        torch.set_num_threads(settings.threads or max(1, usable_cores() // settings.workers))
    asker = Asker.open(
        settings.model, system=settings.system, index=settings.index, openai=settings.openai, engine=settings.engine
    )
    if settings.max_new_tokens is not None:
        asker.generator.max_new_tokens = settings.max_new_tokens
    return asker


def serve(settings: ServerSettings, factory: str, app: FastAPI | None = None) -> None:
    """Serve until stopped.

    Args:
        settings: The service's settings.
        factory: ``module:function`` that makes a worker's application out of ``worker_state()``, for several workers.
        app: The application, for one worker.

    Raises:
        UserError: if the address is taken or cannot be listened on.
    """
    import uvicorn

    options: dict[str, Any] = {
        "host": settings.host, "port": settings.port, "log_config": None, "access_log": False, "server_header": False,
        "proxy_headers": bool(settings.security.trusted_proxies),
        "forwarded_allow_ips": list(settings.security.trusted_proxies), "loop": "asyncio", "ws": "none",
        "http": "rac.server.protocol:TimedProtocol", "limit_concurrency": settings.limits.connections,
        "timeout_graceful_shutdown": settings.shutdown_seconds, "h11_max_incomplete_event_size": 32_768,
    }  # fmt: skip
    if settings.workers == 1:
        assert app is not None
        config = uvicorn.Config(app, **options)
        listening = _listen(settings)
        _say_where(listening, settings)
        # uvicorn shuts down in good order on these and then raises them again: being asked to stop is no failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
        return
    from uvicorn.supervisors import Multiprocess

    with tempfile.TemporaryDirectory(prefix="rac-serve-") as folder:
        state = Path(folder)
        (state / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
        (state / "rates").touch()
        os.environ[STATE_VARIABLE] = str(state)
        metrics = state / "metrics"
        metrics.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        config = uvicorn.Config(factory, factory=True, workers=settings.workers, **options)
        listening = _listen(settings)
        _say_where(listening, settings)
        Multiprocess(config, sockets=[listening]).run()


def worker_state() -> tuple[ServerSettings, Path]:
    """Return a worker's settings, and the folder that it shares with the others."""
    folder = Path(os.environ[STATE_VARIABLE])
    return ServerSettings.model_validate(json.loads((folder / "settings.json").read_text(encoding="utf-8"))), folder


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(2048)
    except OSError as error:
        raise UserError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror or error}): stop what listens "
            "there, or give another --port"
        ) from error
    listening.set_inheritable(True)
    return listening


def _say_where(listening: socket.socket, settings: ServerSettings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    log.info("listening on http://%s:%d", host, listening.getsockname()[1])
    if not settings.loopback and not settings.security.api_keys:
        log.warning(
            "everyone who can reach %s may ask: set security.api_keys (rac serve --new-key NAME)", settings.host
        )
