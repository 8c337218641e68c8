"""INSCIT, Abg-CoQA, PACIFIC and WHITE-ShARC: turns of conversations with their history."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, words, write
from rac.benchmarks import abg_coqa, inscit, pacific, white_sharc
from rac.benchmarks.history import single_turn, turn
from rac.errors import DataError
from rac.records import ClarificationExample

INSCIT = Path("ellenmellon/INSCIT/data/dev.json")
ABG = Path("MeiqiGuo/AKBC2021-Abg-CoQA/abg-coqa/coqa_abg_val.json")
PACIFIC = Path("dengyang17/PACIFIC/data/pacific/validation.json")
SHARC = Path("ntunlplab/WHITE-ShARC/dataset")


def evidence(name: str, text: str = "") -> dict[str, Any]:
    return {"passage_id": name, "passage_text": text or f"About {name}.", "passage_titles": [name, "Section"]}


def label(kind: str, response: str, *names: str) -> dict[str, Any]:
    return {"responseType": kind, "response": response, "evidence": [evidence(n) for n in names]}


def conversation(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"seedArticle": {"title": "Cheese", "topic": "food", "level": 1}, "turns": list(turns)}


def turn_of(context: list[str], *labels: dict[str, Any], previous: Any = ()) -> dict[str, Any]:
    return {"context": context, "prevEvidence": list(previous), "labels": list(labels)}


def test_inscit_keeps_clarified_turns_with_history_evidence_and_other_answers(tmp_path: Path) -> None:
    write(
        tmp_path / INSCIT,
        {
            "d1": conversation(
                turn_of(["Hi?"], label("directAnswer", "Yes.", "a b")),
                turn_of(
                    ["Hi?", "Yes.", "Which?"],
                    label("clarification", "X or Y?", "a b", "c"),
                    label("directAnswer", "X."),
                    label("clarification", "Y or X?", "c", "d"),
                    previous=[[evidence("e")]],
                ),
            )
        },
    )
    data = inscit.BENCHMARK.read(tmp_path)
    (example,) = data.examples
    assert (example.query, example.questions, example.answers) == ("Which?", ("X or Y?", "Y or X?"), ("X.",))
    assert example.history == (turn("user", "Hi?"), turn("system", "Yes."))
    assert [p.id for p in example.passages] == ["inscit-a_b", "inscit-c", "inscit-d"]
    assert example.passages[0].title == "a b - Section"
    assert example.labels == {"response_types": ["clarification", "directAnswer", "clarification"]}
    assert {p.id for p in data.corpus} == {"inscit-a_b", "inscit-c", "inscit-d", "inscit-e"}
    assert data.counts["turns without a clarification (left out)"] == 1
    assert example.split in ("train", "evaluation") and example.meta["published_split"] == "dev"
    both = [inscit.BENCHMARK.read(tmp_path, s) for s in ("train", "evaluation")]
    assert sorted(len(d.examples) for d in both) == [0, 1]
    assert all(d.corpus == data.corpus for d in both)


def test_inscit_refuses_broken_files(tmp_path: Path) -> None:
    bad = turn_of(["q"], label("clarification", "?", "a"), previous=[[evidence("a", "other text")]])
    write(tmp_path / INSCIT, {"d1": conversation(bad)})
    with pytest.raises(DataError, match="passage 'a' has two different texts"):
        inscit.BENCHMARK.read(tmp_path)
    write(tmp_path / INSCIT, {"d1": conversation(turn_of([" "], label("clarification", "?")))})
    with pytest.raises(DataError, match=r"field 'd1\.turns\.0\.context': has no utterance to clarify"):
        inscit.BENCHMARK.read(tmp_path)
    write(tmp_path / INSCIT, {"d1": {"seedArticle": {"title": "x"}}})
    with pytest.raises(DataError, match=r"field 'd1\.turns': field required"):
        inscit.BENCHMARK.read(tmp_path)
    with pytest.raises(DataError, match="'publisher-train' of inscit is not fetched"):
        inscit.BENCHMARK.read(tmp_path, "publisher-train")
    write(tmp_path / INSCIT.with_name("train.json"), {"d1": conversation(turn_of(["q"], label("clarification", "?")))})
    assert inscit.BENCHMARK.read(tmp_path, "publisher-train").examples[0].split == "train"


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=5))
@SOME
def test_inscit_round_trip(tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[str, str, str]]) -> None:
    folder = tmp_path_factory.mktemp("i")
    write(
        folder / INSCIT,
        {f"d{i}": conversation(turn_of([h, "a", q], label("clarification", c))) for i, (h, q, c) in enumerate(turns)},
    )
    found = inscit.BENCHMARK.read(folder).examples
    assert [(e.history[0]["text"], e.query, *e.questions) for e in found] == turns


def abg_row(identity: str, story: str, question: str, clarification: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "id": identity, "story": story, "source": "race", "history_turns": [],
        "target_turn": {"question": question, "answer": "a", "span_start": 0, "span_end": 3},
        "ambiguity": "ambiguous" if clarification else "non_ambiguous", "clarification_turn": clarification or {},
        **more,
    }  # fmt: skip


def test_abg_coqa_cuts_the_story_and_reads_both_clarifications(tmp_path: Path) -> None:
    story = " ".join(f"Sentence number {i} is here." for i in range(60))
    reply = [
        {"clr_ans": "Yes.", "org_ans": "rope"},
        {"clr_ans": "No, I mean after.", "org_ans": "wood", "org_ans_2": "w"},
    ]
    rows = [
        abg_row("x|1", story, "What?", {"question": "Before?", "answers": reply},
                clarification_turn_2={"question": "After?", "answers": []},
                history_turns=[{"question": "Who?", "answer": "Tom"}]),
        abg_row("x|2", story, "Why?"),
        abg_row("x|2", story, "Why?"),
        abg_row("y|1", "Short.", "When?", {"question": "", "answers": []}),
    ]  # fmt: skip
    write(tmp_path / ABG, {"version": "1.0", "data": rows})
    data = abg_coqa.BENCHMARK.read(tmp_path)
    first, second = data.examples
    assert first.questions == ("Before?", "After?") and first.facets == ("No, I mean after.",)
    assert first.answers == ("rope", "wood") and first.history == (turn("user", "Who?"), turn("system", "Tom"))
    assert len(first.passages) == 3 and all(len(p.text.split()) <= abg_coqa.PASSAGE_WORDS for p in first.passages)
    assert [story[p.start : p.end] for p in first.passages] == [p.text for p in first.passages]
    assert list(first.qrels.values()) == [2, 1, 1]
    assert first.meta["replies"][1] == {"clr_ans": "No, I mean after.", "org_ans": "wood", "org_ans_2": "w"}
    assert second.questions == ()
    assert len(data.corpus) == 4
    assert data.counts["turns that repeat an earlier one exactly (left out)"] == 1
    assert data.counts["turns that are not ambiguous (left out)"] == 1
    assert data.counts["ambiguous turns without a clarifying question (kept)"] == 1


def test_abg_coqa_refuses_broken_files(tmp_path: Path) -> None:
    write(tmp_path / ABG, {"data": [abg_row("a", "S.", "q"), abg_row("a", "S.", "r")]})
    with pytest.raises(DataError, match="id 'a' is used by two different turns"):
        abg_coqa.BENCHMARK.read(tmp_path)
    write(tmp_path / ABG, {"data": [abg_row("a", "S.", " ", {"question": "?"})]})
    with pytest.raises(DataError, match="target turn of 'a' has no question"):
        abg_coqa.BENCHMARK.read(tmp_path)
    write(tmp_path / ABG, {"rows": []})
    with pytest.raises(DataError, match="field 'data': field required"):
        abg_coqa.BENCHMARK.read(tmp_path)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=4))
@SOME
def test_abg_coqa_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    folder = tmp_path_factory.mktemp("a")
    data = [abg_row(f"t{i}", story, q, {"question": c}) for i, (story, q, c) in enumerate(rows)]
    write(folder / ABG, {"data": data})
    found = abg_coqa.BENCHMARK.read(folder).examples
    assert [(" ".join(p.text for p in e.passages), e.query, *e.questions) for e in found] == rows


def ask(uid: str, order: int, question: str, answer: Any, clarify: bool = False, original: str = "") -> dict[str, Any]:
    return {
        "uid": uid, "order": order, "question": question, "answer": answer, "req_clari": clarify,
        "original_question": original or question,
    }  # fmt: skip


def document(uid: str, *questions: dict[str, Any], paragraphs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "table": {"uid": uid, "table": [["", "2019"], ["Sales", "$ 5"], ["", ""]]},
        "paragraphs": [{"uid": f"{uid}-{i}", "order": -i, "text": t} for i, t in enumerate(paragraphs)],
        "questions": list(questions),
    }


def test_pacific_joins_reply_history_and_table(tmp_path: Path) -> None:
    questions = [
        ask("q3", 3, "2019", [5, "x"], original="Sales in 2019?"),
        ask("q1", 1, "What?", ["a", "b"]),
        ask("q2", 2, "Sales?", ["Which year are you asking about?"], clarify=True, original="Sales of it?"),
        ask("q4", 4, "Profit?", ["Which one?"], clarify=True),
    ]
    shared = "This paragraph has more than eight words and occurs twice."
    other = document("u2", ask("q9", 1, "Why?", [], clarify=True), paragraphs=(shared.upper(), "Own."))
    write(tmp_path / PACIFIC, [document("u1", *questions, paragraphs=(shared, "First.", " ")), other])
    data = pacific.BENCHMARK.read(tmp_path)
    first, last, empty = data.examples
    assert (first.query, first.questions) == ("Sales?", ("Which year are you asking about?",))
    assert (first.facets, first.answers) == (("2019",), ("5", "x"))
    assert first.history == (turn("user", "What?"), turn("system", "a, b"))
    assert first.meta["resolved_query"] == "Sales of it?" and first.meta["resolved_reply"] == "Sales in 2019?"
    assert [p.text for p in first.passages] == ["First.", shared, " | 2019\nSales | $ 5"]
    assert first.passages[-1].meta == {"table": [["", "2019"], ["Sales", "$ 5"], ["", ""]]}
    assert last.facets == () and empty.questions == ()
    assert first.group == empty.group == "u1"
    assert data.counts["clarifications without the user's reply (kept)"] == 2
    assert data.counts["turns that need clarification but have no question (kept)"] == 1
    assert data.counts["paragraphs without text (left out)"] == 1
    assert data.counts["documents that share a passage with an earlier one (one group)"] == 1


def test_pacific_refuses_broken_files(tmp_path: Path) -> None:
    write(tmp_path / PACIFIC, [document("u", ask("q", 1, "a", []), ask("q", 2, "b", []))])
    with pytest.raises(DataError, match=r"field '0\.questions\.1\.uid': turn id 'q' is used twice"):
        pacific.BENCHMARK.read(tmp_path)
    write(tmp_path / PACIFIC, [document("u", ask("q", 1, " ", []))])
    with pytest.raises(DataError, match=r"field '0\.questions\.0\.question': is empty"):
        pacific.BENCHMARK.read(tmp_path)
    write(tmp_path / PACIFIC, [{"table": {"uid": "u", "table": [[1]]}, "paragraphs": [], "questions": []}])
    with pytest.raises(DataError, match=r"field '0\.table\.table\.0\.0'"):
        pacific.BENCHMARK.read(tmp_path)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=4))
@SOME
def test_pacific_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    folder = tmp_path_factory.mktemp("p")
    docs = [
        document(f"u{i}", ask(f"a{i}", 1, q, [c], clarify=True), ask(f"b{i}", 2, r, "ok"))
        for i, (q, c, r) in enumerate(rows)
    ]
    write(folder / PACIFIC, docs)
    found = pacific.BENCHMARK.read(folder).examples
    assert [(e.query, *e.questions, *e.facets) for e in found] == rows


RULE = "## Charity donations\n\nYou can get relief if you donate:\n\n* through Gift Aid"


def follow(identity: str, answer: str = "Did you?", **changes: Any) -> dict[str, Any]:
    return {
        "utterance_id": identity, "question": "Can I?", "scenario": "I gave.", "answer": answer, "history": [],
        "gold_snippet_id": "1", "snippet": RULE, "is_followup": True, "snippet_seen": True, **changes,
    }  # fmt: skip


def put_sharc(folder: Path, dev: list[dict[str, Any]]) -> Path:
    write(folder / SHARC / "sharc_open_id2snippet.json", {"0": "Plain rule.", "1": RULE})
    write(folder / SHARC / "dev.json", dev)
    write(folder / SHARC / "train_aug.json", [follow("t1")])
    return folder


def test_white_sharc_keeps_follow_ups_with_their_rule(tmp_path: Path) -> None:
    history = [{"follow_up_question": "Old?", "follow_up_answer": "Yes"}]
    rows = [follow("a", "Did you? \t", history=history), follow("b", scenario=""), follow("c", is_followup=False)]
    data = white_sharc.BENCHMARK.read(put_sharc(tmp_path, [*rows, rows[0]]), "dev")
    first, second = data.examples
    assert (first.query, first.questions, first.cluster) == ("Can I?", ("Did you?",), "rule-1")
    assert first.history == (turn("user", "I gave."), turn("system", "Old?"), turn("user", "Yes"))
    assert first.passages[0].title == "Charity donations"
    assert first.passages[0].text == "You can get relief if you donate:\n* through Gift Aid"
    assert second.history == ()
    assert [p.text for p in data.corpus] == ["Plain rule.", first.passages[0].text]
    assert data.counts["turns that are answered, not asked back (left out)"] == 1
    assert data.counts["turns that repeat an earlier one exactly (left out)"] == 1
    assert data.counts["follow-ups without a scenario (kept)"] == 1
    assert len(white_sharc.BENCHMARK.read(tmp_path).examples) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([follow("a"), follow("a", "Other?")], "id 'a' is used by two different turns"),
        ([follow("a", snippet="changed")], "not number 1 of sharc_open_id2snippet.json; the files are of different"),
        ([follow("a", gold_snippet_id="9")], "not number 9"),
        ([follow("a", "  ")], "'a' has an empty question or follow-up"),
        ([{"utterance_id": "a"}], "field required"),
    ],
)
def test_white_sharc_refuses_broken_files(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        white_sharc.BENCHMARK.read(put_sharc(tmp_path, rows))


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=4))
@SOME
def test_white_sharc_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    folder = tmp_path_factory.mktemp("w")
    dev = [follow(f"u{i}", a, question=q, scenario=s) for i, (q, s, a) in enumerate(rows)]
    found = white_sharc.BENCHMARK.read(put_sharc(folder, dev), "dev").examples
    assert [(e.query, e.history[0]["text"], *e.questions) for e in found] == rows


def test_single_turn_views_say_what_they_did() -> None:
    history = (turn("user", "before"),)
    examples = [
        ClarificationExample(id="a", query="it?", history=history, meta={"resolved_query": "the tax?"}),
        ClarificationExample(id="b", query="that?", history=history),
        ClarificationExample(id="c", query="whole question?"),
    ]
    resolved, counts = single_turn(examples)
    assert [(e.query, e.history) for e in resolved] == [("the tax?", ()), ("that?", ()), ("whole question?", ())]
    assert resolved[0].meta["turn"] == "it?"
    assert counts == {
        "queries": 3, "queries replaced by the source's resolved form": 1,
        "queries taken as they stand, without their history": 1,
    }  # fmt: skip
    as_is, counts = single_turn(examples, resolve=False)
    assert as_is[0].query == "it?" and counts["queries taken as they stand, without their history"] == 2


@pytest.mark.parametrize(
    ("reader", "splits", "corpus", "questions", "left_out"),
    [
        (inscit, {"train": 71, "evaluation": 21}, 996, 116, {"turns without a clarification (left out)": 410}),
        (abg_coqa, {"train": 87, "evaluation": 43}, 1629, 256, {"turns that are not ambiguous (left out)": 962}),
        (pacific, {"train": 236, "evaluation": 84}, 1627, 320, {"turns that need no clarification (left out)": 1662}),
        (
            white_sharc,
            {"train": 1294, "dev": 218},
            651,
            1512,
            {"turns that are answered, not asked back (left out)": 328},
        ),
    ],
)
def test_the_real_files(
    mirror: Path, reader: Any, splits: dict[str, int], corpus: int, questions: int, left_out: dict[str, int]
) -> None:
    data = reader.BENCHMARK.read(mirror)
    assert Counter(e.split for e in data.examples) == splits
    assert len(data.corpus) == corpus
    assert sum(len(e.questions) for e in data.examples) == questions
    assert {name: data.counts[name] for name in left_out} == left_out
    if reader is not white_sharc:
        groups = [{e.cluster for e in data.examples if e.split == s} for s in splits]
        assert not groups[0] & groups[1]
    if reader is inscit:
        assert sum(bool(e.history) for e in data.examples) == 69
    if reader is white_sharc:
        groups = [{e.cluster for e in data.examples if e.split == s} for s in splits]
        assert [len(groups[1]), len(groups[0] & groups[1])] == [51, 23]
