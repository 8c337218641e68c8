"""How systems come to their questions, with a server and a tiny model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from chat_support import ChatServer
from rac.config import Recipe
from rac.errors import UserError
from rac.files import write_json, write_records
from rac.generation.openai_budget import BackendError
from rac.generation.systems import SYSTEMS
from rac.models import save_model
from rac.pipeline.askers import open_asker, pick_shots
from rac.pipeline.run_directory import RunDirectory
from rac.records import ClarificationExample, Passage
from tests_support import byte_tokenizer, tiny_model


def example(name: str) -> ClarificationExample:
    kinds = ("film", "book")
    passages = tuple(
        Passage(id=f"{name}-{kind}", title=f"{name} ({kind})", text=f"A {kind}.", types=(kind,)) for kind in kinds
    )
    question = f"Do you mean the film {name} or the book {name}?"
    return ClarificationExample(id=name, query=name, questions=(question,), passages=passages)


EXAMPLES = [example(name) for name in ("Dune", "Mercury", "Java", "Phoenix", "Jaguar")]
ITEMS = [(e, list(e.passages)) for e in EXAMPLES[:2]]


def run_of(tmp_path: Path, base: Path, **sections: Any) -> RunDirectory:
    values = {"model": {"base": str(base)}, "prompt": {"passage_tokens": 60}, **sections}
    run = RunDirectory(tmp_path / "run", Recipe.model_validate(values))
    write_records(run / "examples/train.jsonl", EXAMPLES)
    write_records(run / "passages.jsonl", [p for e in EXAMPLES for p in e.passages])
    write_json(run / "retrieved.json", {e.id: [p.id for p in e.passages] for e in EXAMPLES})
    return run


def test_a_server_gets_the_messages_that_the_local_models_prompt_is_made_of(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    pytest.importorskip("httpx2")
    server = ChatServer(lambda body, number: (200, f"About {body['messages'][-1]['content'].split('Query: ')[1]}?"))
    try:
        run = run_of(tmp_path, tiny_model_dir, openai={"url": server.url, "model": "m", "concurrency": 2})
        assert open_asker(run, SYSTEMS["openai"])(ITEMS) == ["About Dune?", "About Mercury?"]
        sent = sorted(body["messages"][1]["content"] for body in server.bodies)
        assert sent[0] == "[1] Dune (film) (film): A film.\n[2] Dune (book) (book): A book.\nQuery: Dune"
        assert {body["model"] for body in server.bodies} == {"m"}
        assert {body["max_tokens"] for body in server.bodies} == {48}
    finally:
        server.close()


def test_a_server_that_refuses_ends_the_stage_with_its_reason(tmp_path: Path, tiny_model_dir: Path) -> None:
    pytest.importorskip("httpx2")
    server = ChatServer(lambda body, number: (401, "who are you"))
    try:
        run = run_of(tmp_path, tiny_model_dir, openai={"url": server.url, "model": "m"})
        with pytest.raises(BackendError, match=r"status 401 \(who are you\).*OPENAI_API_KEY"):
            open_asker(run, SYSTEMS["openai"])(ITEMS)
    finally:
        server.close()


def test_a_prompt_that_a_server_always_refuses_leaves_its_own_question_empty(
    tmp_path: Path, tiny_model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("httpx2")
    refused, status = {"Mercury", "Java"}, 400

    def script(body: dict[str, Any], number: int) -> tuple[int, str]:
        query = body["messages"][-1]["content"].split("Query: ")[1]
        return (status, "filtered") if query in refused else (200, f"About {query}?")

    server = ChatServer(script)
    third = [(EXAMPLES[2], list(EXAMPLES[2].passages))]
    try:
        run = run_of(tmp_path, tiny_model_dir, openai={"url": server.url, "model": "m", "retries": 0})
        ask = open_asker(run, SYSTEMS["openai"])
        with caplog.at_level(logging.WARNING, "rac"):
            assert ask(ITEMS) == ["About Dune?", ""]
            assert ask(third) == [""], "it answers others, so the stage goes on"
        first, second = (record.getMessage() for record in caplog.records)
        assert first.startswith("1 of 2 requests so far were refused") and "(filtered)" in first
        assert second.startswith("2 of 3 ")
        with pytest.raises(BackendError, match=r"all of 1 requests were refused.*filtered"):
            open_asker(run, SYSTEMS["openai"])(third)
        # What may pass is no refusal: the stage ends and can be resumed.
        status = 503
        with pytest.raises(BackendError, match="status 503"):
            ask(ITEMS)
    finally:
        server.close()


def test_solved_examples_are_drawn_by_seed_from_training_only(tmp_path: Path, tiny_model_dir: Path) -> None:
    run = run_of(tmp_path, tiny_model_dir)
    shots = pick_shots(run, 3)
    assert shots == pick_shots(run, 3)
    assert len({s.query for s in shots}) == 3
    assert all(s.question == f"Do you mean the film {s.query} or the book {s.query}?" for s in shots)
    with pytest.raises(UserError, match="9 solved examples are asked for and the training part has 5"):
        pick_shots(run, 9)


def test_ways_of_one_model_differ_in_what_they_ask(tmp_path: Path, tiny_model_dir: Path) -> None:
    evaluation = {"max_new_tokens": 64, "shots": 1, "alpha": 3.0, "plausibility": 0.0, "beams": 2, "candidates": 2}
    run = run_of(tmp_path, tiny_model_dir, evaluation=evaluation)
    for seed, name in ((1, "grounded"), (2, "ungrounded")):
        save_model(tiny_model(seed), byte_tokenizer(), run / "models" / name, base=str(tiny_model_dir))
    ways = ("base-few-shot", "grounded", "grounded-best-of-n", "context-aware", "facet-constrained")
    asked = {name: tuple(open_asker(run, SYSTEMS[name])(ITEMS)) for name in ways}
    assert all(len(questions) == 2 for questions in asked.values())
    assert len({asked["grounded"], asked["context-aware"], asked["grounded-best-of-n"]}) == 3
    # The facets of both passages are in the constrained question, whatever the model likes.
    assert all(word in asked["facet-constrained"][0].lower() for word in ("film", "book"))


def test_strength_zero_is_the_grounded_model(tmp_path: Path, tiny_model_dir: Path) -> None:
    run = run_of(tmp_path, tiny_model_dir, evaluation={"max_new_tokens": 12, "alpha": 0.0, "plausibility": 0.0})
    for seed, name in ((1, "grounded"), (2, "ungrounded")):
        save_model(tiny_model(seed), byte_tokenizer(), run / "models" / name, base=str(tiny_model_dir))
    assert open_asker(run, SYSTEMS["context-aware"])(ITEMS) == open_asker(run, SYSTEMS["grounded"])(ITEMS)
