"""``create_app``: settings and service become a FastAPI application."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

import rac
from rac.server.envelope import Envelope, Failures
from rac.server.errors import ServiceError
from rac.server.guard import Guard
from rac.server.openapi import make_openapi
from rac.server.rate import RateLimiter
from rac.server.routes import make_router
from rac.server.service import ClarifyService
from rac.server.settings import ServerSettings


def create_app(settings: ServerSettings, service: ClarifyService, *, limiter: RateLimiter | None = None) -> FastAPI:
    """Return the application.

    Args:
        settings: Security, limits, logs.
        service: What answers; started and closed with the application.
        limiter: Rate limits shared with other workers; own ones if None.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.close()

    app = FastAPI(
        title="rac", version=rac.__version__, openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
        lifespan=lifespan, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    app.include_router(make_router(service))
    _add_operations(app, service)
    _add_page(app)
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    # The last one added is the outermost.
    limits = settings.limits
    limiter = limiter or RateLimiter(limits.requests_per_minute, limits.burst)
    app.add_middleware(Guard, settings=settings, limiter=limiter, metrics=service.metrics)
    app.add_middleware(Failures)
    if settings.security.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.security.cors_origins), allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["x-request-id", "retry-after"],
        )  # fmt: skip
    app.add_middleware(Envelope, settings=settings, metrics=service.metrics)
    app.openapi = lambda: make_openapi(app, settings)  # type: ignore[method-assign]
    return app


def _add_operations(app: FastAPI, service: ClarifyService) -> None:
    @app.get("/healthz", summary="Whether the process lives", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Answers as long as the process does."""
        return {"status": "ok"}

    @app.get(
        "/readyz", summary="Whether queries can be answered", tags=["operations"],
        responses={503: {"description": "Not (yet, or any more); `reason` says why."}},
    )  # fmt: skip
    async def readyz() -> JSONResponse:
        """503 while the model loads, after a failure to load, and while shutting down."""
        ready, why = service.readiness()
        body = {"status": "ready"} if ready else {"status": "not ready", "reason": why}
        return JSONResponse(body, status_code=200 if ready else 503)

    @app.get("/metrics", summary="Counters for Prometheus", tags=["operations"], response_class=Response)
    async def metrics() -> Response:
        """Latency by stage, queue length, batch sizes, faithfulness, refusals, feedback."""
        page, kind = service.metrics.page()
        return Response(page, media_type=kind)


def _add_page(app: FastAPI) -> None:
    """Serve every file of the web page under its own address; no path of a request ever reaches the file system."""
    folder = Path(str(resources.files("rac.server") / "page"))
    if not folder.is_dir():
        return
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".py"):
        name = path.relative_to(folder).as_posix()
        app.add_api_route(
            "/" if name == "index.html" else f"/{name}", _static(path), methods=["GET", "HEAD"], include_in_schema=False
        )


def _static(path: Path) -> Callable[[], Any]:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") or kind.endswith("javascript") else kind

    async def serve() -> Response:
        return Response(content, headers={"content-type": kind, "cache-control": "no-cache"})

    return serve


def _answer(request: Request, error: ServiceError) -> JSONResponse:
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return JSONResponse(error.body(request.state.request_id), status_code=error.status, headers=headers)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    request.state.log["code"] = error.code
    return _answer(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    """Say in one sentence what is wrong first, and list all of it; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    details = []
    for problem in error.errors()[:20]:
        field = ".".join(str(part) for part in problem["loc"] if part != "body")
        message = str(problem["msg"]).removeprefix("Value error, ")
        details.append({"field": field, "problem": message[:300]})
    first = details[0]
    where = f"`{first['field']}`: " if first["field"] else ""
    return await _service_error(
        request,
        ServiceError(422, "invalid_request", f"{where}{first['problem']}; see /v1/openapi.json", details=details),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = {
        400: "the body is not JSON that can be read: send one JSON object as application/json",
        404: "there is nothing at this address; the endpoints are in /v1/openapi.json",
        405: "this address does not take that method; see /v1/openapi.json",
    }.get(error.status_code, str(error.detail))
    code = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    response = _answer(request, ServiceError(error.status_code, code, message))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
