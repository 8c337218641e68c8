from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from rac.asking import Asker, Wanted
from rac.errors import UserError
from rac.prompting import build_prompt
from rac.records import Passage
from rac.server.backends import LocalBackend
from rac.server.batching import Batcher, Job
from rac.server.settings import Batching
from server_support import GOOD, D, ScriptedBackend, client_of, make_service, make_settings, until
from tests_support import byte_tokenizer, tiny_model

PASSAGES = [Passage.model_validate(p) for p in D]
QUERIES = ["mercury", "the planet", "an element that is liquid", "x", "mercury"]


@pytest.fixture(scope="module")
def asker() -> Asker:
    return Asker(talking_model(), byte_tokenizer(), name="tiny", max_new_tokens=12)


def talking_model() -> Any:
    """A tiny model that says something else for every prompt."""
    return tiny_model(tie_word_embeddings=False, initializer_range=0.3)


def wanted(asker: Asker, query: str, samples: int = 0, seed: int = 0) -> Wanted:
    return Wanted(build_prompt(asker.tokenizer, query, PASSAGES[: len(query) % 3 + 1]), samples, seed)


def together(backend: Any, wishes: list[Wanted], **options: Any) -> list[list[str]]:
    """Generate wishes that all wait when the batch is formed."""

    async def run() -> list[list[str]]:
        batcher = Batcher(backend, Batching(wait_ms=200), **options)
        found = await asyncio.gather(*(batcher.generate(w, arrived=i) for i, w in enumerate(wishes)))
        batcher.close()
        return [texts for texts, _ in found]

    return asyncio.run(run())


@pytest.mark.parametrize("samples", [0, 3])
def test_a_batch_gives_what_each_query_alone_gets(asker: Asker, samples: int) -> None:
    wishes = [wanted(asker, q, samples, seed=i % 2) for i, q in enumerate(QUERIES)]
    sizes: list[int] = []
    found = together(LocalBackend(asker.generator), wishes, on_batch=sizes.append)
    assert sizes == [len(QUERIES) * max(1, samples)]
    assert len({tuple(texts) for texts in found}) > 2
    for wish, texts in zip(wishes, found, strict=True):
        if samples:
            alone = asker.generator.sample([wish.prompt.ids], samples, seed=wish.seed, label="")[0]
        else:
            alone = asker.generator.greedy([wish.prompt.ids], label="")
        assert texts == [c.text for c in alone]


def test_a_model_that_cannot_share_a_batch_is_served_one_by_one(asker: Asker) -> None:
    plain = Asker(talking_model(), byte_tokenizer(), name="tiny", max_new_tokens=12)
    plain.generator.shares_prompts = False
    wishes = [wanted(asker, q) for q in QUERIES[:3]]
    assert together(LocalBackend(plain.generator), wishes) == together(LocalBackend(asker.generator), wishes)
    sampled = wanted(asker, QUERIES[0], 2, 5)
    alone = plain.generator.sample([sampled.prompt.ids], 2, seed=5, label="")[0]
    assert together(LocalBackend(plain.generator), [sampled]) == [[c.text for c in alone]]


def test_freed_memory_is_handed_back_now_and_then(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr("rac.server.backends.give_back_memory", lambda: given.append(1))
    wish = wanted(asker, "mercury")
    for pause, times in ((3600.0, 0), (0.0, 2)):
        backend = LocalBackend(asker.generator, give_back_seconds=pause)
        for _ in range(2):
            assert together(backend, [wish])[0][0]
        assert len(given) == times


def test_equal_wishes_are_generated_once_and_streamed_to_everyone(asker: Asker) -> None:
    heard: list[list[str]] = [[], []]

    async def run() -> list[tuple[list[str], float]]:
        batcher = Batcher(LocalBackend(asker.generator), Batching(wait_ms=200))
        wish = wanted(asker, "mercury")
        found = await asyncio.gather(
            *(batcher.generate(wish, arrived=i, on_piece=heard[i].append) for i in range(2))
        )  # fmt: skip
        batcher.close()
        return found

    found = asyncio.run(run())
    assert found[0][0] == found[1][0]
    assert "".join(heard[0]).strip() == "".join(heard[1]).strip() == found[0][0][0]


def test_a_query_whose_reader_left_leaves_the_batch_and_the_others_stay(asker: Asker) -> None:
    jobs = [Job(wanted(asker, q), float(i)) for i, q in enumerate(QUERIES[:3])]
    for job in jobs:
        job.future.set_running_or_notify_cancel()
    taken: list[str] = []

    def leave(piece: str) -> None:
        taken.append(piece)
        jobs[1].cancelled = len(taken) >= 2

    jobs[1].on_piece = leave
    LocalBackend(asker.generator).generate(jobs)
    assert not jobs[1].future.done()
    assert len(taken) == 2
    for index in (0, 2):
        alone = asker.generator.greedy([jobs[index].wanted.prompt.ids], label="")[0].text
        assert jobs[index].future.result() == [alone]


def test_nobody_left_stops_the_batch(asker: Asker) -> None:
    job = Job(wanted(asker, "mercury"), 0.0)
    pieces: list[str] = []
    job.on_piece = pieces.append
    job.cancelled = True
    LocalBackend(asker.generator).generate([job])
    assert not job.future.done()
    assert not pieces


def test_a_prompt_that_is_too_long_is_refused_before_it_spoils_a_batch(asker: Asker) -> None:
    small = Asker(tiny_model(max_position_embeddings=64), byte_tokenizer(), name="tiny")
    with pytest.raises(UserError, match="do not fit into the model's context"):
        together(LocalBackend(small.generator), [wanted(asker, "mercury")])


def test_older_requests_go_first_and_rows_are_limited(asker: Asker) -> None:
    backend = ScriptedBackend(samples=["a", "b"])
    backend.gate.clear()

    async def run() -> None:
        batcher = Batcher(backend, Batching(max_rows=4, wait_ms=0))
        first = asyncio.create_task(batcher.generate(wanted(asker, "x"), arrived=0.0))
        while not backend.groups:
            await asyncio.sleep(0.005)
        others = [
            asyncio.create_task(batcher.generate(wanted(asker, str(i), samples=i % 2 * 2), arrived=10.0 - i))
            for i in range(6)
        ]
        await asyncio.sleep(0)
        while batcher.waiting < 6:
            await asyncio.sleep(0.005)
        backend.gate.set()
        await asyncio.gather(first, *others)
        batcher.close()

    asyncio.run(run())
    # Samples take two rows each; the greedy ones are younger and of another kind.
    assert [[job.arrived for job in group] for group in backend.groups[1:]] == [[5.0, 7.0], [6.0, 8.0, 10.0], [9.0]]


def test_a_backend_that_breaks_fails_its_batch_and_serves_the_next(asker: Asker) -> None:
    class Breaking(ScriptedBackend):
        def generate(self, jobs: list[Job]) -> None:
            if not self.groups:
                self.groups.append(jobs)
                raise RuntimeError("broken")
            super().generate(jobs)

    async def run() -> tuple[Any, Any]:
        batcher = Batcher(Breaking(), Batching())
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.generate(wanted(asker, "x"), arrived=0.0)
        again = await batcher.generate(wanted(asker, "x"), arrived=0.0)
        alive = batcher.alive
        batcher.close()
        return again, alive

    again, alive = asyncio.run(run())
    assert again[0] == [GOOD]
    assert alive


def test_a_full_queue_is_refused_with_a_time_to_come_back() -> None:
    backend = ScriptedBackend()
    backend.gate.clear()
    with client_of(make_service(backend, settings=make_settings(limits={"queue": 2}))) as client:
        body = {"query": "mercury", "passages": D}
        threads = [threading.Thread(target=client.post, args=("/v1/clarify",), kwargs={"json": body}) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda: "rac_queue_length 2.0" in client.get("/metrics").text)
        refused = client.post("/v1/clarify", json=body)
        streamed = client.post("/v1/clarify", json={**body, "stream": True})
        many = client.post("/v1/clarify", json={"queries": [body] * 2})
        never = client.post("/v1/clarify", json={"queries": [body] * 3})
        backend.gate.set()
        for thread in threads:
            thread.join()
        after = client.post("/v1/clarify", json=body)
    for response in (refused, streamed, many):
        assert response.status_code == 429
        assert response.json()["error"]["code"] == "queue_full"
        assert 1 <= int(response.headers["retry-after"]) <= 60
    assert after.status_code == 200
    assert never.status_code == 422


def test_time_out_cancels_the_generation() -> None:
    backend = ScriptedBackend()
    backend.gate.clear()
    with client_of(make_service(backend, settings=make_settings(limits={"request_seconds": 0.3}))) as client:
        started = time.monotonic()
        response = client.post("/v1/clarify", json={"query": "mercury", "passages": D})
        assert time.monotonic() - started >= 0.3
        until(lambda: backend.cancelled == 1)
        streamed = client.post("/v1/clarify", json={"query": "mercury", "passages": D, "stream": True})
        until(lambda: backend.cancelled == 2)
        backend.gate.set()
        assert client.post("/v1/clarify", json={"query": "mercury", "passages": D}).status_code == 200
        page = client.get("/metrics").text
    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")
    assert '"code": "timeout"' in streamed.text
    assert 'rac_cancelled_total{reason="timeout"} 2.0' in page
    assert "rac_queue_length 0.0" in page


def test_scoring_after_its_time_stalls_no_question_and_keeps_its_place() -> None:
    gate, begun = threading.Event(), []

    def score_slowly(items: Any) -> Any:
        begun.append(items)
        gate.wait(60)
        return [], "slow"

    settings = make_settings(limits={"request_seconds": 6.0, "queue": 2})
    service = make_service(settings=settings, scorer=score_slowly)
    before = set(threading.enumerate())
    with client_of(service) as client:
        body = {"query": "mercury", "passages": D}
        # What is loaded by the first question must not count against its time below.
        assert client.post("/v1/clarify", json=body).status_code == 200
        scored = {"items": [{**body, "question": GOOD}]}
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(client.post("/v1/score", json=scored).status_code))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            assert found == [504, 504]
            # One goes on in its thread and counts; the other had not begun and never will.
            assert "rac_queue_length 1.0" in client.get("/metrics").text
            assert client.post("/v1/clarify", json=body).status_code == 200
            assert client.post("/v1/clarify", json={"queries": [body] * 2}).status_code == 429
        finally:
            gate.set()
        until(lambda: "rac_queue_length 0.0" in client.get("/metrics").text)
        assert client.post("/v1/clarify", json={"queries": [body] * 2}).status_code == 200
    assert len(begun) == 1
    until(lambda: not any(t.name.startswith("rac-score") for t in set(threading.enumerate()) - before))
    assert not service.readiness()[0]
