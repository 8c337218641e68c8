"""docs/benchmarks.md names every benchmark, and its table of figures is what the readers give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rac.benchmarks import READERS
from rac.benchmarks.describe import describe_split

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


def test_every_benchmark_and_every_file_brought_by_hand_is_named() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, benchmark in READERS.items():
        assert f"| `{name}` |" in text
        for _, path in benchmark.info.by_hand:
            assert Path(path).name in text
            assert str(Path(path).parent) in text
