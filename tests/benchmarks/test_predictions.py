from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, words, write
from rac.benchmarks.clariq import read_question_bank
from rac.benchmarks.predictions import (
    NO_QUESTION_REASON,
    is_clariq_run,
    load_bank,
    read_clariq_run,
    read_predictions,
    write_clariq_run,
)
from rac.errors import DataError, UserError
from rac.records import Prediction

BANK = {"Q00001": "", "Q00002": "are you looking for dogs", "Q00003": "which year"}


def test_a_run_of_bank_ids(tmp_path: Path) -> None:
    run = (
        "170 0 Q00003 2 6.4 bm25\n170 0 Q00002 1 6.5 bm25\n170 0 Q00001 3 1 bm25\n"
        "171\t0\tQ00001\t1\t4.3\tbm25\n171 0 Q00002 2 4 bm25\n"
    )
    predictions, counts = read_predictions(write(tmp_path / "run", run), BANK)
    assert predictions == [
        Prediction(id="clariq-170", question="are you looking for dogs", system="bm25", candidates=("which year",)),
        Prediction(
            id="clariq-171", question="", system="bm25", candidates=("are you looking for dogs",),
            reason=NO_QUESTION_REASON,
        ),
    ]  # fmt: skip
    assert counts == {
        "lines": 5, "topics": 2, "empty questions below the first place (left out)": 1,
        "topics where nothing is asked": 1,
    }  # fmt: skip


def test_a_run_of_quoted_texts(tmp_path: Path) -> None:
    run = '784 0 "are you looking for reviews" 0 13 best\n785 0 "" 0 13 best\n841 0 "a ""q"" here" 0 15 best\r\n'
    path = write(tmp_path / "run", run)
    assert is_clariq_run(path)
    predictions, _ = read_clariq_run(path)
    assert [p.question for p in predictions] == ["are you looking for reviews", "", 'a "q" here']


def test_scores_decide_and_ranks_break_ties(tmp_path: Path) -> None:
    run = '1 0 "b" 2 1.0 r\n1 0 "a" 1 1.0 r\n1 0 "c" 3 9 r\n1 0 "d" 4 0 r\n'
    (prediction,), counts = read_clariq_run(write(tmp_path / "run", run), candidates=2)
    assert (prediction.question, prediction.candidates) == ("c", ("a", "b"))
    assert counts["questions beyond the candidates kept (left out)"] == 1


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("1 0 Q00002 1 5\n", "begins with .*neither a JSON object"),
        ("1 0 Q00002 x 5 r\n", "line 1: is not 'TOPIC 0 QUESTION RANK SCORE RUN'"),
        ("1 0 Q00002 1 5 r\n1 0 two words 2 4 r\n", "line 2: is not"),
        ("1 0 Q00002 1 nan r\n", "has the score nan, which cannot be ranked"),
        ("1 0 Q00002 1 5 r\n1 0 Q00003 2 4 s\n", "line 2: is of run 's' where the file began with 'r'"),
        ("1 0 Q00002 1 5 r\n1 0 Q00002 2 4 r\n", "line 2: ranks the same question twice for topic 1"),
        ("1 0 Q99999 1 5 r\n", "line 1: question 'Q99999' is not in the bank"),
        ("", "no predictions"),
    ],
)
def test_broken_runs_are_refused(run: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_predictions(write(tmp_path / "run", run), BANK)


def test_ids_need_a_bank(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fetch clariq first"):
        read_clariq_run(write(tmp_path / "run", "1 0 Q00002 1 5 r\n"))


def test_json_lines_are_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", '\n{"id": "q1", "question": "A?"}\n')
    assert read_predictions(path) == ([Prediction(id="q1", question="A?")], {"predictions": 1})
    with pytest.raises(DataError, match="line 1"):
        read_predictions(write(tmp_path / "p.jsonl", '{"id": "q1"}\n'))


asked = words.filter(lambda w: not w.startswith("Q"))


@given(
    st.dictionaries(st.integers(1, 99), st.lists(asked, min_size=1, max_size=4, unique=True), min_size=1, max_size=4)
)
@SOME
def test_runs_round_trip(tmp_path_factory: pytest.TempPathFactory, topics: dict[int, list[str]]) -> None:
    found = [
        Prediction(id=f"clariq-{t}", question=qs[0], system="my_run", candidates=tuple(qs[1:]))
        for t, qs in topics.items()
    ]
    path = tmp_path_factory.mktemp("r") / "run"
    assert write_clariq_run(path, found) == sum(map(len, topics.values()))
    assert read_clariq_run(path)[0] == found


def test_an_empty_prediction_is_written_as_no_question(tmp_path: Path) -> None:
    silent = Prediction(id="clariq-7", question="", system="a b", reason=NO_QUESTION_REASON)
    write_clariq_run(tmp_path / "run", [silent])
    assert (tmp_path / "run").read_text() == '7 0 "" 1 0 a_b\n'
    assert read_clariq_run(tmp_path / "run")[0][0].question == ""
    with pytest.raises(UserError, match="'x-7' is not of a ClariQ topic"):
        write_clariq_run(tmp_path / "run", [Prediction(id="x-7", question="a")])


def test_the_real_bank(mirror: Path, tmp_path: Path) -> None:
    bank = load_bank(tmp_path, mirror)
    assert bank == read_question_bank(mirror)
    path = write(tmp_path / "run", "170 0 Q00002 1 6.5 bm25\n")
    assert read_predictions(path, bank)[0][0].question == bank["Q00002"]
