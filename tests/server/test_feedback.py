from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from rac.errors import UserError
from rac.files import read_records
from rac.records import Passage, PreferencePair
from rac.server.feedback import Feedback, FeedbackStore, StorageError
from rac.server.feedback_pairs import feedback_pairs
from server_support import GOOD, INVENTED, D, client_of, make_service

PASSAGES = tuple(Passage.model_validate(p) for p in D)
BODY = {"query": "mercury", "question": GOOD, "option": "the planet Mercury", "helpful": True, "passages": D}
OTHER = "Do you mean the planet Mercury or the record label Mercury Records?"


def test_feedback_is_on_disk_when_it_is_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "new" / "feedback.sqlite"
    with client_of(make_service(feedback=FeedbackStore(path))) as client:
        response = client.post("/v1/feedback", json={**BODY, "candidates": [GOOD, INVENTED], "model": "m"})
        # Another connection, while the service still has the file open.
        with sqlite3.connect(path) as other:
            rows = other.execute("select id, query, picked, helpful from rac_feedback").fetchall()
            assert other.execute("pragma journal_mode").fetchone() == ("wal",)
    assert response.status_code == 201
    answer = response.json()
    assert answer["stored"] is True
    assert rows == [(answer["feedback_id"], "mercury", "the planet Mercury", 1)]
    (entry,) = FeedbackStore(path, create=False)
    assert (entry.passages, entry.candidates, entry.model) == (PASSAGES, (GOOD, INVENTED), "m")


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite")
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("pragma synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("pragma busy_timeout").scalar_one() == 10_000


def test_the_same_id_twice_is_stored_once(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite")
    with client_of(make_service(feedback=store)) as client:
        body = {**BODY, "feedback_id": "my-own-id"}
        first, second = (client.post("/v1/feedback", json=body) for _ in range(2))
        assert len(store) == 1
    assert (first.status_code, first.json()["stored"]) == (201, True)
    assert (second.status_code, second.json()["stored"], second.json()["feedback_id"]) == (200, False, "my-own-id")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"option": None, "helpful": None}, "say at least one of"),
        ({"option": "the 1994 film"}, "`option` must be part of `question`"),
        ({"feedback_id": "../../etc"}, "feedback_id"),
        ({"query": " "}, "`query` is empty"),
        ({"comment": "x" * 5000}, "5000 characters"),
    ],
)
def test_feedback_that_says_nothing_usable_is_refused(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite")
    with client_of(make_service(feedback=store)) as client:
        response = client.post("/v1/feedback", json={**BODY, **change})
        assert len(store) == 0
    assert response.status_code == 422
    assert problem in response.json()["error"]["message"]


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    store = FeedbackStore(path)
    pages = [100_000]

    @sqlalchemy.event.listens_for(store._engine, "begin")
    def limit(connection: Any) -> None:
        # SQLite's own "database or disk is full", at a size that a test can reach.
        connection.exec_driver_sql(f"pragma max_page_count = {pages[0]}")

    acknowledged, refused = [], []
    with client_of(make_service(feedback=store)) as client:
        for number in range(60):
            pages[0] = 100_000 if number >= 50 else 8
            body = {**BODY, "feedback_id": f"number-{number:03d}", "comment": "c" * 1500}
            response = client.post("/v1/feedback", json=body)
            if response.status_code == 201:
                acknowledged.append(f"number-{number:03d}")
            else:
                assert response.status_code == 507
                assert response.json()["error"]["code"] == "not_stored"
                assert int(response.headers["retry-after"]) > 0
                refused.append(f"number-{number:03d}")
        page = client.get("/metrics").text
    assert refused
    # Room again: service goes on without a restart.
    assert acknowledged[-10:] == [f"number-{n:03d}" for n in range(50, 60)]
    assert [entry.id for entry in FeedbackStore(path, create=False)] == acknowledged
    assert f'rac_feedback_total{{outcome="failed"}} {len(refused)}.0' in page


def test_several_processes_and_threads_can_write(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    stores = [FeedbackStore(path) for _ in range(3)]

    def write(store: FeedbackStore) -> None:
        for _ in range(10):
            assert store.add(Feedback("q", "c", helpful=True))

    threads = [threading.Thread(target=write, args=(store,)) for store in stores for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(FeedbackStore(path, create=False)) == 60


def test_a_database_that_fails_is_no_acknowledgement(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite")
    with store._engine.begin() as connection:
        connection.exec_driver_sql("drop table rac_feedback")
    with pytest.raises(StorageError, match="no such table"):
        store.add(Feedback("secret query", "c"))


def test_places_that_cannot_hold_feedback_are_user_errors(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("these are notes, not a database, and long enough to be told apart" * 20)
    for where, problem in (
        (text, "not a database"),
        ("nosuch://host/db", "cannot be kept"),
        ("mysql+nope://u:secret@h/d", "cannot be kept"),
    ):
        with pytest.raises(UserError, match=problem) as caught:
            FeedbackStore(where)
        assert "secret" not in str(caught.value)
    with pytest.raises(UserError, match="no feedback at"):
        FeedbackStore(tmp_path / "missing.sqlite", create=False)
    empty = tmp_path / "empty.sqlite"
    sqlite3.connect(empty).execute("create table t (x)").connection.close()
    with pytest.raises(UserError, match="holds no feedback"):
        FeedbackStore(empty, create=False)


def test_without_a_store_feedback_is_refused() -> None:
    with client_of(make_service()) as client:
        response = client.post("/v1/feedback", json=BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "no_feedback")


def entry(question: str, helpful: bool | None = None, **values: Any) -> Feedback:
    return Feedback("mercury", question, helpful=helpful, **{"passages": PASSAGES, **values})


def test_liked_and_disliked_questions_of_one_query_become_a_pair() -> None:
    entries = [
        entry(GOOD, True),
        entry(OTHER, False),
        entry(OTHER, False),
        entry(INVENTED, False),
        entry(GOOD, option="the planet Mercury"),
        # The same query with another D is another prompt.
        entry(OTHER, True, passages=PASSAGES[:1]),
        entry(GOOD, True, passages=()),
    ]
    pairs, counts = feedback_pairs(entries, prompt=lambda query, passages: f"{query} {len(passages)}")
    (pair,) = pairs
    assert (pair.chosen, pair.all_rejected) == (GOOD, (OTHER, INVENTED))
    assert (pair.query, pair.passages, pair.prompt) == ("mercury", PASSAGES, "mercury 3")
    assert (pair.chosen_kind, pair.rejected_kinds) == ("feedback", ("feedback", "feedback"))
    assert pair.chosen_score == 1.0
    assert (counts["entries"], counts["entries without passages"], counts["pairs"]) == (7, 1, 1)


def test_the_missing_side_comes_from_the_candidates() -> None:
    (liked,), _ = feedback_pairs([entry(GOOD, True, candidates=(GOOD, INVENTED, OTHER))])
    assert (liked.chosen, liked.all_rejected, liked.rejected_kinds) == (GOOD, (INVENTED,), ("candidate",))
    (disliked,), _ = feedback_pairs([entry(OTHER, False, candidates=(INVENTED, OTHER, GOOD))])
    assert (disliked.chosen, disliked.all_rejected, disliked.chosen_kind) == (GOOD, (OTHER,), "candidate")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([entry(GOOD, True), entry(GOOD, False)], "queries whose votes are even"),
        ([entry(INVENTED, True), entry(OTHER, True, candidates=())], "queries without a C-"),
        ([entry(INVENTED, True, candidates=(GOOD,))], "queries without a faithful C+"),
        ([entry(GOOD, True, candidates=(GOOD.upper(),))], "queries without a C-"),
    ],
)
def test_what_gives_no_pair_is_counted(entries: list[Feedback], reason: str) -> None:
    pairs, counts = feedback_pairs(entries)
    assert pairs == []
    assert counts[reason] == 1


def test_rac_pairs_writes_a_file_that_loads_as_pairs(tmp_path: Path, tiny_model_dir: Path) -> None:
    from typer.testing import CliRunner

    from rac.cli import app, register_commands

    register_commands()
    path = tmp_path / "f.sqlite"
    store = FeedbackStore(path)
    store.add(entry(GOOD, True))
    store.add(entry(OTHER, False))
    output = tmp_path / "pairs.jsonl"
    arguments = ["pairs", "--from-feedback", str(path), "-o", str(output), "--model", str(tiny_model_dir)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "pairs: 1" in result.output
    (pair,) = read_records(output, PreferencePair)
    assert pair.prompt.endswith("<|im_start|>assistant\n")
    assert "Mercury Records" in pair.prompt
    assert {"prompt", "chosen", "rejected"} <= json.loads(output.read_text()).keys()


def test_rac_pairs_says_why_there_is_no_pair(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from rac.cli import app, register_commands

    register_commands()
    path = tmp_path / "f.sqlite"
    FeedbackStore(path).add(entry(GOOD, True))
    result = CliRunner().invoke(app, ["pairs", "--from-feedback", str(path), "-o", str(tmp_path / "p.jsonl")])
    assert isinstance(result.exception, UserError)
    assert "gives no preference pair (entries: 1, pairs: 0, queries: 1, queries without a C-: 1)" in str(
        result.exception
    )
    assert not (tmp_path / "p.jsonl").exists()
