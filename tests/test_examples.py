"""The scripts under ``examples/`` run as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rac.server.feedback import FeedbackStore
from server_support import make_service, make_settings, uvicorn_of

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments], capture_output=True, text=True, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_service_from_a_program(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite")
    service = make_service(feedback=store, settings=make_settings(security={"allowed_hosts": ["127.0.0.1"]}))
    with uvicorn_of(service) as address:
        output = run("http_client.py", address)
    assert "Do you mean the planet Mercury or the chemical element Mercury?" in output
    assert "searched for: mercury planet" in output
    (entry,) = FeedbackStore(tmp_path / "f.sqlite", create=False)
    assert entry.helpful is True and f"feedback {entry.id} is stored" in output


@pytest.mark.extra
@pytest.mark.model
def test_a_graph_that_asks() -> None:
    pytest.importorskip("langgraph", reason="the extra langchain is not installed")
    output = run("langgraph_clarify.py")
    assert "searched for: mercury" in output and "reply: Mercury is" in output


@pytest.mark.extra
@pytest.mark.model
def test_an_assistants_side_of_mcp() -> None:
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    output = run("mcp_client.py")
    assert "clarify: Ask one clarifying question" in output and "supported" in output


def test_the_entry_for_assistants_names_a_command_that_exists() -> None:
    entry = json.loads((EXAMPLES / "mcp.json").read_text(encoding="utf-8"))["mcpServers"]["rac"]
    assert entry["command"] == "rac" and entry["args"][0] == "mcp"
