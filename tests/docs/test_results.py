"""The tables of README.md and docs/results.md come out of ``results/``, and of nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rac.error_study import read_errors, render_errors
from rac.files import read_json
from rac.pairwise_study import read_pairs, render_pairs
from rac.pipeline.screening_settings import load_screening
from rac.report.bars import bars_of
from rac.report.results import render_results
from rac.report.screening import render_screening
from rac.report.stored import load

ROOT = Path(__file__).resolve().parents[2]
READER = "an instance of a language model that saw neither systems nor scores"
PAIR_READER = f"{READER}, and long passages only to about 600 characters"
sys.path.insert(0, str(ROOT / "scripts"))

from readme_results import RESULTS, TABLES, table_of, written  # noqa: E402


def test_the_results_page_is_that_of_the_packed_runs() -> None:
    runs = sorted(path for path in RESULTS.iterdir() if path.is_dir())
    assert runs
    assert (ROOT / "docs/results.md").read_text(encoding="utf-8") == render_results(runs)


def test_the_error_study_is_that_of_the_labels_and_the_packed_run() -> None:
    docs = ROOT / "docs"
    page = render_errors(
        read_errors(docs / "error-study-key.json", docs / "error-study-labels.csv"),
        load(RESULTS / "claqua"),
        "retrieved",
        labelled_by=READER,
        notes=(docs / "error-study-notes.md").read_text(encoding="utf-8"),
    )
    assert (docs / "error-study.md").read_text(encoding="utf-8") == page


SCREENINGS = {"screening": "claqua", "screening-seeds": "claqua-seeds"}


@pytest.mark.parametrize("name", SCREENINGS)
def test_the_screening_page_is_that_of_the_packed_screening(name: str) -> None:
    page = render_screening(read_json(RESULTS / f"{name}.json"))
    assert (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("name", SCREENINGS)
def test_every_question_of_the_shipped_screening_has_a_finding(name: str) -> None:
    screening = load_screening(SCREENINGS[name])
    packed = read_json(RESULTS / f"{name}.json")
    assert set(screening.questions) == set(screening.findings)
    assert {entry["question"]: entry["finding"] for entry in packed["questions"]} == screening.findings


@pytest.mark.parametrize("other", ["template", "template-titles"])
def test_the_pairwise_pages_are_those_of_the_answers_and_the_packed_run(other: str) -> None:
    start = ROOT / f"docs/pairwise-{other}"
    systems, items = read_pairs(f"{start}-key.json", f"{start}-answers.csv")
    page = render_pairs(systems, items, load(RESULTS / "claqua"), "retrieved", read_by=PAIR_READER)
    assert start.with_name(start.name + ".md").read_text(encoding="utf-8") == page


def test_what_the_study_page_says_of_the_rounds_is_in_the_stage_records() -> None:
    def validated(stage: str, metric: str) -> tuple[int, int]:
        training = load(RESULTS / "claqua").stages[stage]["counts"]["training"]
        history = training["validation"]
        return round(100 * history["0"][metric]), round(100 * history[str(training["selected_step"])][metric])

    rounds = ("rac", "rac-2", "rac-3", "rac-4")
    first, second, third, fourth = (validated(stage, "faulty") for stage in rounds)
    said = (
        f"went from {first[0]} to {first[1]} % in the first round and to {second[1]} % in the second; "
        f"two rounds on other queries brought {third[1]} and {fourth[1]} %, and questions with an unsupported "
        f"option went from {validated('rac-3', 'unsupported')[0]} to {validated('rac-4', 'unsupported')[1]} %"
    )
    study = " ".join((ROOT / "docs/study.md").read_text(encoding="utf-8").split())
    assert said in study
    counts = load(RESULTS / "claqua").stages["pairs-5"]["counts"]
    made = counts["made"]
    faulty, unsupported = (validated("rac-5", metric) for metric in ("faulty", "unsupported"))
    for said in (
        f"({counts['queries whose greedy question has a fault']} of {counts['queries read']:,})",
        f"worded most like it ({made['C+ best-of-n']})",
        f"with its type ({made['C+ repaired']}). On these {made['pairs']} pairs faulty validation questions fell from "
        f"{faulty[0]} to {faulty[1]} %, those with an unsupported option from {unsupported[0]} to {unsupported[1]} %",
    ):
        assert said in study, said


def test_what_the_pages_say_of_the_systems_is_in_the_table() -> None:
    run = load(RESULTS / "claqua")
    systems = run.metrics["tables"][0]["systems"]

    def headline(system: str) -> str:
        return f"{systems[system]['headline']['mean']:.3f}"

    def both(system: str) -> str:
        return f"{headline(system)}, {100 * systems[system]['hallucinated']['mean']:.1f} %"

    def denying(system: str) -> int:
        return sum(bool(re.search(r"\bnon[ -]", one.questions[system].lower())) for one in run.asked["retrieved"])

    study = " ".join((ROOT / "docs/study.md").read_text(encoding="utf-8").split())
    tables = {table["name"]: table["systems"] for table in run.metrics["tables"]}
    gold = tables["D = gold passages"]["rac"]
    for said in (
        f"hallucinated 15.3 → {100 * systems['rac']['hallucinated']['mean']:.1f} % (",
        f"headline 0.826 → {headline('rac')} (",
        f"over gold passages 0.838 → {gold['headline']['mean']:.3f} (",
        f"retrieval gain 0.025 → {systems['rac']['delta_ndcg']['mean']:.3f} (",
        f"best of eight 4.9 → {100 * systems['rac-best-of-n']['hallucinated']['mean']:.1f} % (",
        f"ROUGE-L 0.537 → {systems['rac']['rouge_l']['mean']:.3f} (",
        f"over gold passages 0.549 → {gold['rouge_l']['mean']:.3f}, ",
        f"(`grounded-continued`, headline {headline('grounded-continued')})",
        f"(`rac-paper`, {headline('rac-paper')})",
        f"told apart from `grounded` ({headline('grounded')})",
        f"samples of `rac` ({both('rac-best-of-n')} hallucinated) is above `rac` ({both('rac')})",
        f"best of eight of `grounded` ({both('grounded-best-of-n')})",
        f"told apart from gold ({both('gold')})",
        f"({denying('rac')} questions against {denying('grounded')})",
    ):
        assert said in study, said


def test_what_the_study_page_says_of_the_folds_is_in_the_tables() -> None:
    study = " ".join((ROOT / "docs/study.md").read_text(encoding="utf-8").split())
    pooled = load(RESULTS / "small").metrics["tables"][0]["systems"]
    before, after = ({m: pooled[s][m]["mean"] for m in ("headline", "hallucinated")} for s in ("grounded", "rac"))
    alone = load(RESULTS / "abg-coqa").metrics["tables"][0]["systems"]["grounded"]["headline"]["mean"]
    bar = next(bar for bar in bars_of(load(RESULTS / "small").metrics, "small") if bar.name.startswith("headline"))
    for said in (
        f"with five it goes from {before['headline']:.3f} to {after['headline']:.3f} (",
        bar.found.split("(")[1],
        f"mostly on Abg-CoQA (0.128, then {alone:.3f})",
        f"then {100 * before['hallucinated']:.1f} → {100 * after['hallucinated']:.1f} %)",
    ):
        assert said in study, said


def test_bars_are_not_set_for_the_models_of_another_benchmark() -> None:
    page = render_results([RESULTS / "bootstrapped-to-claqua"])
    assert "## Bars" not in page
    assert "The models are those of quickstart" in page
    assert "## Bars" in render_results([RESULTS / "claqua"])


@pytest.mark.parametrize(("page", "name", "folder"), TABLES)
def test_tables_of_pages_are_those_of_the_packed_runs(page: Path, name: str, folder: str) -> None:
    table = table_of(RESULTS / folder)
    assert "| rac |" in table
    text = page.read_text(encoding="utf-8")
    assert written(text, name, table) == text
