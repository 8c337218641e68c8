"""MIMICS and MIMICS-Duo: clarification panes with human labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, tsv, words, write
from rac.benchmarks import mimics, mimics_duo
from rac.errors import DataError

PANE = ["query", "question", "option_1", "option_2", "option_3", "option_4", "option_5"]
MANUAL = [*PANE, "question_label", "options_overall_label", *(f"option_label_{i}" for i in range(1, 6))]
CLICK = [*PANE, "impression_level", "engagement_level", *(f"option_cctr_{i}" for i in range(1, 6))]
DATA = Path("microsoft/MIMICS/data")
DUO = Path("Leila-Ta/MIMICS-Duo/Data")


def pane(query: str, question: str, *options: str) -> list[str]:
    return [query, question, *options, *[""] * (5 - len(options))]


def test_mimics_labels_options_and_quotes(tmp_path: Path) -> None:
    rows = [
        [*pane("gml", 'Which ""gml"" do you mean?', "game maker", "geography markup"), "2", "1", "2", "0", "", "", ""],
        [*pane("GML", "Select one", "a", "b", "c"), "", "0", "2", "", "1", "", ""],
        [*pane("GML", "Select one", "a", "b", "c"), "", "0", "2", "", "1", "", ""],
    ]
    write(tmp_path / DATA / "MIMICS-Manual.tsv", tsv(MANUAL, rows, end="\r\n"))
    data = mimics.BENCHMARK.read(tmp_path)
    first, second = data.examples
    assert first.questions == ('Which "gml" do you mean?',) and first.facets == ("game maker", "geography markup")
    assert first.labels == {"question": 2, "options_overall": 1, "options": [2, 0]}
    assert second.labels == {"question": None, "options_overall": 0, "options": [2, None, 1]}
    assert first.cluster == second.cluster == "mimics gml"
    assert first.split == second.split
    assert data.counts["panes with doubled quotes (undone)"] == 1
    assert data.counts["panes that repeat an earlier one exactly (left out)"] == 1
    assert data.counts["panes without a label of the question (kept)"] == 1


def test_mimics_click_files_are_read_when_brought(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MIMICS-Click\.tsv: no such file; the split 'click' of mimics is not fetched"):
        mimics.BENCHMARK.read(tmp_path, "click")
    row = [*pane("q", "Which?", "a", "b"), "high", "7", "0.5", "0.25", "", "", ""]
    write(tmp_path / DATA / "MIMICS-Click.tsv", tsv(CLICK, [row]))
    (example,) = mimics.BENCHMARK.read(tmp_path, "click").examples
    assert example.split == "click"
    assert example.labels == {"impression": "high", "engagement": 7, "click_rates": [0.5, 0.25]}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            [*pane("q", "w", "a", "b"), "3", "1", *[""] * 5],
            "field 'question_label': 3 is not between 0 and 2; are columns",
        ),
        ([*pane("q", "w", "a", "b"), "x", "1", *[""] * 5], "field 'question_label': 'x' is not a number"),
        (["q", "w", "", "b", "", "", "", "", "1", *[""] * 5], "option behind an empty one, so columns are shifted"),
        ([*pane("", "w", "a"), *[""] * 7], "without query or question"),
    ],
)
def test_shifted_panes_are_refused(row: list[str], message: str, tmp_path: Path) -> None:
    write(tmp_path / DATA / "MIMICS-Manual.tsv", tsv(MANUAL, [row]))
    with pytest.raises(DataError, match=message):
        mimics.BENCHMARK.read(tmp_path)


QUALITY = [*PANE, *(f"Quality_Option{i}" for i in range(1, 6)), "OverallClarificationPaneQuality", *[""] * 8]


def put_duo(folder: Path, ratings: list[list[str]], qualities: list[list[str]]) -> Path:
    write(folder / DUO / "Task1-OfflineRating.tsv", tsv([*PANE, "offline rating"], ratings))
    write(folder / DUO / "Task2-QualityLabelling.tsv", tsv(QUALITY, qualities))
    return folder


def test_duo_joins_both_files_by_pane(tmp_path: Path) -> None:
    one, two, three = pane("q", "Select", "a", "b"), pane("q", "Select", "b", "a"), pane("r", "Select", "a", "b", "c")
    data = mimics_duo.BENCHMARK.read(
        put_duo(
            tmp_path,
            [[*one, "3"], [*two, "5"]],
            [[*three, "1", "2", "3", "", "", "4", *[""] * 8], [*one, "5", "4", "", "", "", "2", *[""] * 8]],
        )
    )
    assert [e.labels for e in data.examples] == [
        {"offline_rating": 3, "options": [5, 4], "quality": 2},
        {"offline_rating": 5},
        {"options": [1, 2, 3], "quality": 4},
    ]
    assert len({e.id for e in data.examples}) == 3
    assert data.counts["panes"] == 3
    assert data.counts["panes without a quality label (kept)"] == 1
    assert data.counts["panes without an offline rating (kept)"] == 1
    assert data.counts["rows with empty cells beyond the header (cells dropped)"] == 2


def test_duo_refuses_two_ratings_of_one_pane(tmp_path: Path) -> None:
    one = pane("q", "Select", "a", "b")
    with pytest.raises(DataError, match="line 3: labels the pane of line 2 once more, differently"):
        mimics_duo.BENCHMARK.read(put_duo(tmp_path, [[*one, "3"], [*one, "4"]], []))
    with pytest.raises(DataError, match="6 is not between 1 and 5"):
        mimics_duo.BENCHMARK.read(put_duo(tmp_path, [[*one, "6"]], []))


labels = st.sampled_from(["", "0", "1", "2"])
undoubled = words.filter(lambda w: '""' not in w)


@given(
    st.lists(
        st.tuples(words, words, st.lists(undoubled, min_size=2, max_size=5, unique=True), labels),
        min_size=1, max_size=5, unique_by=lambda r: (r[0], r[1]),
    )
)  # fmt: skip
@SOME
def test_panes_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, list[str], str]]
) -> None:
    folder = tmp_path_factory.mktemp("m")
    table = [[*pane(q, w, *options), label, "1", *[""] * 5] for q, w, options, label in rows]
    write(folder / DATA / "MIMICS-Manual.tsv", tsv(MANUAL, table))
    found = mimics.BENCHMARK.read(folder).examples
    assert [
        (e.query, e.questions[0], list(e.facets), "" if e.labels["question"] is None else str(e.labels["question"]))
        for e in found
    ] == [(q.replace('""', '"'), w.replace('""', '"'), options, label) for q, w, options, label in rows]


def test_the_real_files(mirror: Path) -> None:
    data = mimics.BENCHMARK.read(mirror)
    assert len(data.examples) == 2832 and len({e.cluster for e in data.examples}) == 2464
    assert data.counts["panes with doubled quotes (undone)"] == 76
    assert any(e.questions == ('Which "gml" do you mean?',) for e in data.examples)
    assert not any('""' in q for e in data.examples for q in e.questions)
    assert sum(e.labels["question"] == 2 for e in data.examples) == 312
    duo = mimics_duo.BENCHMARK.read(mirror)
    assert len(duo.examples) == 1034 and len({e.cluster for e in duo.examples}) == 306
    assert all({"offline_rating", "quality", "options"} <= e.labels.keys() for e in duo.examples)
    assert sum(e.labels["offline_rating"] == 5 for e in duo.examples) == 259
