from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, tsv, words, write
from rac.benchmarks.clariq import BENCHMARK, COLUMNS, read_question_bank
from rac.errors import DataError

FOLDER = Path("aliannejadi/ClariQ/data")
BANK = [["Q00001", ""], ["Q00002", "are you looking for dogs "], ["Q00003", "which year"]]


def row(topic: str = "7", facet: str = "F1", which: int = 1, **changes: str) -> list[str]:
    values = {
        "topic_id": topic, "initial_request": f"Tell me about {topic}.", "topic_desc": "All \\\"about\\\" it",
        "clarification_need": "3", "facet_id": facet, "facet_desc": f"Find {facet}\\'s \"tree\".",
        "question_id": BANK[which][0], "question": BANK[which][1], "answer": "yes",
    }  # fmt: skip
    return [{**values, **changes}[c] for c in COLUMNS]


def put(folder: Path, train: list[list[str]], dev: Any = None, bank: list[list[str]] | None = None) -> Path:
    write(folder / FOLDER / "question_bank.tsv", tsv(["question_id", "question"], BANK if bank is None else bank))
    write(folder / FOLDER / "train.tsv", tsv(list(COLUMNS), train))
    write(folder / FOLDER / "dev.tsv", tsv(list(COLUMNS), dev or [row("8")]))
    return folder


def test_a_topic_becomes_one_example(tmp_path: Path) -> None:
    rows = [
        row(), row(which=0, answer=""), row(facet="F2", answer="no, cats"), row(facet="F2", which=2, answer=""),
        row(), row(facet="F2", which=2, answer="", question_id="Q00009"),
    ]  # fmt: skip
    data = BENCHMARK.read(put(tmp_path, rows), "train")
    assert len(data.examples) == 1
    example = data.examples[0]
    assert example.query == "Tell me about 7."
    assert example.questions == ("are you looking for dogs", "which year")
    assert example.facets == ('Find F1\'s "tree".', 'Find F2\'s "tree".')
    assert example.answers == ("yes", "no, cats")
    assert example.labels == {"clarification_need": 3}
    assert example.cluster == "trec-web-7"
    assert example.meta["topic_desc"] == 'All "about" it'
    assert example.meta["question_ids"] == ["Q00002", "Q00003", "Q00009"]
    assert example.meta["exchanges"] == [[0, 0, "yes"], [1, 0, "no, cats"], [1, 1, ""], [1, 2, ""]]
    assert data.corpus == []
    assert data.counts == {
        "questions in the bank": 3,
        "rows": 6,
        "rows that repeat an earlier one exactly (left out)": 1,
        "descriptions with escaped quotes (unescaped)": 5,
        "rows with the empty question (no gold question)": 1,
        "rows with an empty answer (question kept)": 2,
        "rows whose question is not that of the bank (kept)": 1,
        "examples": 1,
        "corpus passages": 0,
    }


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=6, unique_by=lambda t: t[1]))
@SOME
def test_rows_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    bank = [["Q00001", ""], *([f"Q{i:05d}", question] for i, (_, question, _) in enumerate(rows, start=2))]
    table = [
        row("1", f"F{i}", 0, initial_request="query", facet_desc=facet, question_id=f"Q{i:05d}", question=q, answer=a)
        for i, (facet, q, a) in enumerate(rows, start=2)
    ]
    example = BENCHMARK.read(put(tmp_path_factory.mktemp("c"), table, bank=bank), "train").examples[0]
    unescaped = [f.replace("\\'", "'").replace('\\"', '"') for f, _, _ in rows]
    assert list(example.facets) == unescaped
    assert list(example.questions) == [q for _, q, _ in rows]
    assert [e[2] for e in example.meta["exchanges"]] == [a for _, _, a in rows]


def test_held_back_test_topics_and_judgements_are_read_when_brought(tmp_path: Path) -> None:
    put(tmp_path, [row(), row(facet="F2")])
    with pytest.raises(DataError, match=r"test\.tsv: no such file; the split 'test' of clariq is not fetched"):
        BENCHMARK.read(tmp_path, "test")
    write(tmp_path / FOLDER / "test.tsv", "topic_id\tinitial_request\n201\traspberry pi\n202\tuss carl vinson\n")
    data = BENCHMARK.read(tmp_path, "test")
    assert [(e.id, e.questions, e.labels) for e in data.examples] == [("clariq-201", (), {}), ("clariq-202", (), {})]
    write(tmp_path / FOLDER / "train.qrel", "F1 0 clueweb09-a 1\nF2 0 clueweb09-a 2\nF2 0 clueweb09-b 0\nF9 0 x 1\n")
    data = BENCHMARK.read(tmp_path, "train")
    assert data.examples[0].qrels == {"clueweb09-a": 2, "clueweb09-b": 0}
    assert data.counts["judged documents"] == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(), row(initial_request="another")], "line 3, field 'initial_request': topic 7 has two different values"),
        ([row(clarification_need="5")], "line 2, field 'clarification_need': '5' is not 1, 2, 3 or 4"),
        ([row(topic_id="")], "line 2: has no topic_id"),
        ([row()[:-1]], "line 2: has 8 cells where the header has 9 columns, so columns are shifted"),
        ([[*row()[:-1], "a\nb"]], "line 2: a quote opened here does not close"),
    ],
)
def test_wrong_rows_are_refused(rows: list[list[str]], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        BENCHMARK.read(put(tmp_path, rows))


def test_a_doubled_bank_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 5.*'Q00002' occurs twice"):
        read_question_bank(put(tmp_path, [row()], bank=[*BANK, ["Q00002", "x"]]))


def test_the_real_files(mirror: Path) -> None:
    data = BENCHMARK.read(mirror)
    assert Counter(e.split for e in data.examples) == {"train": 187, "dev": 50}
    assert data.counts["rows"] == 11489
    assert data.counts["rows with the empty question (no gold question)"] == 762
    assert data.counts["rows that repeat an earlier one exactly (left out)"] == 1
    train = [e for e in data.examples if e.split == "train"]
    assert sum(len(e.questions) for e in train) == 2440
    assert sum(len(e.facets) for e in train) == 638
    assert all(q.strip() for e in data.examples for q in e.questions)
    assert train[0].facets[0] == 'Find the TIME magazine photo essay "Barack Obama\'s Family Tree".'
    bank = read_question_bank(mirror)
    assert len(bank) == 3941 and bank["Q00001"] == ""
    assert len({e.cluster for e in data.examples}) == 237
