"""Reading the scores of runs; the command is tested in ``tests/cli/test_compare.py``."""

from __future__ import annotations

import shutil
from pathlib import Path

from rac.report.compare import load_systems
from run_support import finished_run


def test_a_system_that_the_run_no_longer_asks_is_not_compared(tmp_path: Path) -> None:
    run = finished_run(
        tmp_path / "run", ["rac", "base"], lambda d, system, i: {"headline": 0.5, "hallucinated": 0.0}, queries=6
    )
    for name in ("rac.jsonl", "rac.jsonl.header.json"):
        shutil.copy(run / "scores/retrieved" / name, run / "scores/retrieved" / name.replace("rac", "dropped"))
    found = load_systems([run.path])
    assert [system.name for system in found] == ["rac", "base"]
    assert {system.signature for system in found} == {"v1|claims:rules-1|D:retrieved"}
    assert [s.signature for s in load_systems([run.path], passages="gold", systems=["base"])] == [
        "v1|claims:rules-1|D:gold"
    ]
