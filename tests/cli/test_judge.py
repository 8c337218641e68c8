"""``rac judge`` against a local server: grades, one system against another, refusals."""

from __future__ import annotations

import json

import pytest

from chat_support import ChatServer
from rac.files import write_records
from rac.records import ClarificationExample, Passage, Prediction

D = (Passage(id="a", title="Luna", types=("ship",)), Passage(id="b", title="Luna", types=("film",)))


def good(question):
    return "ship" in question


def script(body, number):
    data = json.loads(body["messages"][1]["content"])
    if "question" in data:
        grade = 5 if good(data["question"]) else 1
        return 200, json.dumps(
            {"reasoning": "r", "unsupported": [], "faithfulness": grade, "usefulness": grade, "clarity": 4}
        )
    better = "first" if good(data["first"]) else "second"
    return 200, json.dumps(
        {"reasoning": "r", "faithfulness": better, "usefulness": better, "clarity": "first", "overall": better}
    )


@pytest.fixture
def server():
    started = ChatServer(script)
    yield started
    started.close()


@pytest.fixture
def files(tmp_path):
    examples = [ClarificationExample(id=f"q{i}", query=f"luna {i}", passages=D, group=f"g{i // 2}") for i in range(24)]
    write_records(tmp_path / "examples.jsonl", examples)
    for system, words in (("rac", "the ship or the film"), ("base", "the opera")):
        made = [
            Prediction(id=e.id, question=f"Do you mean {words} {i}?" if i else "", system=system)
            for i, e in enumerate(examples)
        ]
        write_records(tmp_path / f"{system}.jsonl", made)
    return tmp_path


def arguments(files, server):
    return (
        "judge", files / "rac.jsonl", files / "base.jsonl", "--examples", files / "examples.jsonl", "--model", "m",
        "--url", server.url,
    )  # fmt: skip


def test_grades(rac, files, server):
    out = files / "verdicts.jsonl"
    result = rac(*arguments(files, server), "--json", "--per-item", out, "--input-price", 10)
    assert result.status == 0, result.err
    value = json.loads(result.out)
    faith = value["systems"]["rac"]["judge_faithfulness"]
    assert (faith["mean"], faith["n"], faith["unscored"]) == (1.0, 23, 1)
    assert value["systems"]["base"]["judge_faithfulness"]["mean"] == 0.0
    rows = {row["metric"]: row for row in value["comparisons"]}
    assert rows["judge_faithfulness"]["significant"] and not rows["judge_clarity"]["significant"]
    assert value["reasons"] == {"empty": 2}
    assert value["spent"]["requests"] == 46 and value["spent"]["cost"] == pytest.approx(46 * 100 * 10 / 1e6)
    assert value["signature"] == "judge:m|rubric-1|t:0|output:schema"
    verdicts = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(verdicts) == 48 and verdicts[1]["raw"].startswith("{")
    printed = rac(*arguments(files, server))
    assert "judge_faithfulness" in printed.out and "NOT significant" in printed.out


def test_one_against_another(rac, files, server):
    value = json.loads(rac(*arguments(files, server), "--against", "rac", "base", "--json").out)
    overall = value["pairs"]["overall"]
    assert (overall["mean"], overall["consistent"], overall["n"]) == (1.0, 1.0, 23)
    assert overall["p"] < 0.01
    clarity = value["pairs"]["clarity"]
    assert (clarity["mean"], clarity["consistent"], clarity["p"]) == (0.5, 0.0, 1.0), "it followed the order"
    assert "preference" in rac(*arguments(files, server), "--against", "base", "rac").out


def test_the_cache_spends_nothing_twice(rac, files, server):
    for _ in range(2):
        result = rac(*arguments(files, server), "--cache", files / "replies.sqlite", "--json")
    value = json.loads(result.out)
    assert value["spent"]["requests"] == 0 and value["spent"]["from the cache"] == 46
    assert len(server.bodies) == 46


def test_files_of_one_system_are_neither_mixed_nor_dropped(rac, files, server):
    """Without a system in the predictions, the name of the file is the system's."""
    made = []
    for seed in ("seed0", "seed1"):
        rows = [Prediction(id=f"q{i}", question=f"Ship or film, {seed}?") for i in range(24)]
        write_records(files / seed / "predictions.jsonl", rows)
        made.append(files / seed / "predictions.jsonl")
    rest = ("--examples", files / "examples.jsonl", "--model", "m", "--url", server.url, "--json")
    result = rac("judge", *made, *rest)
    assert result.status == 2 and "two prediction files are of a system 'predictions'" in result.err
    assert not server.bodies, "nothing is paid for"
    # As in rac evaluate, a second file with the system of the first goes by its own name.
    again = files / "rac-again.jsonl"
    again.write_bytes((files / "rac.jsonl").read_bytes())
    result = rac("judge", files / "rac.jsonl", again, *rest)
    assert list(json.loads(result.out)["systems"]) == ["rac", "rac-again"]


def test_a_key_that_no_request_can_carry(rac, files, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-é")
    result = rac(*arguments(files, server))
    assert result.status == 2 and "OPENAI_API_KEY has a character outside of ASCII" in result.err
    assert "Traceback" not in result.err and "sk-é" not in result.err and not server.bodies


def test_the_key_of_another_variable(rac, files, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-first")
    monkeypatch.setenv("JUDGE_KEY", "sk-second")
    assert rac(*arguments(files, server), "--key-variable", "JUDGE_KEY").status == 0
    assert {sent["Authorization"] for sent in server.headers} == {"Bearer sk-second"}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--against", "rac", "bass"), "did you mean 'base'?"),
        (("--against", "rac", "rac"), "with itself"),
        (("--structured", "yaml"), "use schema, json or none"),
        (("--url", "ftp://x"), "no http or https address"),
        (("--url", "http://localhost:80a/v1"), "'http://localhost:80a/v1' is no address of a server"),
        (("--system", "nobody"), "no system is called 'nobody'"),
    ],
)
def test_bad_input(rac, files, server, extra, message):
    result = rac(*arguments(files, server), *extra)
    assert result.status == 2 and message in result.err, result.err
    assert "Traceback" not in result.err and not server.bodies
