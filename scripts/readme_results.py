"""Write the tables of README.md and docs/bootstrap.md from packed runs: ``python scripts/readme_results.py``."""

from __future__ import annotations

from pathlib import Path

from rac.report.data import MetricInfo, Table
from rac.report.markdown import metrics_table
from rac.report.stored import load

ROOT = Path(__file__).resolve().parents[1]
README, BOOTSTRAP, RESULTS = ROOT / "README.md", ROOT / "docs/bootstrap.md", ROOT / "results"
SHOWN = ("headline", "good", "hallucinated", "same_option", "rouge_l")
SYSTEMS = ("base", "template", "ungrounded", "grounded", "rac-paper", "rac", "rac-best-of-n", "shipped", "gold")
TABLES = (
    (README, "results", "claqua"),
    (BOOTSTRAP, "to-claqua", "bootstrapped-to-claqua"),
    (BOOTSTRAP, "to-white-sharc", "bootstrapped-to-white-sharc"),
    (BOOTSTRAP, "white-sharc", "white-sharc"),
)
"""Page, name of the markers, folder in ``results/``."""


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
    """Return a page with a block between the markers of that name."""
    begin, end = f"<!-- {name}: begin", f"<!-- {name}: end -->"
    head, rest = text.split(begin, 1)
    marker, tail = rest.split("\n", 1)[0], rest.split(end, 1)[1]
    return f"{head}{begin}{marker}\n{block}{end}{tail}"


if __name__ == "__main__":
    for page, name, folder in TABLES:
        text = written(page.read_text(encoding="utf-8"), name, table_of(RESULTS / folder))
        page.write_text(text, encoding="utf-8")
