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
    monkeypatch.setattr(sys, "stdin", io.StringIO("planet\n\nzebra\n"))
    lines = [json.loads(line) for line in rac("search", tmp_path / "i", "--json").out.splitlines()]
    assert [line["query"] for line in lines] == ["planet", "zebra"]
    (hit,) = lines[0]["hits"]
    assert hit["passage"]["id"] == "planet" and hit["terms"] == ["planet"] and hit["parts"]["bm25"]["rank"] == 1
    assert lines[1]["hits"] == []


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
        (["nope"], "there is no comparison 'nope'"),
        (["lexical", "--dataset", "claqa"], "did you mean 'claqua'"),
        (["lexical", "--strategy", "bm26"], "did you mean 'bm25'"),
    ):
        result = rac("compare-indexes", *arguments, "-o", tmp_path / "out")
        assert result.status == 2 and words in result.err
    assert not (tmp_path / "out").exists()
