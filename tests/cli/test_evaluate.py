"""``rac evaluate`` on files as outsiders write them: output, folders, JSON, and every kind of bad input."""

from __future__ import annotations

import json

import pytest

PASSAGES = [
    {"id": "p1", "title": "Luna", "types": ["ship"], "text": "Luna was built in 1982."},
    {"id": "p2", "title": "Luna", "types": ["band"], "text": "An American rock band."},
]
EXAMPLE = {
    "id": "q1",
    "query": "Who built Luna?",
    "passages": PASSAGES,
    "questions": ["Do you mean the ship or the band?"],
}


@pytest.fixture
def write(tmp_path):
    def to(name: str, *rows: dict) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return to


def test_a_table_scores_and_a_page(rac, write, tmp_path) -> None:
    examples = write("examples.jsonl", EXAMPLE, {**EXAMPLE, "id": "q2"})
    good = write("good.jsonl", *({"id": i, "question": "Do you mean the ship or the band?"} for i in ("q1", "q2")))
    poor = write("poor.jsonl", {"id": "q1", "question": "Do you mean the opera?"})
    result = rac("evaluate", good, poor, "--examples", examples, "--out", tmp_path / "out", "--nli", "none")
    assert result.status == 0, result.err
    assert "Headline" in result.out and "no-prediction 1" in result.out and "nli:none" in result.out
    assert "<html" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in (tmp_path / "out/scores/good.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[0]["headline"] > 0.9 and rows[0]["cluster"] == "q1"
    compared = rac("compare", tmp_path / "out/scores/good.jsonl", tmp_path / "out/scores/poor.jsonl")
    assert compared.status == 0, compared.err


def test_json_and_one_score_file(rac, write, tmp_path) -> None:
    examples = write("examples.jsonl", EXAMPLE)
    made = write("made.jsonl", {"id": "q1", "question": "Do you mean the ship or the band?"})
    scores = tmp_path / "scores.jsonl"
    result = rac("evaluate", made, "--examples", examples, "--json", "--per-item", scores, "--nli", "none")
    assert result.status == 0, result.err
    printed = json.loads(result.out)
    assert printed["systems"]["made"]["summary"]["headline"]["mean"] > 0.9
    header = json.loads((tmp_path / "scores.jsonl.header.json").read_text(encoding="utf-8"))
    assert header["signature"] == printed["signature"]


def test_a_system_called_after_a_path_is_compared_under_its_name(rac, write, tmp_path) -> None:
    names = ["rac of runs/claqua", "../../elsewhere"]
    files = [
        write(f"{i}.jsonl", {"id": "q1", "system": name, "question": "The ship or the band?"})
        for i, name in enumerate(names)
    ]
    examples = write("examples.jsonl", EXAMPLE)
    out, scores = tmp_path / "made/out", tmp_path / "made/scores"
    result = rac("evaluate", *files, "--examples", examples, "--out", out, "--per-item", scores, "--nli", "none")
    assert result.status == 0, result.err
    assert sorted(p.name for p in scores.glob("*.jsonl")) == ["elsewhere.jsonl", "rac-of-runs-claqua.jsonl"]
    assert not list(tmp_path.glob("*elsewhere*"))
    for given in ([out], sorted(scores.glob("*.jsonl"))):
        compared = rac("compare", *given, "--json")
        assert compared.status == 0, compared.err
        assert set(json.loads(compared.out)["table"]["systems"]) == set(names)
    # What an earlier evaluation left in the folder is no system of this one.
    write("other.jsonl", {"id": "q1", "system": "other", "question": "The ship?"})
    again = rac("evaluate", files[0], tmp_path / "other.jsonl", "--examples", examples, "--out", out, "--nli", "none")
    assert again.status == 0, again.err
    assert set(json.loads(rac("compare", out, "--json").out)["table"]["systems"]) == {names[0], "other"}


def test_systems_that_saw_other_passages_make_a_page_with_a_note(rac, write, tmp_path) -> None:
    opera = {"id": "p3", "title": "Luna", "types": ["opera"], "text": "An opera in three acts."}
    seen = write("seen.jsonl", {"id": "q1", "question": "The ship or the band?", "passages": PASSAGES})
    other = write("other.jsonl", {"id": "q1", "question": "The opera?", "passages": [opera]})
    examples = write("examples.jsonl", EXAMPLE)
    result = rac("evaluate", seen, other, "--examples", examples, "--out", tmp_path / "out", "--nli", "none")
    assert result.status == 0, result.err
    assert "different D for 1 of 1 queries" in " ".join(result.out.split())
    compared = rac("compare", tmp_path / "out", "--json")
    assert any("different D for 1 of 1 queries" in note for note in json.loads(compared.out)["notes"])


@pytest.mark.parametrize(
    ("predictions", "examples", "options", "message"),
    [
        ([{"id": "q9", "question": "x"}], [EXAMPLE], [], "no example has"),
        ([{"id": "q1", "question": "x"}, {"id": "q1", "question": "y"}], [EXAMPLE], [], "ids must be unique"),
        ([{"id": "q1"}], [EXAMPLE], [], "question"),
        ([{"id": "q1", "question": 7}], [EXAMPLE], [], "question"),
        ([], [EXAMPLE], [], "no predictions"),
        ([{"id": "q1", "question": "x"}], [], [], "no examples"),
        ([{"id": "q1", "question": "x"}], [{"id": "q1", "query": "Luna"}], ["--passages", "examples"],
         "no example has passages"),
        ([{"id": "q1", "question": "x"}], [EXAMPLE], ["--passages", "predictions"], "without passages"),
        ([{"id": "q1", "question": "x"}], [EXAMPLE], ["--passages", "retrieved"], "without an index"),
        ([{"id": "q1", "question": "x"}], [EXAMPLE], ["--passages", "golden"], "is not known"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(rac, write, predictions, examples, options, message) -> None:
    made, known = write("made.jsonl", *predictions), write("examples.jsonl", *examples)
    result = rac("evaluate", made, "--examples", known, "--nli", "none", *options)
    assert result.status == 2
    assert message in result.err and "Traceback" not in result.err


def test_questions_that_no_rule_can_read_are_counted(rac, write) -> None:
    questions = ["", "你是说船还是乐队?", "ship or band " * 900, "What do you mean?"]
    examples = write("examples.jsonl", *({**EXAMPLE, "id": f"q{i}"} for i in range(4)))
    made = write("made.jsonl", *({"id": f"q{i}", "question": q} for i, q in enumerate(questions)))
    result = rac("evaluate", made, "--examples", examples, "--json", "--nli", "none")
    assert result.status == 0, result.err
    counts = json.loads(result.out)["systems"]["made"]["counts"]
    reasons = {name.removeprefix("unscored or zero: "): n for name, n in counts.items() if ":" in name}
    assert reasons == {"empty": 1, "script": 1, "too-long": 1, "no-claims": 1}


def test_passages_that_are_only_named_come_from_a_corpus(rac, write) -> None:
    corpus = write("corpus.jsonl", *PASSAGES)
    bare = {"id": "q1", "query": "Who built Luna?", "passage_ids": ["p1", "p2"]}
    made = write("made.jsonl", {"id": "q1", "question": "Do you mean the ship or the band?"})
    result = rac("evaluate", made, "--examples", write("e.jsonl", bare), "--corpus", corpus, "--json", "--nli", "none")
    assert json.loads(result.out)["systems"]["made"]["summary"]["headline"]["mean"] > 0.9
    bare["passage_ids"] = ["p7"]
    result = rac("evaluate", made, "--examples", write("e.jsonl", bare), "--corpus", corpus, "--nli", "none")
    assert result.status == 2 and "which the corpus does not have" in result.err
