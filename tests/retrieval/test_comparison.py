from __future__ import annotations

import json
from pathlib import Path

import pytest

from rac.errors import UserError
from rac.retrieval import comparison as comparison_module
from rac.retrieval.comparison import run_comparison
from rac.retrieval.comparison_settings import Comparison, load_comparison, shipped_comparisons


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    names = ["mercury", "jaguar", "python", "java", "apple", "amazon"]
    corpus, examples = [], []
    for name in names:
        for kind in ("animal", "company", "place"):
            corpus.append({"id": f"{name}-{kind}", "title": name, "types": [kind], "text": f"{name} is a {kind}."})
        facets = [f"{name} {kind}" for kind in ("animal", "company")]
        qrels = {f"{name}-animal": 1, f"{name}-company": 1}
        examples.append({"id": name, "query": f"tell me of {name}", "facets": facets, "qrels": qrels})
    lines = {"corpus": corpus, "examples": examples}
    paths = {}
    for key, rows in lines.items():
        paths[key] = str(write(tmp_path / f"{key}.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    return paths


def make(data: dict[str, str], **changes: object) -> Comparison:
    values = {
        "datasets": {"own": data},
        "strategies": {"bm25": {}, "bm25 facets": {"fields": "facets"}, "bm25 mmr": {"diversify": "mmr"}},
    }
    return Comparison.model_validate({**values, **changes})


@pytest.mark.extra
def test_runs_measures_and_goes_on_where_it_was(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    first = run_comparison(make(data), folder)
    cell = first.cell("own", "bm25")
    assert set(cell.values["nDCG@10"]) == set(first.judged["own"].queries) and len(first.cells) == 3
    assert all(cell.costs[key] for key in ("build_s", "bytes", "queries_per_second", "search_peak_mb"))
    assert cell.values["Recall@5"]["java"] == 1.0
    # Two strategies that differ in searching only share one index.
    assert len([p for p in (folder / "indexes").iterdir() if p.is_dir()]) == 2
    monkeypatch.setattr(comparison_module, "_step", lambda *_: pytest.fail("nothing should run again"))
    assert run_comparison(make(data), folder) == first
    monkeypatch.undo()
    steps: list[str] = []
    real = comparison_module._step
    monkeypatch.setattr(comparison_module, "_step", lambda spec, *rest: steps.append(spec["step"]) or real(spec, *rest))
    run_comparison(make(data, depth=30, strategies={"bm25": {}}), folder)
    assert steps == ["search"]


@pytest.mark.extra
def test_the_report_holds_tables_tests_and_plots(data: dict[str, str], tmp_path: Path) -> None:
    from rac.report.indexes import write_index_report

    comparison = make(data, name="my <b>indexes</b>".replace("<b>", "").replace("</b>", ""))
    compared = run_comparison(comparison, tmp_path / "out")
    page, table, numbers = write_index_report(compared, tmp_path / "out")
    html, markdown = page.read_text(encoding="utf-8"), table.read_text(encoding="utf-8")
    for text in (html, markdown):
        assert "bm25 facets" in text and "nDCG@10" in text and "queries per second" in text and "6 queries" in text
    assert html.count("<svg") == 3 and "Content-Security-Policy" in html and "http://www.w3.org/2000/svg" in html
    assert "not told from bm25" in markdown and "diversify: mmr" in markdown
    made = json.loads(numbers.read_text(encoding="utf-8"))
    tests = [row for row in made["tables"]["own"]["tests"] if row["metric"] == "nDCG@10"]
    assert [(row["a"], row["b"]) for row in tests] == [("bm25 facets", "bm25"), ("bm25 mmr", "bm25")]
    assert made["tables"]["own"]["systems"]["bm25"]["nDCG@10"]["n"] == 6


@pytest.mark.extra
def test_a_strategy_that_cannot_run_says_why(data: dict[str, str], tmp_path: Path) -> None:
    broken = {"bm25": {}, "dense": {"strategy": "dense", "model": str(tmp_path / "nope")}}
    with pytest.raises(UserError, match="a path that does not exist"):
        run_comparison(make(data, strategies=broken), tmp_path / "out")


def test_a_benchmark_without_passages_is_refused(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rac.benchmarks import BenchmarkData

    monkeypatch.setattr("rac.benchmarks.load", lambda *_, **__: BenchmarkData([], []))
    with pytest.raises(UserError, match="brings no passages"):
        run_comparison(make(data, datasets={"c": {"benchmark": "clariq"}}), tmp_path / "out")


def test_shipped_comparisons_are_valid() -> None:
    assert {"benchmarks", "lexical"} <= set(shipped_comparisons())
    for name in shipped_comparisons():
        assert load_comparison(name).baseline == "bm25"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "must be a mapping"),
        ("a: [", "not valid YAML"),
        ("datasets: {a: {benchmark: claqua}}\nstrategies: {b: {}}", "baseline 'bm25' is no strategy"),
        ("datasets: {a: {benchmark: claqua}}\nstrategies: {bm25: {fieldz: text}}", "did you mean 'fields'"),
        ("datasets: {a: {benchmark: claqua, splt: x}}\nstrategies: {bm25: {}}", "did you mean 'split'"),
        ("datasets: {a: {}}\nstrategies: {bm25: {}}", "give either `benchmark`"),
        ("datasets: {a: {examples: e.jsonl}}\nstrategies: {bm25: {}}", "needs a `corpus`"),
        ("datasets: {../a: {benchmark: claqua}}\nstrategies: {bm25: {}}", "cannot name a dataset"),
        ("datasets: {a: {benchmark: claqua}}\nstrategies: {bm25: {}}\ndepht: 3", "did you mean 'depth'"),
    ],
)
def test_bad_comparisons_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_comparison(str(write(tmp_path / "c.yaml", text)))


def test_a_comparison_may_extend_another(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "depth: 30\ndatasets: {a: {benchmark: claqua}}\nstrategies: {bm25: {}, x: {k1: 1}}")
    more = write(tmp_path / "more.yaml", "extends: base.yaml\nname: more\nstrategies: {x: {k1: 2}, y: {b: 0.5}}")
    made = load_comparison(str(more))
    assert (made.name, made.depth, list(made.strategies), list(made.datasets)) == (
        "more",
        30,
        ["bm25", "x", "y"],
        ["a"],
    )
    assert made.settings("x").k1 == 2
    shipped = load_comparison(str(write(tmp_path / "s.yaml", "extends: lexical\nstrategies: {y: {b: 0.5}}")))
    assert [*load_comparison("lexical").strategies, "y"] == list(shipped.strategies)


@pytest.mark.parametrize(
    ("parent", "message"), [("[1]", "names no other"), ("c.yaml", "names no other"), ("nope", "no")]
)
def test_what_cannot_be_extended_is_refused(parent: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_comparison(str(write(tmp_path / "c.yaml", f"extends: {parent}\nstrategies: {{}}")))


@pytest.mark.extra
def test_a_text_that_several_turns_ask_is_searched_once(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [json.loads(line) for line in Path(data["examples"]).read_text(encoding="utf-8").splitlines()]
    again = write(
        tmp_path / "again.jsonl", "".join(json.dumps({**r, "id": f"{r['id']}{n}"}) + "\n" for r in rows for n in "ab")
    )
    asked: list[list[str]] = []
    real = comparison_module._step
    monkeypatch.setattr(
        comparison_module, "_step", lambda spec, *rest: asked.append(spec.get("queries", [])) or real(spec, *rest)
    )
    made = make({**data, "examples": str(again)}, strategies={"bm25": {}})
    cell = run_comparison(made, tmp_path / "out").cell("own", "bm25")
    assert len(asked[-1]) == 6 and len(cell.values["Recall@5"]) == 12


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'benchmarks'"):
        load_comparison("benchmark")
