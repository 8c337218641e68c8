"""``rac compare``: significance, refusals, pages, on small run directories and score files."""

from __future__ import annotations

import json
import random

import pytest

from rac.files import write_json
from rac.report.build import metric_infos

SIGNATURE = "v1|claims:rules-2|support:lexical-1|nli:none|D:retrieved5|tau:0.500"
QUALITY = {"ungrounded": 0.2, "rac": 0.8, "gold": 0.82}


def make_run(path, *, signature=SIGNATURE, systems=QUALITY, queries=60, seed=0, notes=(), first=0, source="retrieved"):
    for system, quality in systems.items():
        rng = random.Random(f"{system}{seed}")
        rows = [
            {"id": f"q{i}", "query": f"query {i}", "question": "a or b?", "system": system,
             "headline": min(1.0, max(0.0, rng.gauss(quality, 0.1))) if i % 7 else None,
             "length": float(rng.randrange(5, 9))}
            for i in range(first, first + queries)
        ]  # fmt: skip
        file = path / "scores" / source / f"{system}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = {"name": "all", "systems": {name: {} for name in systems}, "comparisons": []}
    write_json(
        path / "metrics.json",
        {"schema": 1, "signatures": {source: signature}, "notes": list(notes), "tables": [table],
         "metrics": [vars(info) for info in metric_infos()], "printed": ["headline"]},
    )  # fmt: skip
    examples = path / "examples" / "evaluation.jsonl"
    examples.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"id": f"q{i}", "query": f"query {i}", "group": f"g{i // 2}"} for i in range(first, first + queries)]
    examples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_table_tests_and_statement(rac, tmp_path):
    run = make_run(tmp_path / "a", notes=["support by words alone"])
    result = rac("compare", run)
    assert result.status == 0, result.err
    assert "Headline: the order is NOT significant for 1 of 3 pairs: rac – gold" in " ".join(result.out.split())
    assert "support by words alone" in result.out and "Holm" in result.out
    assert result.out.count("NOT significant") == 2 and "n = " not in result.err
    assert "tau:0.500" in result.out


def test_json_has_everything_and_clusters_count(rac, tmp_path):
    run = make_run(tmp_path / "a")
    result = rac("compare", run, "--json", "--metric", "headline")
    value = json.loads(result.out)
    table = value["table"]
    assert value["signature"] == SIGNATURE
    assert set(table["systems"]["rac"]) == {"headline"}
    summary = table["systems"]["rac"]["headline"]
    assert (summary["n"], summary["unscored"]) == (51, 9)
    assert summary["clusters"] == 30
    pairs = {(row["a"], row["b"]): row for row in table["comparisons"]}
    assert list(pairs) == [("ungrounded", "rac"), ("ungrounded", "gold"), ("rac", "gold")]
    assert pairs["ungrounded", "rac"]["significant"] and pairs["ungrounded", "rac"]["effect"] < -1
    assert not pairs["rac", "gold"]["significant"]
    assert pairs["rac", "gold"]["p_holm"] >= pairs["rac", "gold"]["p"]


def test_two_runs_are_paired_on_common_queries(rac, tmp_path):
    one = make_run(tmp_path / "one", systems={"rac": 0.4})
    two = make_run(tmp_path / "two", systems={"rac": 0.8}, first=10, seed=1)
    result = rac("compare", one, two, "--json")
    value = json.loads(result.out)
    assert list(value["table"]["systems"]) == ["one/rac", "two/rac"]
    assert value["table"]["n"] == 50
    assert any("one/rac: 10 of 60 queries left out" in note for note in value["notes"])
    (row,) = [row for row in value["table"]["comparisons"] if row["metric"] == "headline"]
    assert row["significant"] and row["difference"] < -0.3


def test_different_signatures_are_refused(rac, tmp_path):
    one = make_run(tmp_path / "one", systems={"rac": 0.4})
    two = make_run(tmp_path / "two", systems={"rac": 0.8}, signature=SIGNATURE.replace("0.500", "0.420"))
    result = rac("compare", one, two)
    assert result.status == 2
    assert "tau:0.500 against tau:0.420" in result.err.replace(
        "tau:0.420 against tau:0.500", "tau:0.500 against tau:0.420"
    )
    assert "score both with the same settings" in result.err and "Traceback" not in result.err


def test_score_files_with_a_signature(rac, tmp_path):
    run = make_run(tmp_path / "a")
    files = []
    for system in ("rac", "ungrounded"):
        file = tmp_path / f"{system}.jsonl"
        file.write_text((run / "scores" / "retrieved" / f"{system}.jsonl").read_text())
        write_json(tmp_path / f"{system}.jsonl.header.json", {"schema": 1, "signature": SIGNATURE})
        files.append(file)
    result = rac("compare", *files, "--json")
    value = json.loads(result.out)
    assert list(value["table"]["systems"]) == ["rac", "ungrounded"]
    assert any("no clusters are known" in note for note in value["notes"])
    (tmp_path / "rac.jsonl.header.json").unlink()
    refused = rac("compare", *files)
    assert refused.status == 2 and "rac evaluate --per-item" in refused.err


def test_a_folder_of_rac_evaluate(rac, tmp_path):
    predictions = []
    for system in ("one", "two"):
        file = tmp_path / f"{system}.jsonl"
        lines = [
            {"id": f"q{i}", "question": f"the ship or the {'film' if system == 'two' else 'opera'} {i}?"}
            for i in range(9)
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        predictions.append(file)
    passages = [{"id": "a", "text": "A ship."}, {"id": "b", "text": "A film."}]
    examples = [{"id": f"q{i}", "query": f"luna {i}", "group": f"g{i % 5}", "passages": passages} for i in range(9)]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in examples))
    made = rac("evaluate", *predictions, "--examples", tmp_path / "examples.jsonl", "--out", tmp_path / "out")
    assert made.status == 0, made.err
    value = json.loads(rac("compare", tmp_path / "out", "--json").out)
    assert list(value["table"]["systems"]) == ["one", "two"]
    assert value["table"]["systems"]["one"]["headline"]["clusters"] == 5
    refused = rac("compare", tmp_path / "out", "--passages", "gold")
    assert refused.status == 2 and "leave it out" in refused.err


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_pages(rac, tmp_path, suffix):
    run = make_run(tmp_path / "a")
    page = tmp_path / f"page.{suffix}"
    assert rac("compare", run, "-o", page).status == 0
    text = page.read_text(encoding="utf-8")
    assert "NOT significant for 1 of 3 pairs" in text and "Comparison of systems" in text


def test_whole_table_correction_is_stricter(rac, tmp_path):
    run = make_run(tmp_path / "a")
    loose = json.loads(rac("compare", run, "--json").out)["table"]["comparisons"]
    strict = json.loads(rac("compare", run, "--json", "--family", "table").out)["table"]["comparisons"]
    assert all(s["p_holm"] >= x["p_holm"] for s, x in zip(strict, loose, strict=True))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda p: None, ["--system", "rak"], "did you mean 'rac'?"),
        (lambda p: None, ["--system", "rac"], "a comparison needs two"),
        (lambda p: None, ["--metric", "headlin"], "did you mean 'headline'?"),
        (lambda p: None, ["--passages", "gold"], "not scored against D 'gold'"),
        (lambda p: None, ["--family", "all"], "use 'metric' or 'table'"),
        (lambda p: None, ["-o", "page.pdf"], "ends in neither"),
        (lambda p: (p / "metrics.json").unlink(), [], "has no metrics.json"),
        (lambda p: write_json(p / "metrics.json", {"schema": 99}), [], "schema"),
        (lambda p: write_json(p / "metrics.json", []), [], "schema"),
        (lambda p: write_json(p / "metrics.json", {"schema": 1, "signatures": {}}), [], "'signatures' is missing"),
        (lambda p: write_json(p / "metrics.json", {"schema": 1, "signatures": {"x": "y"}}), [], "'tables' is missing"),
        (lambda p: write_json(p / "metrics.json", {"schema": 1}), [], "holds no scores"),
        (lambda p: (p / "scores/retrieved/rac.jsonl").write_text('{"id": "q1", "headline": "x"}\n'), [], "line 1"),
        (lambda p: (p / "scores/retrieved/rac.jsonl").write_text('{"id": "z"}\n'), [], "no query id in common"),
        (
            lambda p: (p / "scores/retrieved/rac.jsonl").write_text('{"id": "q1", "query": "z"}\n'),
            [],
            "different queries",
        ),
        (lambda p: (p / "scores/retrieved/rac.jsonl").write_text('{"id": "q1"}\n{"id": "q1"}\n'), [], "occurs twice"),
    ],
)
def test_bad_input(rac, tmp_path, change, arguments, message):
    run = make_run(tmp_path / "a")
    change(run)
    result = rac("compare", run, *arguments)
    assert result.status == 2
    assert message in result.err, result.err
    assert "Traceback" not in result.err


def test_same_run_twice_is_refused(rac, tmp_path):
    run = make_run(tmp_path / "a")
    result = rac("compare", run, run)
    assert result.status == 2 and "given twice" in result.err
