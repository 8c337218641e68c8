from __future__ import annotations

import numpy as np
import pytest

from rac.errors import UserError
from rac.records import ClarificationExample, Passage
from rac.retrieval.entries import attach_queries, entries
from rac.retrieval.entrymap import EntryMap

DUNE = Passage(
    id="d", title="Dune (novel)", description="1965 novel", types=("book", "novel"), text="A desert planet. Spice.",
    meta={"queries": ["dune", "desert planet", "dune"]},
)  # fmt: skip


def test_each_choice_of_fields() -> None:
    assert entries(DUNE, "text") == ["A desert planet. Spice."]
    assert entries(DUNE, "title+text") == ["Dune (novel)\nbook, novel\n1965 novel\nA desert planet. Spice."]
    assert entries(DUNE, "facets") == ["Dune (novel): 1965 novel", "Dune (novel): book", "Dune (novel): novel"]
    assert entries(DUNE, "facets+text") == [*entries(DUNE, "facets"), *entries(DUNE, "title+text")]
    assert entries(DUNE, "queries") == ["Dune (novel)", "dune", "desert planet"]
    assert entries(DUNE, "queries+text") == ["dune", "desert planet", *entries(DUNE, "title+text")]


def test_what_lacks_a_field_is_still_found() -> None:
    assert entries(Passage(id="a", title="Only"), "text") == ["Only"]
    assert entries(Passage(id="a", title="T", text="One. Two."), "facets") == ["T: One."]
    assert entries(Passage(id="a", text="no stop"), "facets") == ["no stop"]
    assert entries(Passage(id="a", text="x"), "queries") == entries(Passage(id="a", text="x"), "queries+text") == ["x"]
    assert entries(Passage(id="a"), "title+text") == [""]


def test_queries_of_another_kind_are_refused() -> None:
    with pytest.raises(UserError, match="not a list of strings"):
        entries(Passage(id="a", meta={"queries": "dune"}), "queries")


def test_queries_come_from_the_examples_that_name_the_passage() -> None:
    examples = [
        ClarificationExample(id="1", query="dune", passage_ids=("d",)),
        ClarificationExample(id="2", query="planet", passages=(DUNE,)),
    ]
    plain = Passage(id="p")
    first, second = attach_queries([DUNE, plain], examples)
    assert first.meta["queries"] == ["dune", "desert planet", "planet"]
    assert second is plain


def test_entries_collapse_to_passages_with_their_best_entry() -> None:
    entry_map = EntryMap(np.array([0, 3, 4, 6]), 6)
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.5], np.float32)
    asked: list[int] = []

    def search(queries: list[str], depth: int) -> list[tuple[np.ndarray, np.ndarray]]:
        asked.append(depth)
        return [(np.arange(depth), scores[:depth])] * len(queries)

    ((rows, best),) = entry_map.passages(search, ["q"], 1)
    assert rows.tolist() == [0] and best.tolist() == [5.0]
    ((rows, best),) = entry_map.passages(search, ["q"], 3)
    assert rows.tolist() == [0, 1, 2] and best.tolist() == [5.0, 2.0, 1.0]
    assert entry_map.rows(np.array([0, 2])).tolist() == [0, 1, 2, 4, 5]


def test_search_goes_deeper_until_there_are_enough_passages() -> None:
    entry_map = EntryMap(np.array([0, 50, 51, 52]), 52)
    scores = np.linspace(1, 0.1, 52).astype(np.float32)
    asked: list[int] = []

    def search(queries: list[str], depth: int) -> list[tuple[np.ndarray, np.ndarray]]:
        asked.append(depth)
        return [(np.arange(depth), scores[:depth])] * len(queries)

    ((rows, _),) = entry_map.passages(search, ["q"], 2)
    assert rows.tolist() == [0, 1] and asked == [8, 32, 52]
