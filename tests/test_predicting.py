"""``rac predict``: order, failures per item, going on after kill -9, a server that fails for some items."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chat_support import ChatServer
from rac.asking import Asker
from rac.errors import UserError
from rac.files import read_records, write_records
from rac.generation.candidates import Candidate
from rac.generation.openai import OpenAIGenerator
from rac.generation.openai_settings import OpenAIServer
from rac.predicting import NOTHING_RETRIEVED, identity, predict_file, with_system
from rac.prompting import PromptSettings
from rac.records import ClarificationExample, Passage, Prediction
from rac.retrieval import build_index, open_index
from rac.retrieval.settings import IndexSettings
from tests_support import byte_tokenizer


class Echo:
    """Asks about the last word of a prompt; may stop for good at some batch."""

    def __init__(self, tokenizer: Any, stop_at: int | None = None, marker: Path | None = None) -> None:
        self.tokenizer, self.stop_at, self.marker = tokenizer, stop_at, marker
        self.asked: list[str] = []
        self.batches = 0

    def greedy(self, prompts: Any, label: str = "") -> list[Candidate]:
        self.batches += 1
        if self.batches == self.stop_at:
            assert self.marker is not None
            self.marker.touch()
            signal.pause()
        queries = [self.tokenizer.decode(p).split("Query: ")[1].split("<|im_end|>")[0] for p in prompts]
        self.asked += queries
        return [Candidate(f"Which {query}?", [], 0.0, True) for query in queries]


class Index:
    def search_batch(self, queries: Any, top_k: int) -> list[list[Any]]:
        return [[] for _ in queries]

    def info(self) -> dict[str, Any]:
        return {"passages": 0}


def asker_of(generator: Any, index: Any = None, settings: PromptSettings | None = None) -> Asker:
    return Asker(None, byte_tokenizer(), name="echo", index=index, generator=generator, settings=settings)


def write_examples(path: Path, count: int, **overrides: dict[str, Any]) -> Path:
    passage = Passage(id="p", text="A passage.")
    rows = [{"id": f"q{i}", "query": f"query {i}", "passages": (passage,)} for i in range(count)]
    write_records(path, [ClarificationExample(**{**row, **overrides.get(str(row["id"]), {})}) for row in rows])
    return path


def test_every_example_once_in_order_and_failures_say_why(tmp_path: Path) -> None:
    examples = write_examples(
        tmp_path / "e.jsonl", 40, q3={"passages": ()}, q21={"query": "long " * 400}, q39={"passages": ()}
    )
    generator = Echo(byte_tokenizer())
    done = predict_file(asker_of(generator, Index()), examples, tmp_path / "out" / "p.jsonl")
    made = read_records(tmp_path / "out" / "p.jsonl", Prediction)
    assert [p.id for p in made] == [f"q{i}" for i in range(40)]
    assert [p.question for p in made[:5]] == [
        "Which query 0?",
        "Which query 1?",
        "Which query 2?",
        "",
        "Which query 4?",
    ]
    assert made[3].reason == made[39].reason == NOTHING_RETRIEVED
    assert "a query is never cut" in made[21].reason and made[21].question == ""
    assert made[0].passages == (Passage(id="p", text="A passage."),)
    assert done.written == 40 and done.again == 0
    assert sorted(done.failures.values()) == [1, 2] and done.failures[NOTHING_RETRIEVED] == 2
    assert not (tmp_path / "out" / "p.jsonl.part").exists()


def test_kill_9_in_the_middle_and_the_same_call_goes_on(tmp_path: Path) -> None:
    examples, output, marker = write_examples(tmp_path / "e.jsonl", 50), tmp_path / "p.jsonl", tmp_path / "marker"
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from pathlib import Path\nfrom rac.predicting import predict_file\n"
        "from test_predicting import Echo, asker_of\nfrom tests_support import byte_tokenizer\n"
        f"predict_file(asker_of(Echo(byte_tokenizer(), 3, Path({str(marker)!r}))), Path({str(examples)!r}), "
        f"Path({str(output)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not marker.exists():
        assert process.poll() is None, "it ended before it was killed"
    process.kill()
    process.wait()
    assert not output.exists(), "nothing half-written under the final name"
    part = output.with_name("p.jsonl.part")
    # What the kill tore apart is not trusted.
    part.write_text(part.read_text() + '{"id": "q49", "value": {"id": "q4')
    generator = Echo(byte_tokenizer())
    predict_file(asker_of(generator), examples, output)
    assert generator.asked == [f"query {i}" for i in range(32, 50)], "what was done is not asked again"
    assert [(p.id, p.question) for p in read_records(output, Prediction)] == [
        (f"q{i}", f"Which query {i}?") for i in range(50)
    ]


def test_other_examples_or_another_model_start_anew(tmp_path: Path, model: Any) -> None:
    from tests_support import tiny_model

    output = tmp_path / "p.jsonl"
    part = output.with_name("p.jsonl.part")
    part.write_text(json.dumps({"digest": "of something else"}) + '\n{"id": "q0", "value": {"id": "q0"}}\n')
    generator = Echo(byte_tokenizer())
    predict_file(asker_of(generator), write_examples(tmp_path / "e.jsonl", 2), output)
    assert len(generator.asked) == 2
    askers = [Asker(m, byte_tokenizer(), name="m") for m in (model, tiny_model(), tiny_model(seed=1))]
    first, same, other = map(identity, askers)
    assert first == same != other
    longer = Asker(model, byte_tokenizer(), name="m", max_new_tokens=12)
    assert identity(longer) != first


def test_another_index_starts_anew(tmp_path: Path, model: Any) -> None:
    def with_index(name: str, text: str) -> str:
        build_index([Passage(id="p", text=text)], IndexSettings(), tmp_path / name)
        return identity(Asker(model, byte_tokenizer(), name="m", index=open_index(tmp_path / name)))

    assert with_index("a", "A passage.") == with_index("b", "A passage.") != with_index("c", "Another passage.")
    one, other = (
        Asker(model, byte_tokenizer(), name="m", index=open_index(tmp_path / name, IndexSettings(threads=threads)))
        for name, threads in (("a", 0), ("c", 1))
    )
    assert identity(one, retrieves=False) == identity(other, retrieves=False)
    threads = Asker(model, byte_tokenizer(), name="m", index=open_index(tmp_path / "a", IndexSettings(threads=1)))
    assert identity(threads) == identity(one)


def test_a_server_that_fails_for_some_items_is_asked_again_for_these(tmp_path: Path) -> None:
    broken = True

    def script(body: dict[str, Any], _: int) -> tuple[int, str]:
        query = body["messages"][1]["content"].rsplit("Query: ", 1)[1]
        if query == "query 2":
            return 400, "that one is never accepted"
        return (503, "busy") if broken and query in ("query 1", "query 4") else (200, f"Which {query}?")

    server = ChatServer(script)
    settings = OpenAIServer(url=server.url, model="m", retries=1, concurrency=3)
    examples, output = write_examples(tmp_path / "e.jsonl", 6), tmp_path / "p.jsonl"
    try:
        with OpenAIGenerator(settings, sleep=lambda _: None) as generator:
            done = predict_file(asker_of(generator), examples, output)
            made = {p.id: p for p in read_records(output, Prediction)}
            assert done.again == 2 and sum(done.failures.values()) == 3
            assert "status 503" in made["q1"].reason and "never accepted" in made["q2"].reason
            assert [p.question for p in made.values() if p.question] == [f"Which query {i}?" for i in (0, 3, 5)]
            broken, before = False, len(server.bodies)
            done = predict_file(asker_of(generator), examples, output)
            assert len(server.bodies) - before == 2, "only what may succeed is asked again"
        assert done.again == 0 and sum(done.failures.values()) == 1
        assert [bool(p.question) for p in read_records(output, Prediction)] == [True, True, False, True, True, True]
        assert not output.with_name("p.jsonl.part").exists()
    finally:
        server.close()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_no_access_leaves_the_output_and_what_was_answered_alone(tmp_path: Path, status: int) -> None:
    allowed = 2
    server = ChatServer(lambda body, n: (200, "Which one?") if n <= allowed else (status, "no"))
    settings = OpenAIServer(url=server.url, model="m", concurrency=1)
    examples, output = write_examples(tmp_path / "e.jsonl", 5), tmp_path / "p.jsonl"
    output.write_text("good predictions of before\n", encoding="utf-8")
    try:
        with OpenAIGenerator(settings) as generator:
            with pytest.raises(UserError, match=f"status {status}"):
                predict_file(asker_of(generator), examples, output)
            assert output.read_text(encoding="utf-8") == "good predictions of before\n"
            part = output.with_name("p.jsonl.part").read_text(encoding="utf-8").splitlines()
            assert [json.loads(line)["id"] for line in part[1:]] == ["q0", "q1"]
            allowed = 100
            done = predict_file(asker_of(generator), examples, output)
        assert (done.written, done.failures, done.again) == (5, {}, 0) and len(server.bodies) == 2 + 1 + 3
    finally:
        server.close()


def test_a_server_that_is_not_there_leaves_the_output_alone(tmp_path: Path) -> None:
    output = tmp_path / "p.jsonl"
    output.write_text("good predictions of before\n", encoding="utf-8")
    settings = OpenAIServer(url="http://127.0.0.1:9/v1", model="m", retries=0)
    with (
        OpenAIGenerator(settings) as generator,
        pytest.raises(UserError, match=r"none of the 3 examples .*127\.0\.0\.1:9/v1 gave no answer"),
    ):
        predict_file(asker_of(generator), write_examples(tmp_path / "e.jsonl", 3), output)
    assert output.read_text(encoding="utf-8") == "good predictions of before\n"


def test_the_budget_ends_asking_and_nothing_paid_for_is_lost(tmp_path: Path) -> None:
    server = ChatServer(lambda body, _: (200, "Which one?"))
    settings = OpenAIServer(url=server.url, model="m", concurrency=1, budget_tokens=500)
    try:
        with OpenAIGenerator(settings) as generator:
            done = predict_file(asker_of(generator), write_examples(tmp_path / "e.jsonl", 8), tmp_path / "p.jsonl")
        assert 0 < len(server.bodies) < 8 and done.again == 8 - len(server.bodies)
        assert all("budget of 500 tokens" in reason for reason in done.failures)
        assert (tmp_path / "p.jsonl.part").exists()
    finally:
        server.close()


def test_what_cannot_work_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"example 'q1' .* brings no passages and there is no index"):
        predict_file(asker_of(Echo(byte_tokenizer())), write_examples(tmp_path / "e.jsonl", 3, q1={"passages": ()}),
                     tmp_path / "p.jsonl")  # fmt: skip
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UserError, match="holds no example"):
        predict_file(asker_of(Echo(byte_tokenizer())), tmp_path / "empty.jsonl", tmp_path / "p.jsonl")
    with pytest.raises(UserError, match="give --server FILE"):
        with_system("embedded", "openai", None)
    assert with_system("embedded", None, None) == (None, None)
