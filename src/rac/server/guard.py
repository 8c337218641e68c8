"""Who may come in, how often, and with how much: host names, API keys, rate limits, body size and speed."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
import re
import time
from typing import TYPE_CHECKING

from rac.server.errors import ServiceError
from rac.server.keys import KeyRing
from rac.server.metrics import Metrics
from rac.server.rate import RateLimiter
from rac.server.settings import ServerSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_OPEN = ("/healthz", "/readyz", "/v1/openapi.json")


class Guard:
    """Refuses what must not reach the handlers."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, limiter: RateLimiter, metrics: Metrics) -> None:
        self.app, self.settings, self.limiter, self.metrics = app, settings, limiter, metrics
        self.keys = KeyRing(settings.security.api_keys)
        self.hosts = settings.security.allowed_hosts or (LOCAL_NAMES if settings.loopback else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check(scope)
            body = await self._body(scope, receive)
        except ServiceError as error:
            self.metrics.refused.labels(error.code).inc()
            raise
        await self.app(scope, _replay(body, receive), send)

    def _check(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self.hosts and host.rpartition(":")[0] not in self.hosts and host not in self.hosts:
            raise ServiceError(
                421, "wrong_host", "this service does not answer under that host name: see security.allowed_hosts"
            )
        path = scope["path"]
        guarded = path.startswith("/v1/") or (path == "/metrics" and not self.settings.security.open_metrics)
        if path in _OPEN or not guarded or scope["method"] == "OPTIONS":
            return
        client = network_of(str(scope["client"][0])) if scope.get("client") else ""
        if self.keys:
            owner = self.keys.owner(_offered(headers))
            if owner is None:
                # Guessing is slowed down by the same limit as asking.
                self._take(f"stranger {client}")
                raise ServiceError(
                    401, "no_valid_key", "this service needs an API key: send it as `Authorization: Bearer KEY`"
                )
            scope["state"]["client"] = client = owner
        if path != "/metrics":
            self._take(client)

    def _take(self, client: str) -> None:
        wait = self.limiter.wait_for(client)
        if wait > 0:
            raise ServiceError(
                429, "rate_limited", f"more than {self.settings.limits.requests_per_minute} requests per minute: slow "
                "down, and try again after the seconds that Retry-After says", retry_after=max(1, math.ceil(wait)),
            )  # fmt: skip

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the body, no more of it than is allowed and no longer than is allowed."""
        limits = self.settings.limits
        most = limits.body_bytes
        too_large = ServiceError(413, "body_too_large", f"the body is larger than {most} bytes: send less at once")
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and lengths[0].isdigit() and int(lengths[0]) > most:
            raise too_large
        chunks: list[bytes] = []
        size = 0
        deadline = time.monotonic() + limits.body_seconds
        while True:
            try:
                message = await asyncio.wait_for(receive(), max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                raise ServiceError(
                    408, "body_too_slow", f"the body did not arrive within {limits.body_seconds:g} s: send it faster"
                ) from None
            if message["type"] == "http.disconnect":
                scope["state"]["client_left"] = True
                raise asyncio.CancelledError("the client left while sending")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > most:
                raise too_large
            if not message.get("more_body", False):
                return _whole_characters(b"".join(chunks))


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 one, all of which one host has.

    >>> network_of("2001:db8::1") == network_of("2001:db8::2")
    True
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), 64), strict=False))


def _whole_characters(body: bytes) -> bytes:
    """Refuse JSON with half of a surrogate pair in it: no text that can be written anywhere holds one."""
    if _SURROGATE.search(body):
        try:
            json.dumps(json.loads(body), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ServiceError(
                422,
                "invalid_request",
                "a text has half of a surrogate pair (\\ud800 to \\udfff): send whole characters",
            ) from None
        except (ValueError, RecursionError):
            # Not JSON at all; who parses it says so.
            return body
    return body


def _offered(headers: dict[bytes, str]) -> str:
    """Return the key that a request shows, "" if none."""
    scheme, _, value = headers.get(b"authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return headers.get(b"x-api-key", "")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body that was read, then what comes after it (the client leaving)."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
