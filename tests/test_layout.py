"""The package's layers: a module imports only from layers above it, and selection never sees the report scorer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "rac"

REPORT_SCORER = {
    "rac.metrics.support",
    "rac.metrics.suite",
    "rac.metrics.scores",
    "rac.metrics.info",
    "rac.metrics.fitting",
}
SELECTING = ("training", "generation", "corpus", "retrieval", "asking.py", "predicting.py", "server", "integrations")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.startswith("rac.")}


def files_of(part: str) -> list[Path]:
    path = SOURCE / part
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("part", SELECTING)
def test_what_selects_never_imports_what_reports(part: str) -> None:
    for path in files_of(part):
        assert not imports(path) & REPORT_SCORER, f"{path.name} imports the report scorer"


def test_the_selection_scorer_has_no_fitted_parameters_of_the_report_scorer() -> None:
    for name in ("selection.py", "lexical.py", "claims.py", "text.py"):
        assert not imports(SOURCE / "metrics" / name) & REPORT_SCORER


LAYERS: list[tuple[str, ...]] = [
    ("errors", "records"),
    ("files", "progress", "settings"),
    ("benchmarks", "corpus", "retrieval", "prompting", "models"),
    ("training", "generation", "metrics", "config"),
    ("asking", "predicting"),
    ("report", "server", "integrations"),
    ("pipeline", "annotate", "annotation_sources", "judging", "error_study", "pairwise_study"),
    ("cli",),
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
LATE = {
    # Opening a run directory is how a run is asked; the import happens when one is opened.
    ("asking", "pipeline"),
    # Printing an answer needs its type.
    ("report", "asking"),
}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_import_from_layers_above_only(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own not in RANK:
        return
    for name in sorted(imports(path)):
        other = name.split(".")[1]
        if other in RANK and other != own and (own, other) not in LATE:
            assert RANK[other] <= RANK[own], f"{path.name} imports {name}, which lies below it"
