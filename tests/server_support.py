"""Parts of the tests of the service: a backend that says what a test wrote, an app around it, a real process."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rac.asking import Asker, Wanted
from rac.generation.candidates import GenerationCancelled
from rac.records import Passage
from rac.retrieval.base import Hit
from rac.server.app import create_app
from rac.server.batching import Job
from rac.server.service import ClarifyService
from rac.server.settings import ServerSettings
from tests_support import byte_tokenizer

D = [
    {"id": "a", "title": "Mercury", "types": ["planet"], "text": "Mercury is the first planet from the Sun."},
    {"id": "b", "title": "Mercury", "types": ["chemical element"], "text": "Mercury is a metal that is liquid."},
    {"id": "c", "title": "Mercury Records", "types": ["record label"], "text": "An American record label."},
]
GOOD = "Do you mean the planet Mercury or the chemical element Mercury?"
INVENTED = "Do you mean the planet Mercury or the 1994 film Mercury?"


class ScriptedBackend:
    """Says ``greedy``, then ``samples``; waits for ``gate`` before it does; counts what was cancelled."""

    parallel = 1
    batches = True

    def __init__(self, greedy: str = GOOD, samples: list[str] | None = None) -> None:
        self.greedy, self.samples = greedy, samples or []
        self.gate = threading.Event()
        self.gate.set()
        self.groups: list[list[Job]] = []
        self.cancelled = 0

    def check(self, wanted: Wanted) -> None:
        pass

    def close(self) -> None:
        self.gate.set()

    def generate(self, jobs: list[Job]) -> None:
        self.groups.append(jobs)
        while not self.gate.wait(0.005):
            if all(job.cancelled for job in jobs):
                self.cancelled += len(jobs)
                raise GenerationCancelled
        for job in jobs:
            if not job.wanted.samples and job.on_piece is not None:
                for piece in re.findall(r"\S+\s*", self.greedy):
                    job.on_piece(piece)
            job.deliver(self.samples[: job.wanted.samples] if job.wanted.samples else [self.greedy])


class ListIndex:
    """Finds the passages that hold a word of the query."""

    def __init__(self, passages: list[dict[str, Any]] | None = None) -> None:
        self.passages = [Passage.model_validate(p) for p in (D if passages is None else passages)]
        self.failure: Exception | None = None

    def search_batch(self, queries: Any, top_k: int, *, explain: bool = False) -> list[list[Hit]]:
        if self.failure is not None:
            raise self.failure
        found = []
        for query in queries:
            words = set(query.lower().split())
            kept = [p for p in self.passages if words & set(f"{p.title} {p.text}".lower().split())][:top_k]
            found.append([Hit(p, 1.0 / rank, rank) for rank, p in enumerate(kept, start=1)])
        return found


def scripted_asker(index: Any = None, **options: Any) -> Asker:
    return Asker(None, byte_tokenizer(), name="scripted", index=index, generator=object(), **options)


def make_service(
    backend: Any = None, *, settings: ServerSettings | None = None, index: Any = None, asker: Asker | None = None,
    **options: Any,
) -> ClarifyService:  # fmt: skip
    backend = backend or ScriptedBackend()
    return ClarifyService(
        lambda: asker or scripted_asker(index), settings or make_settings(), make_backend=lambda _: backend, **options
    )


def make_settings(**values: Any) -> ServerSettings:
    return ServerSettings.model_validate({"security": {"allowed_hosts": ["testserver"]}, **values})


@contextmanager
def client_of(service: ClarifyService) -> Iterator[Any]:
    """A client of the application, once it is ready."""
    from starlette.testclient import TestClient

    with TestClient(create_app(service.settings, service), raise_server_exceptions=True) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client


def until(condition: Callable[[], bool], seconds: float = 120.0, pause: float = 0.02) -> None:
    """Wait for something; fail if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


class Process:
    """A real ``rac serve`` process."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        self.log_path = folder / f"serve-{time.monotonic_ns()}.log"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rac", "serve", *arguments], stderr=log, stdout=log, cwd=folder, env=environment
            )
        until(lambda: "listening on" in self.log or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        self.port = int(re.findall(r"listening on http://[^ \"]*:(\d+)", self.log)[0])
        until(lambda: self.get("/readyz")[0] == 200, pause=0.2)

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def connect(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            connection = self.connect()
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        connection = self.connect()
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, raw, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content), {k.lower(): v for k, v in response.getheaders()}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def uvicorn_of(service: ClarifyService) -> Iterator[str]:
    """The application under a real uvicorn in a thread; yields its address."""
    import socket

    import uvicorn

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    config = uvicorn.Config(
        create_app(service.settings, service), log_config=None, http="rac.server.protocol:TimedProtocol", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: service.readiness()[0])
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
