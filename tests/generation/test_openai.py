"""The server back end against a real HTTP server on 127.0.0.1 that misbehaves on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from rac.errors import UserError
from rac.generation.candidates import Candidate, GenerationCancelled
from rac.generation.openai import AccessError, OpenAIGenerator, _retry_after
from rac.generation.openai_budget import BackendError, BudgetError
from rac.generation.openai_settings import OpenAIServer

Reply = tuple[int, dict[str, str], str]


def completion(*texts: str, usage: dict[str, int] | None = None, finish: str = "stop") -> Reply:
    choices = [{"message": {"role": "assistant", "content": t}, "finish_reason": finish} for t in texts]
    body: dict[str, Any] = {"choices": choices}
    if usage:
        body["usage"] = usage
    return 200, {"Content-Type": "application/json"}, json.dumps(body)


class FakeServer:
    """Answers each request with what ``script(body, number)`` returns; keeps what it was sent."""

    def __init__(self) -> None:
        self.script: Callable[[dict[str, Any], int], Reply | str] = lambda body, number: completion("A or B?")
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with fake.lock:
                    number = len(fake.bodies)
                    fake.bodies.append(body)
                    fake.headers.append(dict(self.headers))
                    fake.paths.append(self.path)
                    fake.busy += 1
                    fake.most_busy = max(fake.most_busy, fake.busy)
                try:
                    reply = fake.script(body, number)
                    if reply == "drop":
                        self.close_connection = True
                        return
                    status, headers, text = reply
                    data = text.encode()
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass
                finally:
                    with fake.lock:
                        fake.busy -= 1

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


def generator(fake: FakeServer, **settings: Any) -> OpenAIGenerator:
    settings = {"url": fake.url, "model": "m", "backoff": 0.001, "timeout": 5, **settings}
    return OpenAIGenerator(OpenAIServer(**settings), max_new_tokens=20)


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Ask."}, {"role": "user", "content": text}]


def echo(body: dict[str, Any], number: int) -> Reply:
    return completion(*[f"{body['messages'][1]['content']}?"] * body.get("n", 1))


def test_answers_keep_the_order_and_requests_run_side_by_side(fake: FakeServer) -> None:
    def slow_echo(body: dict[str, Any], number: int) -> Reply:
        time.sleep(0.05 if number % 2 else 0.02)
        return echo(body, number)

    fake.script = slow_echo
    with generator(fake, concurrency=4) as asking:
        found = asking.greedy([chat(f"q{i}") for i in range(12)])
    assert [c.text for c in found] == [f"q{i}?" for i in range(12)]
    assert all(c.finished for c in found)
    assert 2 <= fake.most_busy <= 4
    assert fake.paths == ["/v1/chat/completions"] * 12
    body = next(b for b in fake.bodies if b["messages"][1]["content"] == "q0")
    assert body == {"model": "m", "messages": chat("q0"), "max_tokens": 20, "temperature": 0.0}


def test_the_key_comes_from_the_environment_only(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with generator(fake, api_key_variable="MY_KEY") as asking:
        asking.greedy([chat("a")])
    assert fake.headers[0]["Authorization"] == "Bearer sk-secret"
    monkeypatch.delenv("MY_KEY")
    fake.script = lambda body, number: (401, {}, '{"error": {"message": "no key"}}')
    with generator(fake, api_key_variable="MY_KEY") as asking, pytest.raises(BackendError) as caught:
        asking.greedy([chat("a")])
    assert "Authorization" not in fake.headers[1]
    assert "status 401 (no key)" in str(caught.value) and "MY_KEY" in str(caught.value)
    assert len(fake.bodies) == 2  # a refusal for good is not tried again


def test_samples_differ_by_seed_and_prompt(fake: FakeServer) -> None:
    fake.script = echo
    with generator(fake) as asking:
        first = asking.sample([chat("a"), chat("b")], 3, temperature=0.8, top_p=0.9, seed=1)
        asking.sample([chat("a"), chat("b")], 3, temperature=0.8, top_p=0.9, seed=1)
        asking.sample([chat("a")], 3, seed=2)
    assert [[c.text for c in f] for f in first] == [["a?"] * 3, ["b?"] * 3]
    seeds = {(b["messages"][1]["content"], i // 2): b["seed"] for i, b in enumerate(fake.bodies)}
    assert seeds[("a", 0)] == seeds[("a", 1)] != seeds[("b", 0)] == seeds[("b", 1)]
    assert fake.bodies[4]["seed"] != seeds[("a", 0)]
    assert fake.bodies[0]["n"] == 3 and fake.bodies[0]["temperature"] == 0.8 and fake.bodies[0]["top_p"] == 0.9


def test_a_server_that_ignores_n_is_asked_again(fake: FakeServer) -> None:
    fake.script = lambda body, number: completion(f"q{number}?")
    with generator(fake) as asking:
        found = asking.sample([chat("a")], 3, seed=0)[0]
    assert [c.text for c in found] == ["q0?", "q1?", "q2?"]
    assert len({b["seed"] for b in fake.bodies}) == 3
    assert [b.get("n", 1) for b in fake.bodies] == [3, 2, 1]


@pytest.mark.parametrize(
    "failure",
    [
        (500, {}, "oops"),
        (503, {"Retry-After": "0"}, ""),
        (429, {"Retry-After": "nonsense"}, '{"error": {"message": "slow down"}}'),
        (200, {}, "<html>not json</html>"),
        (200, {}, '{"choices": []}'),
        (200, {}, "[" * 5000),
        "drop",
    ],
)
def test_passing_failures_are_tried_again(fake: FakeServer, failure: Reply | str) -> None:
    fake.script = lambda body, number: failure if number < 2 else completion("A or B?")
    with generator(fake) as asking:
        assert asking.greedy([chat("a")])[0].text == "A or B?"
        assert asking.spending.retries == 2
    assert len(fake.bodies) == 3


def test_a_slow_server_is_given_up_after_the_timeout(fake: FakeServer) -> None:
    def slow(body: dict[str, Any], number: int) -> Reply:
        time.sleep(0.5)
        return completion("late")

    fake.script = slow
    started = time.monotonic()
    with generator(fake, timeout=0.1, retries=1) as asking, pytest.raises(BackendError, match=r"no answer .* 0\.1 s"):
        asking.greedy([chat("a")])
    assert time.monotonic() - started < 2
    assert len(fake.bodies) == 2


def test_no_server_is_said_so() -> None:
    settings = OpenAIServer(url="http://127.0.0.1:9/v1/", model="m", retries=0)
    with (
        OpenAIGenerator(settings) as asking,
        pytest.raises(BackendError, match=r"1 of 1 .* check that the server runs"),
    ):
        asking.greedy([chat("a")])


def test_back_off_doubles_and_heeds_retry_after(fake: FakeServer) -> None:
    waits: list[float] = []
    fake.script = lambda body, number: (429, {"Retry-After": "7"} if number == 2 else {}, "")
    settings = OpenAIServer(url=fake.url, model="m", backoff=1.0, retries=4, concurrency=1)
    with OpenAIGenerator(settings, sleep=waits.append) as asking, pytest.raises(BackendError, match="429"):
        asking.greedy([chat("a")])
    assert len(fake.bodies) == 5
    asked = [w for w in waits if w >= 0.5]
    assert 0.5 <= waits[0] <= 1
    assert any(6.5 < w <= 7 for w in asked)
    assert max(asked) <= 8


def test_retry_after_header() -> None:
    assert _retry_after("2.5") == 2.5
    assert _retry_after(None) == _retry_after("soon") == _retry_after("-3") == 0
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_one_failed_item_leaves_the_others(fake: FakeServer) -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        text = body["messages"][1]["content"]
        return (400, {}, '{"message": "too long"}') if text == "q1" else echo(body, number)

    fake.script = script
    with generator(fake) as asking:
        results = dict(asking.ask([chat(f"q{i}") for i in range(4)]))
    assert sorted(results) == [0, 1, 2, 3]
    failed = results[1]
    assert isinstance(failed, BackendError) and "too long" in str(failed)
    for index in (0, 2, 3):
        found = results[index]
        assert isinstance(found, list) and found[0].text == f"q{index}?"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_model_ends_asking_at_once(fake: FakeServer, status: int) -> None:
    fake.script = lambda body, number: (status, {}, '{"message": "no"}') if number else echo(body, number)
    seen: list[int] = []
    with generator(fake, concurrency=1) as asking, pytest.raises(AccessError, match=f"status {status}"):
        seen.extend(index for index, _ in asking.ask([chat(f"q{i}") for i in range(20)]))
    assert seen == [0] and len(fake.bodies) == 2


def test_what_is_under_way_when_a_key_is_refused_is_kept(fake: FakeServer) -> None:
    def script(body: dict[str, Any], number: int) -> Any:
        if body["messages"][-1]["content"] == "q0":
            return 401, {}, '{"message": "no"}'
        time.sleep(0.3)
        return echo(body, number)

    fake.script = script
    seen: list[int] = []
    with generator(fake, concurrency=3) as asking, pytest.raises(AccessError, match="status 401"):
        seen.extend(index for index, _ in asking.ask([chat(f"q{i}") for i in range(20)]))
    assert set(seen) == {1, 2}


@pytest.mark.parametrize(
    ("key", "message"),
    [("sk-ключ", "character outside of ASCII at place 4 of 7"), ("sk-1\n", "white space at place 5")],
)
def test_a_key_that_no_request_can_carry(key: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UserError, match=rf"MY_KEY has (a )?{message}") as caught:
        OpenAIGenerator(OpenAIServer(model="m", api_key_variable="MY_KEY"))
    assert key.strip() not in str(caught.value)


def test_a_host_that_only_the_client_refuses() -> None:
    with pytest.raises(UserError, match="'http://☃/v1' is no address of a server"):
        OpenAIGenerator(OpenAIServer(url="http://☃/v1", model="m"))


def test_the_token_budget_is_never_passed(fake: FakeServer) -> None:
    fake.script = lambda body, number: completion("A?", usage={"prompt_tokens": 30, "completion_tokens": 10})
    with generator(fake, budget_tokens=200, concurrency=3) as asking:
        results = dict(asking.ask([chat(f"q{i}") for i in range(12)]))
        spent = asking.spending
    assert spent.input_tokens + spent.output_tokens <= 200
    assert spent.requests == len(fake.bodies) >= 3
    failures = [r for r in results.values() if isinstance(r, BudgetError)]
    assert len(failures) == 12 - spent.requests
    assert "200 tokens" in str(failures[0]) and "raise budget_tokens" in str(failures[0])


def test_the_cost_budget(fake: FakeServer) -> None:
    fake.script = lambda body, number: completion("A?", usage={"prompt_tokens": 1000, "completion_tokens": 100})
    with generator(fake, budget_cost=0.005, input_price=1.0, output_price=10.0, concurrency=1) as asking:
        results = list(asking.ask([chat("q")] * 5))
        # A request costs 0.002; after two, 0.004 and what the third may cost is still below the cap.
        assert asking.spending.cost == pytest.approx(0.006)
    assert [isinstance(r, list) for _, r in results] == [True, True, True, False, False]


def test_failed_requests_cost_nothing(fake: FakeServer) -> None:
    fake.script = lambda body, number: (500, {}, "") if number < 3 else completion("A?")
    with generator(fake) as asking:
        asking.greedy([chat("q")])
        assert asking.spending.requests == 1
        assert asking.spending._reserved == []


def test_cancel(fake: FakeServer) -> None:
    seen: list[int] = []
    fake.script = echo
    with generator(fake, concurrency=1) as asking, pytest.raises(GenerationCancelled):
        for index, _ in asking.ask([chat(f"q{i}") for i in range(50)], cancel=lambda: len(seen) >= 3):
            seen.append(index)
    assert len(fake.bodies) <= 5


def test_stream(fake: FakeServer) -> None:
    pieces = ["Do you", " mean A", " or B?"]
    events = [{"choices": [{"delta": {"role": "assistant"}}]}] + [
        {"choices": [{"delta": {"content": p}}]} for p in pieces
    ]
    text = ": comment\n\n" + "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n"
    fake.script = lambda body, number: (200, {"Content-Type": "text/event-stream"}, text)
    with generator(fake) as asking:
        assert list(asking.stream(chat("a"))) == pieces
        assert fake.bodies[0]["stream"] is True
        assert asking.spending.output_tokens == 3
        next(asking.stream(chat("a")))  # left after the first piece
        assert asking.spending._reserved == []
        fake.script = lambda body, number: (404, {}, '{"detail": "no such model"}')
        with pytest.raises(BackendError, match="no such model"):
            list(asking.stream(chat("a")))


def test_chunks_without_a_choice_or_a_delta_are_passed_over(fake: FakeServer) -> None:
    events: list[dict[str, Any]] = [
        {"choices": [], "prompt_filter_results": []},
        {"choices": [{"delta": {"content": "A or B?"}}]},
        {"choices": [{"delta": None, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3}},
    ]
    text = "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n"
    fake.script = lambda body, number: (200, {"Content-Type": "text/event-stream"}, text)
    with generator(fake) as asking:
        assert list(asking.stream(chat("a"))) == ["A or B?"]
        fake.script = lambda body, number: (200, {}, 'data: {"error": "overloaded"}\n\n')
        with pytest.raises(BackendError, match="something else than a chat completion"):
            list(asking.stream(chat("a")))


def test_usage_without_numbers_is_estimated(fake: FakeServer) -> None:
    usage: Any = {"prompt_tokens": 7, "completion_tokens": None}
    fake.script = lambda body, number: completion("A or B?", usage=usage)
    with generator(fake) as asking:
        assert asking.greedy([chat("a")])[0].text == "A or B?"
        assert (asking.spending.input_tokens, asking.spending.output_tokens) == (7, asking.max_new_tokens)


def test_null_content_is_an_empty_question(fake: FakeServer) -> None:
    fake.script = lambda body, number: (
        200,
        {},
        '{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}',
    )
    with generator(fake) as asking:
        found = asking.greedy([chat("a")])[0]
    assert (found.text, found.finished, found.token_ids) == ("", False, [])
    assert isinstance(found, Candidate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "file:///etc/passwd"}, "no http"),
        ({"url": "http://localhost:80a/v1"}, r"'http://localhost:80a/v1' is no address .*80a.*; give one such as http"),
        ({"url": "http://localhost:99999/v1"}, "is no address of a server"),
        ({"url": "http:///v1"}, "it names no host"),
        ({"url": "http://[::1/v1"}, "is no address of a server"),
        ({"url": "http://local host/v1"}, "white space"),
        ({"url": "http://a/v1\n"}, "white space or control characters"),
        ({"budget_cost": 1.0}, "needs input_price"),
        ({"model": ""}, "model"),
        ({"api_key": "sk-1"}, "api_key"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OpenAIServer(**{"model": "m", **wrong})
