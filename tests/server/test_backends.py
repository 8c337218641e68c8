from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rac.generation.openai import OpenAIGenerator
from rac.generation.openai_settings import OpenAIServer
from rac.server.backends import OpenAIBackend
from server_support import GOOD, INVENTED, D, client_of, make_service, make_settings, until

BODY = {"query": "mercury", "passages": D}


class StreamingServer:
    """An OpenAI-compatible server; ``script`` says what each request gets, ``gone`` counts clients that left."""

    def __init__(self) -> None:
        self.script: Callable[[dict[str, Any], Callable[[str], None]], int | None] = lambda body, send: None
        self.bodies: list[dict[str, Any]] = []
        self.gone = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                try:
                    if body.get("stream"):
                        self.stream(body)
                    else:
                        texts = [outer.sample] * body.get("n", 1)
                        self.reply(200, {"choices": [{"message": {"content": t}} for t in texts]})
                except OSError:
                    outer.gone += 1

            def stream(self, body: dict[str, Any]) -> None:
                started = False

                def send(piece: str) -> None:
                    nonlocal started
                    if not started:
                        self.send_response(200)
                        self.end_headers()
                        started = True
                    chunk = json.dumps({"choices": [{"delta": {"content": piece}}]})
                    self.wfile.write(f"data: {chunk}\n\n".encode())
                    self.wfile.flush()

                status = outer.script(body, send)
                if status is not None:
                    self.reply(status, {"error": {"message": "not now"}})
                elif started:
                    self.wfile.write(b"data: [DONE]\n\n")

            def reply(self, status: int, content: Any) -> None:
                raw = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.sample = GOOD
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[StreamingServer]:
    made = StreamingServer()
    yield made
    made.close()


def backend_for(url: str, **options: Any) -> OpenAIBackend:
    settings = {"url": url, "model": "m", "retries": 2, "backoff": 0.01, "timeout": 5.0, "concurrency": 3, **options}
    return OpenAIBackend(OpenAIGenerator(OpenAIServer.model_validate(settings)))


def say(*pieces: str) -> Callable[[dict[str, Any], Callable[[str], None]], None]:
    def script(_: dict[str, Any], send: Callable[[str], None]) -> None:
        for piece in pieces:
            send(piece)

    return script


def test_a_server_generates_and_streams(server: StreamingServer) -> None:
    server.script = say(*GOOD.partition(" or "))
    with client_of(make_service(backend_for(server.url))) as client:
        answer = client.post("/v1/clarify", json=BODY).json()
        text = client.post("/v1/clarify", json={**BODY, "stream": True}).text
    assert answer["question"] == GOOD
    assert text.count("event: token") == 3
    assert server.bodies[0]["messages"][1]["content"].endswith("Query: mercury")


def test_samples_are_asked_for_when_the_first_question_fails(server: StreamingServer) -> None:
    server.script = say(INVENTED)
    with client_of(make_service(backend_for(server.url))) as client:
        answer = client.post("/v1/clarify", json={**BODY, "n": 3}).json()
    assert answer["question"] == GOOD
    assert [b.get("n") for b in server.bodies] == [None, 2]


def test_a_server_that_fails_now_and_then_is_tried_again(server: StreamingServer) -> None:
    def script(_: dict[str, Any], send: Callable[[str], None]) -> int | None:
        if len(server.bodies) < 3:
            return 503
        send(GOOD)
        return None

    server.script = script
    with client_of(make_service(backend_for(server.url))) as client:
        assert client.post("/v1/clarify", json=BODY).json()["question"] == GOOD
    assert len(server.bodies) == 3


def test_a_server_that_is_down_is_a_503_and_back_it_answers_again(server: StreamingServer) -> None:
    server.script = lambda body, send: 500
    with client_of(make_service(backend_for(server.url))) as client:
        down = client.post("/v1/clarify", json=BODY)
        server.script = say(GOOD)
        back = client.post("/v1/clarify", json=BODY)
    assert (down.status_code, down.json()["error"]["code"]) == (503, "backend_unavailable")
    assert int(down.headers["retry-after"]) > 0
    assert server.url not in down.text
    assert back.json()["question"] == GOOD


def test_no_server_at_all_is_a_503() -> None:
    with client_of(make_service(backend_for("http://127.0.0.1:9/v1", retries=0))) as client:
        response = client.post("/v1/clarify", json=BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "backend_unavailable")


def test_a_used_up_budget_is_said(server: StreamingServer) -> None:
    server.script = say(GOOD)
    with client_of(make_service(backend_for(server.url, budget_tokens=1))) as client:
        response = client.post("/v1/clarify", json=BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "budget_used_up")
    assert server.bodies == []


def test_a_slow_server_is_left_when_time_is_up(server: StreamingServer) -> None:
    release = threading.Event()

    def script(_: dict[str, Any], send: Callable[[str], None]) -> None:
        while not release.wait(0.02):
            send("word ")

    server.script = script
    settings = make_settings(limits={"request_seconds": 0.5})
    with client_of(make_service(backend_for(server.url), settings=settings)) as client:
        response = client.post("/v1/clarify", json=BODY)
        # The request to the server was closed, so it stops generating.
        until(lambda: server.gone == 1)
        release.set()
    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")


def test_settings_make_a_service_that_generates_on_a_server(server: StreamingServer, tiny_model_dir: Path) -> None:
    from starlette.testclient import TestClient

    from rac.server.running import make_app

    server.script = say(GOOD)
    settings = make_settings(
        model=str(tiny_model_dir), feedback="off", openai={"url": server.url, "model": "big"}, max_new_tokens=33
    )  # fmt: skip
    with TestClient(make_app(settings)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.post("/v1/clarify", json=BODY).json()
        refused = client.post("/v1/feedback", json={"query": "q", "question": "c", "helpful": True})
    assert (answer["question"], answer["model"]) == (GOOD, "big on a server")
    assert (server.bodies[0]["model"], server.bodies[0]["max_tokens"]) == ("big", 33)
    assert refused.json()["error"]["code"] == "no_feedback"
