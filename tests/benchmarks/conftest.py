"""Fixtures for the benchmark tests: the publishers' files if they are here, and a local web server."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture
def mirror(data_mirror: Path) -> Path:
    """The publishers' files, OWNER/REPO/PATH; tests that need them are skipped where they are not."""
    return data_mirror


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAC_MIRROR", raising=False)


@dataclass
class Server:
    """A web server on 127.0.0.1 that serves ``files`` and misbehaves on request."""

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)
    cut_after: list[int] = field(default_factory=list)  # bytes sent by the next requests before the line is cut
    statuses: list[int] = field(default_factory=list)  # answered by the next requests, instead of the file
    ranges: bool = True
    url: str = ""
    before_body: Callable[[], None] = lambda: None


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.requests.append((self.path, self.headers.get("Range", "")))
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            body = state.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if state.ranges else None
            if match:
                start = int(match[1])
            self.send_response(206 if match else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            state.before_body()
            if state.cut_after:
                self.wfile.write(body[start : start + state.cut_after.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(body[start:])

        def log_message(self, *_: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield state
    http.shutdown()
    http.server_close()
