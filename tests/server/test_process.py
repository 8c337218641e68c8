"""The service as a real process with a tiny model: signals, kills, slow clients, several workers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rac.server import protocol
from rac.server.feedback import FeedbackStore
from server_support import GOOD, D, Process, ScriptedBackend, make_service, make_settings, until, uvicorn_of

BODY = {"query": "mercury", "passages": D, "n": 2}
SHORT = ("--set", "max_new_tokens=8")
FEEDBACK = {"query": "mercury", "question": GOOD, "helpful": True}


@pytest.fixture(scope="module")
def process(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    started = Process(str(tiny_model_dir), "--port", "0", *SHORT, folder=tmp_path_factory.mktemp("serve"))
    yield started
    started.stop()


def test_a_process_asks_and_says_what_stood_in_for_the_model(process: Process) -> None:
    status, answer, headers = process.post("/v1/clarify", BODY)
    assert status == 200
    assert answer["question"] == "Do you mean planet Mercury or chemical element Mercury?"
    assert answer["model"].startswith("template, since")
    assert len(answer["candidates"]) == 2
    assert headers["x-request-id"] == answer["request_id"]
    assert "server" not in headers
    assert process.post("/v1/search", {"query": "mercury"})[0] == 409
    score = process.post("/v1/score", {"items": [{"query": "mercury", "question": GOOD, "passages": D}]})
    assert score[1]["results"][0]["hallucinated"] is False
    lines = [json.loads(line) for line in process.log.splitlines()]
    assert any(line.get("path") == "/v1/clarify" and line["status"] == 200 for line in lines)
    assert "mercury" not in process.log


def test_concurrent_clients_share_batches_and_get_what_each_would_get_alone(process: Process) -> None:
    bodies = [{"query": f"mercury {word}", "passages": D, "n": 3, "seed": i} for i, word in enumerate("abcdefgh")]
    alone = [process.post("/v1/clarify", body)[1]["candidates"] for body in bodies]
    before = _batches(process)
    found: dict[int, Any] = {}

    def ask(index: int) -> None:
        found[index] = process.post("/v1/clarify", bodies[index])[1]["candidates"]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(len(bodies))] == alone
    assert _batches(process) - before < 2 * len(bodies)


def _batches(process: Process) -> float:
    lines = process.get("/metrics")[1].decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("rac_batch_rows_count")))


def test_kill_9_loses_no_acknowledged_feedback_and_a_restart_goes_on(tiny_model_dir: Path, tmp_path: Path) -> None:
    arguments = (str(tiny_model_dir), "--port", "0", "--feedback", "f.sqlite", "--set", "limits.requests_per_minute=0")
    first = Process(*arguments, folder=tmp_path)
    acknowledged: list[str] = []

    def send() -> None:
        try:
            while True:
                status, answer, _ = first.post("/v1/feedback", FEEDBACK)
                assert status == 201
                acknowledged.append(answer["feedback_id"])
        except (OSError, http.client.HTTPException, ValueError):
            return

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) >= 40)
    first.kill()
    for thread in threads:
        thread.join()
    second = Process(*arguments, folder=tmp_path)
    try:
        status, answer, _ = second.post("/v1/feedback", FEEDBACK)
        assert status == 201
        stored = [entry.id for entry in FeedbackStore(tmp_path / "f.sqlite", create=False)]
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        assert answer["feedback_id"] == stored[-1]
    finally:
        assert second.stop() == 0


def test_what_is_under_way_ends_before_the_process_does(tiny_model_dir: Path, tmp_path: Path) -> None:
    process = Process(str(tiny_model_dir), "--port", "0", "--feedback", "off", *SHORT, folder=tmp_path)
    connection = process.connect()
    connection.request(
        "POST", "/v1/clarify", json.dumps({**BODY, "n": 16, "stream": True}), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    first = response.readline()
    process.process.send_signal(signal.SIGTERM)
    rest = response.read().decode()
    assert first.startswith(b"event: ")
    assert "event: result" in rest
    assert process.stop() == 0
    assert process.get("/healthz")[0] == 0


@pytest.mark.extra
def test_workers_share_port_limits_counters_and_are_replaced(tiny_model_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = Process(
        str(tiny_model_dir), "--port", str(port), "--workers", "2", "--feedback", "f.sqlite",
        "--set", "limits.requests_per_minute=1", "--set", "limits.burst=12", folder=tmp_path,
    )  # fmt: skip
    try:
        until(lambda: b"rac_ready_workers 2.0" in process.get("/metrics")[1])
        codes = [process.post("/v1/feedback", FEEDBACK)[0] for _ in range(20)]
        assert codes == [201] * 12 + [429] * 8
        assert b'rac_feedback_total{outcome="stored"} 12.0' in process.get("/metrics")[1]
        assert len(FeedbackStore(tmp_path / "f.sqlite", create=False)) == 12
        workers = _children(process.process.pid)
        assert len(workers) >= 2
        os.kill(workers[-1], signal.SIGKILL)
        until(lambda: len(set(_children(process.process.pid)) - set(workers)) == 1)
        until(lambda: process.get("/readyz")[0] == 200)
    finally:
        process.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def _children(pid: int) -> list[int]:
    """Return the worker processes, oldest first (multiprocessing's resource tracker left out)."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in command:
            found.append(int(child))
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_its_generation(stream: bool) -> None:
    backend = ScriptedBackend()
    backend.gate.clear()
    service = make_service(backend, settings=make_settings(security={}))
    with uvicorn_of(service) as address:
        connection = _send(address, {**BODY, "stream": stream})
        until(lambda: len(backend.groups) == 1)
        connection.close()
        until(lambda: backend.cancelled == 1)
        until(lambda: service.admission.under_way == 0)


def test_a_client_that_sends_slowly_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    settings = make_settings(security={}, limits={"body_seconds": 0.3})
    with uvicorn_of(make_service(settings=settings)) as address:
        header = _connect(address)
        header.sendall(b"POST /v1/clarify HTTP/1.1\r\nHost: localhost\r\n")
        assert header.recv(100) == b""
        body = _connect(address)
        body.sendall(
            b"POST /v1/clarify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b"408" in body.recv(1000).splitlines()[0]
        # The second header on a connection has the same time as the first.
        again = _connect(address)
        again.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += again.recv(2000)
        again.sendall(b"GET /healthz HTT")
        assert again.recv(100) == b""
        quick = _send(address, BODY)
        assert b"200 OK" in quick.recv(100)


def test_a_client_that_takes_nothing_is_dropped() -> None:
    backend = ScriptedBackend(GOOD + " " + ("w" * 1000 + " ") * 8000)
    settings = make_settings(security={}, limits={"send_seconds": 0.3})
    service = make_service(backend, settings=settings)
    with uvicorn_of(service) as address:
        connection = _connect(address, small=True)
        _write(connection, {**BODY, "n": 1, "stream": True})
        until(lambda: len(backend.groups) == 1)
        until(lambda: service.admission.under_way == 0)
        assert b"HTTP/1.1 200" in connection.recv(1000)


def _connect(address: str, small: bool = False) -> socket.socket:
    parts = urlsplit(address)
    made = socket.socket()
    made.settimeout(30)
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect((parts.hostname, parts.port))
    return made


def _write(connection: socket.socket, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    connection.sendall(
        b"POST /v1/clarify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(raw), raw)
    )


def _send(address: str, body: dict[str, Any]) -> socket.socket:
    connection = _connect(address)
    _write(connection, body)
    return connection


def test_an_address_that_is_taken_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tiny_model_dir: Path) -> None:
    from rac.cli import serve as command
    from rac.errors import UserError

    monkeypatch.setattr(command, "set_up_logging", lambda settings: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {port} .*give another --port"):
            command.serve(str(tiny_model_dir), None, None, None, port, None, None, None, "off", None, False)
