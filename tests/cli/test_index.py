"""``rac index`` and ``rac search`` as installed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

LINES = [
    {"id": "planet", "title": "Mercury", "description": "planet", "text": "The smallest planet. It is near the Sun."},
    {"id": "metal", "title": "Mercury", "description": "chemical element", "text": "A liquid metal \u001b[31mred."},
    {"id": "god", "title": "Mercury", "types": ["Roman god"], "text": "The messenger of the gods."},
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return path


def test_index_then_search(rac: Run, corpus: Path, tmp_path: Path) -> None:
    built = rac("index", corpus, "-o", tmp_path / "i")
    assert built.status == 0 and "passages   3" in built.out and "strategy   bm25" in built.out
    found = rac("search", tmp_path / "i", "liquid mercury metals", "--top-k", 2, "--explain")
    assert found.status == 0
    assert "  1. " in found.out and "Mercury (chemical element)" in found.out
    assert "words: liquid, mercury, metals" in found.out and "bm25: score" in found.out
    assert "\x1b" not in found.out
    nothing = rac("search", tmp_path / "i", "zebra")
    assert nothing.status == 0 and "no passage was found for “zebra”" in nothing.out


def test_search_as_json_from_standard_input(
    rac: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rac("index", corpus, "-o", tmp_path / "i")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfplanet\n\nzebra\n"), "ascii"))
    lines = [json.loads(line) for line in rac("search", tmp_path / "i", "--json").out.splitlines()]
    assert [line["query"] for line in lines] == ["planet", "zebra"]
    (hit,) = lines[0]["hits"]
    assert hit["passage"]["id"] == "planet" and hit["terms"] == ["planet"] and hit["parts"]["bm25"]["rank"] == 1
    assert lines[1]["hits"] == []


def test_a_query_that_is_no_text_is_named(
    rac: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rac("index", corpus, "-o", tmp_path / "i")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"planet\nz\xe9bra\n")))
    refused = rac("search", tmp_path / "i")
    assert refused.status != 0
    assert "standard input, line 2: byte 2 is not valid UTF-8" in refused.err


def test_adding_deleting_and_describing(rac: Run, corpus: Path, tmp_path: Path) -> None:
    rac("index", corpus, "-o", tmp_path / "i")
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "new", "text": "quicksilver"}\n', encoding="utf-8")
    changed = rac("index", more, "-o", tmp_path / "i", "--add", "--delete", "god")
    assert changed.status == 0 and "added 1 passages" in changed.err and "deleted 1 passages" in changed.err
    info = json.loads(rac("index", "-o", tmp_path / "i", "--json", "--verify").out)
    assert info["passages"] == 3 and info["settings"]["strategy"] == "bm25"
    assert "quicksilver" in rac("search", tmp_path / "i", "quicksilver").out


def test_splitting_and_queries_of_passages(rac: Run, corpus: Path, tmp_path: Path) -> None:
    rac("index", corpus, "-o", tmp_path / "split", "--passage-tokens", 5)
    hits = json.loads(rac("search", tmp_path / "split", "sun", "--json").out)["hits"]
    passage = hits[0]["passage"]
    assert passage["id"].startswith("planet#")
    assert LINES[0]["text"][passage["start"] : passage["end"]] == passage["text"] and passage["source"] == "planet"
    examples = tmp_path / "examples.jsonl"
    examples.write_text('{"id": "q", "query": "quicksilver", "passage_ids": ["metal"]}\n', encoding="utf-8")
    rac("index", corpus, "-o", tmp_path / "q", "--fields", "queries", "--queries", examples)
    assert "chemical element" in rac("search", tmp_path / "q", "quicksilver").out


def test_a_recipe_gives_the_settings(rac: Run, corpus: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("index:\n  stemming: false\n  k1: 0.9\n", encoding="utf-8")
    rac("index", corpus, "-o", tmp_path / "i", "--recipe", recipe, "--set", "k1=1.1")
    settings = json.loads(rac("index", "-o", tmp_path / "i", "--json").out)["settings"]
    assert (settings["stemming"], settings["k1"]) == (False, 1.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["index", "CORPUS"], "give -o INDEX"),
        (["index", "nope.jsonl", "-o", "OUT"], "no such corpus"),
        (["index", "-o", "OUT", "--add"], "no corpus was given"),
        (["index", "CORPUS", "-o", "OUT", "--delete", "x"], "nothing to delete"),
        (["index", "CORPUS", "-o", "OUT", "--set", "strategi=bm25"], "did you mean 'strategy'"),
        (["index", "CORPUS", "-o", "OUT", "--strategy", "magic"], "strategy = 'magic'"),
        (["index", "-o", "OUT"], "there is no index"),
        (["search", "OUT", "x"], "there is no index"),
        (["search", "OUT", "  "], "the query is empty"),
        (["search", "OUT", "x", "--diversify", "magic"], "diversify = 'magic'"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    arguments: list[str], words: str, rac: Run, corpus: Path, tmp_path: Path
) -> None:
    names = {"CORPUS": str(corpus), "OUT": str(tmp_path / "out")}
    result = rac(*(names.get(argument, argument) for argument in arguments))
    assert result.status == 2 and words in result.err and "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_comparisons_are_listed_and_checked(rac: Run, tmp_path: Path) -> None:
    listed = rac("compare-indexes")
    assert listed.status == 0 and "benchmarks" in listed.out and "lexical" in listed.out
    for arguments, words in (
        (["nope"], "no comparison at 'nope'"),
        (["lexical", "--dataset", "claqa"], "did you mean 'claqua'"),
        (["lexical", "--strategy", "bm26"], "did you mean 'bm25'"),
    ):
        result = rac("compare-indexes", *arguments, "-o", tmp_path / "out")
        assert result.status == 2 and words in result.err
    assert not (tmp_path / "out").exists()


def test_the_same_command_again_reads_what_changed_and_lists_what_it_cannot_read(rac: Run, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tea.md").write_text("# Tea\n\nSteep it for a while.\n", encoding="utf-8")
    (docs / "empty.txt").touch()
    first = json.loads(rac("index", docs, "-o", tmp_path / "i", "--json").out)
    assert first["passages"] == 1 and first["reading"]["files"] == {".md": 1}
    assert first["reading"]["problems"] == [
        {"file": "empty.txt", "reason": "is empty (0 bytes); remove it, or fill it", "passages": 0}
    ]
    assert "unchanged: 2 files" in rac("index", docs, "-o", tmp_path / "i").err
    (docs / "empty.txt").write_text("Coffee is roasted.", encoding="utf-8")
    again = rac("index", docs, "-o", tmp_path / "i")
    assert "files: 0 new, 1 changed, 0 removed, 1 unchanged" in again.err and "passages   2" in again.out
    wrong = rac("index", docs, "-o", tmp_path / "j", "--near-duplicates", "maybe")
    assert wrong.status == 2 and "give one of ignore, count, drop" in wrong.err


def test_documents_to_ask_about_are_indexed_once_and_kept_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rac.cli.ask import index_of_corpus

    monkeypatch.setenv("RAC_CACHE", str(tmp_path / "cache"))
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tea.txt").write_text("Steep it.", encoding="utf-8")
    index = index_of_corpus(str(docs))
    assert len(index) == 1
    (docs / "beans.txt").write_text("Roast them.", encoding="utf-8")
    assert len(index_of_corpus(str(docs))) == 2
    assert len(list((tmp_path / "cache" / "indexes").iterdir())) == 1
    (only,) = (tmp_path / "cache" / "indexes").iterdir()
    assert index_of_corpus(str(only)).path == only
