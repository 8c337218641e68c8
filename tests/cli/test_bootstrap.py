from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rac.cli
from rac.errors import UserError
from rac.files import read_records, write_records
from rac.records import ClarificationExample, Passage, PreferencePair

ENTRIES = [
    ("King Lear", "Play by William Shakespeare", "King Lear is a tragedy about an old king."),
    ("B. B. King", "American blues guitarist", "He played the guitar and sang the blues."),
    ("Casablanca", "City in Morocco", "A port on the Atlantic."),
    ("Casablanca (film)", "1942 film", "A romantic drama with music."),
    ("World War I", "Global conflict", "It was fought from 1914 to 1918."),
    ("World War II", "Armed conflict", "It lasted from 1939 until 1945."),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    write_records(path, [Passage(id=f"p{n}", title=t, description=d, text=x) for n, (t, d, x) in enumerate(ENTRIES)])
    return path


def run(*arguments: str) -> str:
    rac.cli.register_commands()
    result = CliRunner().invoke(rac.cli.app, ["bootstrap", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_data_folder_has_splits_card_and_counts(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    output = run(str(corpus), "-o", str(data), "--examples", "10", "--seed", "3")
    assert "train.jsonl" in output
    assert "note: 10 examples were wanted" in output or "10" in output
    splits = [read_records(data / f"{name}.jsonl", ClarificationExample) for name in ("train", "validation", "test")]
    assert all(e.questions and e.split == "train" for e in splits[0])
    manifest = json.loads((data / "bootstrap.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["corpus"] == {"source": str(corpus), "index": "index", "passages": 6}
    assert sum(len(s) for s in splits) == sum(n for k, n in manifest["counts"].items() if k.startswith("examples: "))
    assert "# Clarification data" in (data / "README.md").read_text()
    assert read_records(data / "faults" / "pairs.jsonl", PreferencePair)


def test_a_second_run_replaces_its_own_data_and_gives_the_same(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    run(str(corpus), "-o", str(data), "--examples", "10")
    first = (data / "train.jsonl").read_bytes()
    run(str(corpus), "-o", str(data), "--examples", "10", "--faults", "0", "--index", str(data / "index"))
    assert (data / "train.jsonl").read_bytes() == first
    assert not (data / "faults").exists()


def test_a_folder_of_somebody_else_is_not_replaced(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="was not written by rac bootstrap"):
        run(str(corpus), "-o", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


class Server(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that puts "Well:" before the question it is given."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"].partition("Question: ")[2]
        reply = {"choices": [{"message": {"content": f"Well: {question}"}, "finish_reason": "stop"}]}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


def test_questions_are_reworded_by_a_server(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("httpx2")
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        data = tmp_path / "data"
        run(str(corpus), "-o", str(data), "--examples", "4", "--reword-url", url, "--reword-model", "any")
        server.shutdown()
    questions = [q for e in read_records(data / "train.jsonl", ClarificationExample) for q in e.questions]
    assert any(q.startswith("Well: ") for q in questions)


def test_a_server_without_a_model_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs both"):
        run(str(corpus), "-o", str(tmp_path / "data"), "--reword-url", "http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match="no http or https address"):
        run(str(corpus), "-o", str(tmp_path / "data"), "--reword-url", "ftp://x", "--reword-model", "any")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        run(str(tmp_path / "missing.jsonl"), "-o", str(tmp_path / "data"))
    assert list(tmp_path.iterdir()) == []
