"""AmbigNQ (real files), CAmbigNQ and PaQa (small files in the documented form, written for this test)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, tsv, words, write
from rac.benchmarks import ambignq, cambignq, paqa
from rac.benchmarks.column_settings import ColumnMap
from rac.benchmarks.leakage import overlap
from rac.errors import DataError, UserError

AMBIG = Path("agential-ai/agential/data/ambignq")
CAMBIG = Path("DongryeolLee96/AskCQ")


def annotated(identity: str, question: str, *annotations: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "question": question,
        "annotations": [
            {"type": "multipleQAs", "qaPairs": [{"question": q, "answer": a} for q, a in pairs]}
            if pairs
            else {"type": "singleAnswer", "answer": ["x"]}
            for pairs in annotations
        ],
    }


def put(folder: Path, train: list[Any], dev: Any = ()) -> Path:
    write(folder / AMBIG / "train_light.json", train)
    write(folder / AMBIG / "dev_light.json", list(dev))
    return folder


def test_ambignq_takes_the_first_reading_and_counts_annotators(tmp_path: Path) -> None:
    rows = [
        annotated("1", "Who won?", [("Who won A?", ["x", "y"]), ("Who won B?", ["z"])], [], [("Who won C?", ["c"])]),
        annotated("2", "Plain?", []),
        annotated("2", "Plain?", []),
        annotated("3", "Odd?", [(" ", []), ("Odd one?", [])]),
    ]
    data = ambignq.BENCHMARK.read(put(tmp_path, rows))
    first, second = data.examples
    assert first.facets == ("Who won A?", "Who won B?") and first.answers == ("x / y", "z")
    assert first.meta == {"other_readings": [["Who won C?"]]} and first.labels == {"multiple": 2, "annotators": 3}
    assert first.questions == () and second.facets == ("Odd one?",)
    assert data.counts == {
        "questions": 4,
        "questions that repeat an earlier one exactly (left out)": 1,
        "questions that some annotators found unambiguous (kept)": 1,
        "questions that nobody found ambiguous (left out)": 1,
        "empty disambiguations (left out)": 1,
        "examples": 2,
        "corpus passages": 0,
    }


def test_ambignq_refuses_broken_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="id '1' is used by two different questions"):
        ambignq.BENCHMARK.read(put(tmp_path, [annotated("1", "a", []), annotated("1", "b", [])]))
    with pytest.raises(DataError, match="question '1' is empty"):
        ambignq.BENCHMARK.read(put(tmp_path, [annotated("1", " ", [])]))
    write(tmp_path / AMBIG / "train_light.json", '[{"id": "1", "question": "a"')
    with pytest.raises(DataError, match="not valid JSON"):
        ambignq.BENCHMARK.read(tmp_path)


@given(st.lists(st.tuples(words, st.lists(st.tuples(words, words), min_size=1, max_size=4)), min_size=1, max_size=4))
@SOME
def test_ambignq_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    table = [annotated(str(i), q, [(f, [a]) for f, a in pairs]) for i, (q, pairs) in enumerate(rows)]
    found = ambignq.BENCHMARK.read(put(tmp_path_factory.mktemp("n"), table), "train").examples
    assert [(e.query, list(zip(e.facets, e.answers, strict=True))) for e in found] == rows


def test_ambignq_real_files(mirror: Path) -> None:
    data = ambignq.BENCHMARK.read(mirror)
    assert Counter(e.split for e in data.examples) == {"train": 4749, "dev": 1172}
    assert data.counts["questions"] == 12038
    assert all(e.facets and len(e.facets) == len(e.answers) for e in data.examples)
    assert data.examples[0].answers == ("April 19, 1987", "December 17, 1989")


def row(identity: str, question: str, asked: str, dqs: Any = ("A?", "B?"), **more: Any) -> dict[str, Any]:
    return {
        "id": identity, "question": question, "dqs": list(dqs), "clarification_question": asked,
        "clarification_answers": [["1", "one"], ["2"]], "viewed_doc_titles": ["Page", "Page"], "nq_doc_title": "Title",
        "used_queries": [{"query": "q", "results": [{"title": "t", "snippet": "s"}]}], **more,
    }  # fmt: skip


def test_cambignq_reads_the_documented_form(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no file of cambignq.*cq_train\.json or .*cq_dev\.json"):
        cambignq.BENCHMARK.read(tmp_path)
    rows = [row("1", "Who won?", "Which event: the 1971 race, or the 2010 race?"), row("2", "What?", "", ["C?"])]
    write(tmp_path / CAMBIG / "cq_dev.json", [*rows, rows[0]])
    data = cambignq.BENCHMARK.read(tmp_path)
    first, second = data.examples
    assert first.questions == ("Which event: the 1971 race, or the 2010 race?",)
    assert (first.facets, first.answers, first.split) == (("A?", "B?"), ("1 / one", "2"), "dev")
    assert first.meta == {"options": ["the 1971 race", "the 2010 race"], "titles": ["Title", "Page"]}
    assert second.questions == ()
    assert data.counts["rows without a clarification question (kept)"] == 1
    assert data.counts["rows with another number of answers than of disambiguations (kept)"] == 1
    assert data.counts["questions that repeat an earlier one exactly (left out)"] == 1
    with pytest.raises(DataError, match=r"the split 'train' of cambignq is not fetched: get it from https"):
        cambignq.BENCHMARK.read(tmp_path, "train")
    write(tmp_path / CAMBIG / "cq_train.json", [row("1", "Who won?", "x: a or b?"), row("1", "Who lost?", "x")])
    with pytest.raises(DataError, match="id '1' is used by two"):
        cambignq.BENCHMARK.read(tmp_path)


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Which: a, b, or c?", ["a", "b", "c"]),
        ("Which year: 1999 or 2000?", ["1999", "2000"]),
        ('Which "x": the "y" film; z?', ['the "y" film', "z"]),
        ("Which do you mean?", []),
        (": a or b?", []),
        ("Time 10:30: a, or b?", ["a", "b"]),
    ],
)
def test_options_stand_behind_the_colon(question: str, options: list[str]) -> None:
    assert cambignq.options_of(question) == options


@given(st.lists(st.tuples(words, words, st.lists(words, max_size=3)), min_size=1, max_size=4))
@SOME
def test_cambignq_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, list[str]]]) -> None:
    folder = tmp_path_factory.mktemp("c")
    write(folder / CAMBIG / "cq_train.json", [row(str(i), q, c, dqs) for i, (q, c, dqs) in enumerate(rows)])
    found = cambignq.BENCHMARK.read(folder).examples
    assert [(e.query, e.questions[0], list(e.facets)) for e in found] == rows


MAP = ColumnMap(query="nq", questions=("cq",), facets=("readings",), passages=("docs",))


def test_paqa_needs_a_column_map_and_lists_the_columns(tmp_path: Path) -> None:
    table = tsv(
        ["nq", "cq", "readings", "docs"],
        [["Who won?", "A or B?", "['Who won A?', 'Who won B?']", '["Text 1.", "Text 2."]']],
        ",",
    )
    write(tmp_path / "paqa/dev.csv", table)
    with pytest.raises(DataError, match=r"needs a column map.*columns found: 'nq', 'cq', 'readings', 'docs'"):
        paqa.BENCHMARK.read(tmp_path)
    with pytest.raises(DataError, match=r"no column 'question'; columns found: 'nq', 'cq', 'readings', 'docs'"):
        paqa.BENCHMARK.read(tmp_path, columns=ColumnMap(query="question"))
    data = paqa.BENCHMARK.read(tmp_path, columns=MAP)
    (example,) = data.examples
    assert (example.query, example.questions, example.split) == ("Who won?", ("A or B?",), "dev")
    assert example.facets == ("Who won A?", "Who won B?")
    assert [p.text for p in example.passages] == ["Text 1.", "Text 2."]
    assert data.corpus == list(example.passages)
    with pytest.raises(UserError, match="the format of cambignq is known; leave the map away"):
        cambignq.BENCHMARK.read(tmp_path, columns=MAP)


def test_paqa_refuses_one_id_for_different_passages(tmp_path: Path) -> None:
    def put_split(split: str, *texts: str) -> None:
        rows = [[f"{split} {n}", "?", "", f'[{{"id": "1", "text": "{text}"}}]'] for n, text in enumerate(texts)]
        write(tmp_path / f"paqa/{split}.csv", tsv(["nq", "cq", "readings", "docs"], rows, ","))

    put_split("train", "x")
    put_split("dev", "x", "y")
    with pytest.raises(
        UserError, match=r"dev.csv: example 'paqa-row-2' of split 'dev' and example 'paqa-row-3' .* '1'"
    ):
        paqa.BENCHMARK.read(tmp_path, "dev", columns=MAP)
    put_split("dev", "y")
    assert len(paqa.BENCHMARK.read(tmp_path, "dev", columns=MAP).corpus) == 1
    with pytest.raises(UserError, match=r"paqa: example .* of split 'train' and example .* of split 'dev' .* id '1'"):
        paqa.BENCHMARK.read(tmp_path, columns=MAP)


def test_the_family_shares_queries_as_one_group(tmp_path: Path) -> None:
    put(tmp_path, [annotated("1", "Who won the Cup?", [("A?", ["a"])]), annotated("2", "Other one?", [("B?", ["b"])])])
    write(tmp_path / CAMBIG / "cq_dev.json", [row("1", "who won the cup", "Which: a or b?")])
    write(tmp_path / "paqa/train.csv", tsv(["nq", "cq", "readings", "docs"], [["Who won the Cup", "?", "", ""]], ","))
    ambig = ambignq.BENCHMARK.read(tmp_path).examples
    for other in (cambignq.BENCHMARK.read(tmp_path).examples, paqa.BENCHMARK.read(tmp_path, columns=MAP).examples):
        found = overlap(ambig, other)
        assert (found.queries, found.groups, found.of_queries) == (1, 1, 1)
