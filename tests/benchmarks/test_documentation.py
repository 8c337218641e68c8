"""docs/benchmarks.md names every benchmark, and its table of figures is what the readers give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rac.benchmarks import READERS
from rac.benchmarks.describe import describe_split
from rac.benchmarks.leakage import Overlap, overlap

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def _mean(values: dict[str, Any]) -> str:
    return f"{values['mean']:.1f}" if values["n"] else ""


def figures_row(name: str, split: str, part: dict[str, Any]) -> str:
    grounding = part["grounding"]
    scored = grounding["scored"] > 0
    cells = [
        f"`{name}`, {split}",
        _mean(part["query_tokens"]),
        _mean(part["question_tokens"]),
        _mean(part["passage_tokens"]),
        f"{grounding['mean']:.0%}" if scored else "",
        f"{grounding['full']:.0%}" if scored else "",
        f"{grounding['unscored']:,} of {grounding['unscored'] + grounding['scored']:,}",
    ]
    return "| " + " | ".join(cells) + " |"


def figures(mirror: Path) -> list[str]:
    rows = []
    for name, benchmark in READERS.items():
        if benchmark.info.files:
            examples = benchmark.read(mirror).examples
            for split in benchmark.info.splits:
                rows.append(figures_row(name, split, describe_split([e for e in examples if e.split == split])))
    return rows


def test_the_table_is_what_describe_says(mirror: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = figures(mirror)
    assert len(rows) == 20
    for row in rows:
        assert row in text


def test_what_it_says_about_leaks_is_what_the_readers_give(mirror: Path) -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())

    def between(name: str, left: str, right: str) -> Overlap:
        examples = READERS[name].read(mirror).examples
        return overlap(*([e for e in examples if e.split == split] for split in (left, right)))

    claqua = between("claqua", "train", "validation")
    assert claqua.queries == 0
    names = f"{claqua.groups} of {claqua.of_groups} names and {claqua.passages} of {claqua.of_passages} gold passages"
    assert f"{names} of validation occur in train, and {claqua.near_queries} queries nearly do" in text
    sharc = between("white-sharc", "train", "dev")
    assert f"{sharc.groups} of dev's {sharc.of_groups} rules and {sharc.queries} of its {sharc.of_queries}" in text
    pacific = between("pacific", "train", "evaluation")
    assert f"{pacific.questions} of {pacific.of_questions} different gold questions of evaluation" in text
    ambignq = between("ambignq", "train", "dev")
    assert ambignq.queries == 0 and f"{ambignq.near_queries} dev queries are nearly equal" in text
    clariq, qulac, mimics, duo = (READERS[n].read(mirror).examples for n in ("clariq", "qulac", "mimics", "mimics-duo"))
    inside = overlap(clariq, qulac)
    assert f"{inside.questions:,} of Qulac's {inside.of_questions:,} different non-empty questions" in text
    assert f"all {inside.groups} topics" in text and inside.groups == inside.of_groups
    assert f"MIMICS and MIMICS-Duo share {overlap(mimics, duo).queries} queries" in text


def test_every_benchmark_and_every_file_brought_by_hand_is_named() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, benchmark in READERS.items():
        assert f"| `{name}` |" in text
        for _, path in benchmark.info.by_hand:
            assert Path(path).name in text
            assert str(Path(path).parent) in text
