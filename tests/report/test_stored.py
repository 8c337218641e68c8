"""The compact form of a run, read back; the pages that are made of it are tested in ``test_results.py``."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rac.errors import DataError
from rac.files import iterate_json_lines
from rac.report.stored import load, pack
from run_support import finished_run

ODD = "The ship\u2028Luna,\u2029the film\x85Luna,\x0b or\x1cneither?"
"""What ``str.splitlines`` takes for ends of lines; JSON leaves the first three as they are."""


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    run = finished_run(tmp_path / "run", ["rac", "base"], lambda d, system, i: {"headline": 0.5}, queries=2)
    scores = run / "scores/retrieved/rac.jsonl"
    rows = [{**row, "question": ODD} for _, row in iterate_json_lines(scores)]
    scores.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pack(run.path, tmp_path / "packed")
    return tmp_path / "packed"


def test_a_question_may_hold_any_line_separator(packed: Path) -> None:
    assert [one.questions["rac"] for one in load(packed).asked["retrieved"]] == [ODD, ODD]


def test_a_damaged_line_is_named(packed: Path) -> None:
    file = packed / "questions-gold.jsonl.gz"
    first, _ = gzip.decompress(file.read_bytes()).splitlines()
    file.write_bytes(gzip.compress(first + b'\n{"id": "q1", \n'))
    with pytest.raises(DataError, match=r"questions-gold\.jsonl\.gz, line 2: is not valid JSON .*; pack the run again"):
        load(packed)
    (packed / "scores-retrieved.json.gz").write_bytes(gzip.compress(b"{"))
    with pytest.raises(DataError, match=r"scores-retrieved\.json\.gz: is not valid JSON"):
        load(packed)
