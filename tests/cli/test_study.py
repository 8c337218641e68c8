"""``rac report``, ``pack``, ``pool``, ``crossfit``, ``transfer``, ``ship`` and ``annotate errors`` as commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from run_support import finished_run

Command = Callable[..., Any]


def score(d: str, system: str, number: int) -> dict[str, float | None]:
    level = {"grounded": 0.6, "rac": 0.9}[system]
    return {"headline": level, "info": level, "hallucinated": float(number % 2), "rouge_l": 0.5}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return finished_run(tmp_path / "run", ["grounded", "rac"], score, queries=8, source="white-sharc").path


def test_a_page_is_made_of_runs_and_of_what_was_kept_of_them(rac: Command, run: Path, tmp_path: Path) -> None:
    packed = rac("pack", run, "-o", tmp_path / "results/sharc")
    assert packed.status == 0 and "MB in" in packed.out
    assert rac("pack", run, "-o", tmp_path / "results/sharc").status == 0
    printed = rac("report", tmp_path / "results/sharc")
    assert printed.status == 0 and printed.out.startswith("# Results\n\nOn study (white-sharc), 3 of 3 bars are met")
    written = rac("report", run, "-o", tmp_path / "page.md")
    assert written.status == 0 and (tmp_path / "page.md").read_text() == printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "NOWHERE"], "neither a run directory nor a run in compact form"),
        (["pack", "NOWHERE", "-o", "OUT"], "neither a run directory nor a run in compact form"),
        (["pack", "RUN", "-o", "RUN"], "is no run in compact form, so it is not replaced"),
        (["pool", "RUN", "-o", "OUT"], "1 run was given, and pooling needs two"),
        (["pool", "RUN", "NOWHERE", "-o", "OUT"], "is no run directory"),
        (["crossfit", "nothing.yaml", "-o", "OUT"], "no recipe at 'nothing.yaml'"),
        (["crossfit", "small", "-o", "OUT", "--set", "data.fold=1/3"], "cross-fitting goes through all folds"),
        (["transfer", "RUN", "--to", "claqua", "-o", "OUT"], "has no trained model yet"),
        (["transfer", "NOWHERE", "--to", "claqua", "-o", "OUT"], "is no run directory"),
        (["ship", "RUN", "-o", "OUT"], "has no model 'grounded' yet"),
        (["ask", "embedded:nothing", "mercury"], "no adapter 'nothing' of the embedded model is installed"),
        (["annotate", "errors", "NOWHERE", "-o", "OUT"], "prediction files name no queries"),
        (["annotate", "errors", "RUN", "-o", "OUT", "--system", "rca"], "no system is called 'rca'"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    rac: Command, run: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    places = {"RUN": run, "NOWHERE": tmp_path / "nowhere", "OUT": tmp_path / "out"}
    result = rac(*(places.get(a, a) for a in arguments))
    assert result.status == 2, result.err
    assert message in result.err and "Traceback" not in result.err
    assert not (tmp_path / "nowhere").exists()


def test_an_error_study_goes_out_and_comes_back(rac: Command, run: Path, tmp_path: Path) -> None:
    out = rac("annotate", "errors", run, "-o", tmp_path / "errors", "--items", 6, "--system", "rac")
    assert out.status == 0 and "    6  rac" in out.out
    sheet = tmp_path / "errors/sheet.csv"
    sheet.write_text(sheet.read_text().replace(",,,,,,\n", ",1,0,0,0,0,\n"))
    page = rac(
        "annotate", "error-report", tmp_path / "errors", sheet, "--scores", run, "--labelled-by", "a test", "-o",
        tmp_path / "page.md",
    )  # fmt: skip
    assert page.status == 0, page.err
    assert "| rac | 6 | 100.0 %" in (tmp_path / "page.md").read_text()
