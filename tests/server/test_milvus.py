"""An index in Milvus that goes away and comes back under a running service."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rac.records import Passage
from rac.retrieval import IndexSettings, build_index, open_index
from server_support import GOOD, D, client_of, make_service, make_settings, until


class MilvusServer:
    """milvus-lite as a server process on a fixed port, over a folder that outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["-m", "milvus_lite", "server", "--data-dir", str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusServer]:
    pytest.importorskip("milvus_lite")
    server = MilvusServer(tmp_path / "data")
    server.start()
    yield server
    server.kill()


@pytest.mark.extra
def test_milvus_gone_is_a_503_and_milvus_back_answers_without_a_restart(milvus: MilvusServer, tmp_path: Path) -> None:
    settings = IndexSettings(strategy="milvus", uri=milvus.uri)
    build_index([Passage.model_validate(p) for p in D], settings, tmp_path / "index")
    service = make_service(
        index=open_index(tmp_path / "index"), settings=make_settings(limits={"request_seconds": 20})
    )  # fmt: skip
    body = {"query": "mercury", "top_k": 3}
    with client_of(service) as client:
        before = client.post("/v1/clarify", json=body)
        milvus.kill()
        started = time.monotonic()
        gone = client.post("/v1/clarify", json=body)
        took = time.monotonic() - started
        own = client.post("/v1/clarify", json={"query": "mercury", "passages": D})
        milvus.start()
        until(lambda: client.post("/v1/clarify", json=body).status_code == 200, pause=0.5)
        back = client.post("/v1/clarify", json=body)
    assert (before.status_code, before.json()["question"]) == (200, GOOD)
    assert gone.status_code in (503, 504), (gone.text, took)
    assert str(milvus.port) not in gone.text
    assert own.status_code == 200
    assert [p["id"] for p in back.json()["passages"]] == [p["id"] for p in before.json()["passages"]]
