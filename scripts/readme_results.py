"""Write the README's table of results from a packed run: ``python scripts/readme_results.py results/claqua``."""

from __future__ import annotations

import sys
from pathlib import Path

from rac.report.data import MetricInfo, Table
from rac.report.markdown import metrics_table
from rac.report.stored import load

README = Path(__file__).resolve().parents[1] / "README.md"
SHOWN = ("headline", "good", "hallucinated", "same_option", "rouge_l")
SYSTEMS = ("base", "template", "ungrounded", "grounded", "rac-paper", "rac", "gold")


def table_of(folder: Path) -> str:
    """Return the first table of a run, the systems and metrics that a reader looks for first, as Markdown."""
    run = load(folder)
    entry = run.metrics["tables"][0]
    systems = {name: entry["systems"][name] for name in SYSTEMS if name in entry["systems"]}
    rows = [row for row in entry["comparisons"] if row["a"] in systems and row["b"] in systems]
    table = Table(entry["name"], systems, rows, entry.get("note", ""))
    infos = [MetricInfo(**info) for info in run.metrics["metrics"] if info["name"] in SHOWN]
    return f"{table.name}, {table.note}\n\n{metrics_table(table, infos)}\n"


def written(text: str, name: str, block: str) -> str:
    """Return a README with a block between the markers of that name."""
    begin, end = f"<!-- {name}: begin", f"<!-- {name}: end -->"
    head, rest = text.split(begin, 1)
    marker, tail = rest.split("\n", 1)[0], rest.split(end, 1)[1]
    return f"{head}{begin}{marker}\n{block}{end}{tail}"


if __name__ == "__main__":
    made = written(README.read_text(encoding="utf-8"), "results", table_of(Path(sys.argv[1])))
    README.write_text(made, encoding="utf-8")
