from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, words, write
from rac.benchmarks.claqua import BENCHMARK, fill_slots, make_passage, readable_types
from rac.errors import DataError, UserError

FOLDER = Path("msra-nlc/MSParS_V2.0/data/single-turn/task2")
A = "Rescue <S> games.game ratings.rated_entity <S> An arcade game."
B = "Rescue <S> games.game <S> Published by Mastertronic."

plain = words.filter(lambda t: not re.search(r"[<>]|TSP|SMP", t))
"""Text without anything like a marker."""


def put(directory: Path, train: list[tuple[str, str]], validation: list[tuple[str, str]] | None = None) -> Path:
    validation = validation if validation is not None else [("q <SP> " + A + " <SP> " + B, "Or <e>? <TSP> x")]
    for name, rows in (("train", train), ("val", validation)):
        write(directory / FOLDER / f"src-{name}.txt", "".join(s + "\n" for s, _ in rows))
        write(directory / FOLDER / f"tgt-{name}.txt", "".join(t + "\n" for _, t in rows))
    return directory


@given(st.lists(plain, min_size=1, max_size=4), st.lists(plain, min_size=5, max_size=5))
@SOME
def test_slots_are_filled_in_order_and_nothing_else_changes(parts: list[str], between: list[str]) -> None:
    between = between[: len(parts) + 1]
    template = "<e>".join(f" {b} " for b in between)
    target = template + "".join(f"<TSP> {p} " for p in parts)
    filled = fill_slots(target)
    assert filled is not None
    question, slots = filled
    assert slots == tuple(parts)
    expected = " ".join(x for pair in zip(between, [*parts, ""], strict=True) for x in pair if x)
    assert question == expected
    assert "<e>" not in question and "<TSP>" not in question


@given(st.integers(0, 4), st.lists(plain, max_size=4))
@SOME
def test_slots_and_parts_that_do_not_fit_give_nothing(slots: int, parts: list[str]) -> None:
    target = "Do you mean " + " or ".join(["<e>"] * slots) + "?" + "".join(f" <TSP> {p}" for p in parts)
    assert (fill_slots(target) is not None) == (slots == len(parts) > 0)


@given(st.text(max_size=60))
@SOME
def test_any_text_is_filled_or_refused_without_a_crash(target: str) -> None:
    filled = fill_slots(target)
    assert filled is None or (filled[0] and all(filled[1]))


@pytest.mark.parametrize(
    ("target", "question", "count"),
    [
        ("for <e> or <e>? <TSP> A3 in Albania TSP> A3 in Croatia", "for A3 in Albania or A3 in Croatia?", "broken"),
        ("for <e> or <e>? <TSP political party F <TSP> player F", "for political party F or player F?", "broken"),
        ("for <> or <e>? <TSP> writer H <TSP> artist H", "for writer H or artist H?", "broken"),
        ("for <e> or <e>? <TSP> a X <TSP> b X<SMP> I mean b X. <S> 0 <PREDICATE> p", "for a X or b X?", "annotation"),
        ("for <e> or <e>? <TSP>  4.5 km  river <TSP> 20 km river", "for 4.5 km river or 20 km river?", ""),
    ],
)
def test_markers_broken_in_the_source_are_mended_and_counted(target: str, question: str, count: str) -> None:
    counts: Counter[str] = Counter()
    filled = fill_slots(target, counts)
    assert filled is not None and filled[0] == question
    assert [name for name, n in counts.items() if n and count in name] == [n for n in counts if counts[n]]
    assert bool(count) == bool(+counts)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("music.artist ratings.rated_entity geography.lake", ("music artist", "lake")),
        ("award.winning_work award.nominated_work film.film", ("award-winning work", "nominated work", "film")),
        ("event.agent tv.actor tv.actor", ("agent", "tv actor")),
        ("american_football.player fictional_universe.character", ("american football player", "fictional character")),
        (
            'education.school education.educational_institution.school_type = "High school" ratings.rated_entity',
            ("school", "high school"),
        ),
        ("a.school_type = High school education.school", ("high school", "school")),
        ("x.religion = christianity architecture.building", ("christianity", "building")),
        ("law court law.courthouse", ("law court", "courthouse")),
        ("dev/common.webpage_classification csgaction/action_button", ("webpage classification", "action button")),
        ("DEV/food.cuisine_enum.sports_bar", ("sports bar",)),
        ("ratings.rated_entity media_common.cataloged_instance", ("rated entity", "cataloged instance")),
        ("", ()),
    ],
)
def test_types_become_readable(source: str, expected: tuple[str, ...]) -> None:
    assert readable_types(source) == expected


@given(st.lists(words, max_size=5))
@SOME
def test_types_never_crash_and_never_repeat(types: list[str]) -> None:
    found = readable_types(" ".join(types))
    assert len(set(found)) == len(found) and all(found)


def test_passage_ids_do_not_depend_on_the_order_of_types() -> None:
    assert make_passage("R", "a.b c.d", "t").id == make_passage("R", "c.d a.b", "t").id
    assert len({make_passage("R", t, d).id for t in ("a.b", "a.b c.d", "") for d in ("t", "u")}) == 6


@given(st.lists(st.tuples(plain, plain, plain, plain, plain), min_size=1, max_size=5, unique_by=lambda r: r[0]))
@SOME
def test_rows_round_trip_through_the_format(rows: list[tuple[str, ...]]) -> None:
    pairs = [
        (
            f"{q} <SP> {name} <S> film.film <S> {one} <SP> {name} <S> book.book <S> {two}",
            f"<e> or <e>? <TSP> {one} <TSP> {x}",
        )
        for q, name, one, two, x in rows
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = BENCHMARK.read(put(Path(folder), pairs), "train")
    assert [e.query for e in data.examples] == [r[0] for r in rows]
    for example, (_, name, one, two, x) in zip(data.examples, rows, strict=True):
        assert [(p.title, p.text, p.types) for p in example.passages] == [
            (name, one, ("film",)),
            (name, two, ("book",)),
        ]
        assert example.facets == (one, x) and example.questions == (f"{one} or {x}?",)
        assert example.cluster == f"claqua {name.casefold()}"


def test_repeated_rows_are_merged_misfits_left_out_and_both_counted(tmp_path: Path) -> None:
    source = f"Who made Rescue? <SP> {A} <SP> {B}"
    rows = [
        (source, "Do you mean <e> or <e>? <TSP> arcade game Rescue <TSP> Rescue by M"),
        (source, "<e> or <e>? <TSP> one <TSP> two"),
        (source.replace("Who", "Whoever"), "<e> or <e> of <e>? <TSP> one <TSP> two"),
        (source.replace("Who", "Where"), "<e> or <e>? <TSP> non game Rescue <TSP> non game rescue"),
    ]
    data = BENCHMARK.read(put(tmp_path, rows), "train")
    assert [(len(e.questions), len(e.facets), e.meta["natural"]) for e in data.examples] == [
        (2, 4, True),
        (1, 2, False),
    ]
    assert data.counts == {
        "rows": 4,
        "rows that repeat query and entities (merged)": 1,
        "rows without a question: slots and parts do not fit (left out, entities kept)": 1,
        "questions that offer one option twice": 1,
        "queries whose gold is natural (no 'non T' option)": 1,
        "examples": 2,
        "corpus passages": 2,
    }


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    rows = [(f"Who? <SP> {A} <SP> {B}", "<e> or <e>? <TSP> a\u2028b <TSP> c")]
    plain_data = BENCHMARK.read(put(tmp_path / "plain", rows))
    put(tmp_path / "windows", rows)
    for file in (tmp_path / "windows" / FOLDER).iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert BENCHMARK.read(tmp_path / "windows") == plain_data
    assert len(plain_data.examples) == 2


def test_broken_files_are_refused_with_their_line(tmp_path: Path) -> None:
    good = (f"Who? <SP> {A} <SP> {B}", "<e> or <e>? <TSP> a <TSP> b")
    put(tmp_path, [good, ("Who? <SP> " + A, "<e>? <TSP> a")])
    with pytest.raises(DataError, match=r"src-train.txt, line 2: .*at least two entities"):
        BENCHMARK.read(tmp_path)
    put(tmp_path, [good, (f"Who? <SP> {A} <SP> Rescue <S> no description", "<e>? <TSP> a")])
    with pytest.raises(DataError, match="line 2"):
        BENCHMARK.read(tmp_path)
    put(tmp_path, [good, good])
    write(tmp_path / FOLDER / "tgt-train.txt", good[1] + "\n")
    with pytest.raises(DataError, match=r"has 1 lines where src-train\.txt has 2"):
        BENCHMARK.read(tmp_path)
    write(tmp_path / FOLDER / "tgt-train.txt", b"caf\xe9\n")
    with pytest.raises(DataError, match="not valid UTF-8"):
        BENCHMARK.read(tmp_path)
    (tmp_path / FOLDER / "tgt-train.txt").unlink()
    with pytest.raises(DataError, match="no such file"):
        BENCHMARK.read(tmp_path)
    with pytest.raises(UserError, match="no split 'trian' here; did you mean 'train'"):
        BENCHMARK.read(tmp_path, "trian")


def test_a_test_split_brought_by_hand_adds_to_the_corpus_only_where_asked(tmp_path: Path) -> None:
    put(tmp_path, [(f"Who? <SP> {A} <SP> {B}", "<e> or <e>? <TSP> a <TSP> b")])
    with pytest.raises(DataError, match=r"src-test\.txt: no such file; the split 'test' of claqua is not fetched"):
        BENCHMARK.read(tmp_path, "test")
    write(tmp_path / FOLDER / "src-test.txt", f"New? <SP> {A} <SP> Rescue <S> film.film <S> New.\n")
    write(tmp_path / FOLDER / "tgt-test.txt", "<e> or <e>? <TSP> a <TSP> b\n")
    data = BENCHMARK.read(tmp_path, "test")
    assert [(e.id, e.split) for e in data.examples] == [("claqua-test-0001", "test")]
    assert len(data.corpus) == 3 and len(BENCHMARK.read(tmp_path).corpus) == 2


def test_the_real_files(mirror: Path) -> None:
    start = time.process_time()
    data = BENCHMARK.read(mirror)
    assert time.process_time() - start < 5
    assert data.counts["rows"] == 3938
    assert data.counts["rows with mojibake (kept)"] == 1023
    assert Counter(e.split for e in data.examples) == {"train": 3503, "validation": 431}
    assert len(data.corpus) == 7596 == len({p.id for p in data.corpus})
    natural = Counter((e.split, e.meta["natural"]) for e in data.examples)
    assert natural["validation", True] == 281
    assert natural["train", False] == 1080
    corpus = {p.id: p for p in data.corpus}
    for example in data.examples:
        assert len(example.passages) == 2 == len(example.qrels)
        assert all(corpus[p.id] is p or corpus[p.id] == p for p in example.passages)
        assert not re.search(r"<e>|<>|TSP|<SMP", " ".join(example.questions))
        assert all(facet in " ".join(example.questions) for facet in example.facets)
    first = data.examples[0]
    assert first.query == "Directors of Two Trains Running"
    assert first.passages[0].types == ("theater production", "nominated work", "award-winning work")
    validation = BENCHMARK.read(mirror, "validation")
    assert validation.examples == [e for e in data.examples if e.split == "validation"]
    assert validation.corpus == data.corpus
