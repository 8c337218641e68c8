"""The outermost layer (request ids, security headers, one log line and one measurement per request), and failures."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from rac.server.errors import ServiceError
from rac.server.metrics import Metrics
from rac.server.settings import ServerSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("rac.server.access")
errors = logging.getLogger(__name__)

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_ENDPOINTS = re.compile(r"/v1/(?:clarify|search|score|refine|feedback|openapi\.json)|/(?:healthz|readyz|metrics)")

_PROBES = ("/healthz", "/readyz", "/metrics")


class Envelope:
    """Wraps the whole application.

    ``scope["state"]`` gets ``request_id``, and ``log``, a dictionary to which handlers add what the log line shall say.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        request_id = _request_id(scope)
        state.update(request_id=request_id, log={})
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, request_id, scope["path"])
            try:
                await asyncio.wait_for(send(message), self.settings.limits.send_seconds)
            except TimeoutError:
                # The client takes nothing any more; what works for it is cancelled.
                state["log"]["slow_client"] = True
                raise OSError("the client does not take its answer") from None

        try:
            await self.app(scope, receive, sending)
        except asyncio.CancelledError:
            # The client left (nobody reads an answer), or the server shuts down.
            status = status or 499
            if not state.get("client_left"):
                raise
        except Exception:
            # The layers inside may have made another error of the one that ``sending`` raised.
            if not state["log"].get("slow_client"):
                raise
        finally:
            self._note(scope, status, time.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        endpoint = path if _ENDPOINTS.fullmatch(path) else "other"
        self.metrics.requests.labels(endpoint, str(status)).observe(seconds)
        if endpoint in _PROBES and status in (200, 503) and not self.settings.logs.probes:
            return
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "request_id": scope["state"]["request_id"],
            "method": scope["method"], "path": path[:200] if endpoint != "other" else "(other)", "status": status,
            "seconds": round(seconds, 4),
        }  # fmt: skip
        if "client" in scope["state"]:
            entry["key"] = scope["state"]["client"]
        if self.settings.logs.addresses and scope.get("client"):
            entry["address"] = scope["client"][0]
        entry.update(scope["state"]["log"])
        if self.settings.logs.format == "json":
            log.info("%s", json.dumps(entry, ensure_ascii=True, default=str))
        else:
            log.info(
                "%s",
                " ".join(f"{k}={v!r}" if isinstance(v, str) and " " in v else f"{k}={v}" for k, v in entry.items()),
            )


class Failures:
    """Answers for what the layers inside it raise: a ``ServiceError`` as it says, all else with 500 and a log entry.

    It lies inside the CORS layer, which adds its headers to answers and cannot to what is raised: without them a page
    of an allowed origin can read neither status nor Retry-After.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["state"]["request_id"]
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except ServiceError as error:
            await _send_error(error, request_id, send)
        except Exception:
            if scope["state"]["log"].get("slow_client"):
                raise
            errors.exception("request %s failed", request_id)
            if begun:
                raise
            internal = ServiceError(
                500, "internal_error", "something went wrong here; the log has it under this request_id"
            )
            await _send_error(internal, request_id, send)


async def _send_error(error: ServiceError, request_id: str, send: Send) -> None:
    body = json.dumps(error.body(request_id), ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status in (408, 413):
        # The rest of the body was not read, so the connection cannot be used again.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _request_id(scope: Scope) -> str:
    """Return the client's X-Request-ID if it is a plain word, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return secrets.token_hex(8)


def _add_headers(message: Message, request_id: str, path: str) -> None:
    present = {name.lower() for name, _ in message.get("headers", [])}
    added = {**SECURITY_HEADERS, "x-request-id": request_id}
    if path.startswith("/v1/"):
        added["cache-control"] = "no-store"
    message["headers"] = [
        *message.get("headers", []),
        *((name.encode(), value.encode()) for name, value in added.items() if name.encode() not in present),
    ]
