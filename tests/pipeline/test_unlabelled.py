"""Queries without their gold questions, for rounds of stage 2 that need none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rac.config import Recipe
from rac.errors import DataError, UserError
from rac.files import read_records
from rac.pipeline.data import SPLITS, UNLABELLED, data_stage, index_stage, load_examples, retrieve_stage
from rac.pipeline.models import rounds_of
from rac.pipeline.preference import round_variant, round_variants
from rac.pipeline.run_directory import RunDirectory
from rac.pipeline.training import ground
from rac.pipeline.unlabelled import load_unlabelled, unlabelled_stage
from rac.records import ClarificationExample
from sources_support import examples, ids, recipe, source


def made(
    tmp_path: Path, *, rounds: int = 2, queries: int | None = None, train: int = 20, held_out: str = "source"
) -> RunDirectory:
    own = [
        *examples("a", 40, "train"), *examples("d", 6, "dev"), *examples("t", 6, "test"),
        *(ClarificationExample(id=f"bare{i}", query=f"who made a{i}", group=f"l{i}", split="train") for i in range(4)),
        ClarificationExample(id="leak", query="who made t0", group="t-group-0", split="train"),
    ]  # fmt: skip
    data = {"source": source(tmp_path / "all.jsonl", own), "train_queries": train, "unlabelled_queries": queries}
    data["held_out"] = held_out
    preference = {"rounds": 2, "unlabelled_rounds": rounds}
    run = RunDirectory(tmp_path / "run", recipe(data, preference=preference, pairs={"gold_only_share": 0.5}))
    index_stage(run)
    data_stage(run)
    retrieve_stage(run)
    return run


def test_queries_are_those_that_no_part_has_and_come_without_gold(tmp_path: Path) -> None:
    run = made(tmp_path)
    record = unlabelled_stage(run)
    found = load_examples(run, UNLABELLED)
    used = [e for name in SPLITS for e in load_examples(run, name)]
    assert not {e.cluster for e in found} & {e.cluster for e in used}
    assert {f"bare{i}" for i in range(4)} <= ids(found) and "leak" not in ids(found)
    free = [
        e.id for e in read_records(tmp_path / "all.jsonl", ClarificationExample)
        if e.split == "train" and e.cluster not in {u.cluster for u in used} and e.id != "leak"
    ]  # fmt: skip
    assert [e.id for e in found] == free and record["counts"]["queries"] == len(free) > 5
    assert not any(e.questions or e.passages or e.facets or e.qrels for e in found)
    assert all(len(load_unlabelled(run)[e.id]) == 2 for e in found)
    assert unlabelled_stage(run)["finished"] == record["finished"], "kept, not made again"
    assert len(load_examples(made(tmp_path / "few", queries=5), "train")) > 0
    few = RunDirectory(tmp_path / "few/run")
    unlabelled_stage(few)
    assert len(load_examples(few, UNLABELLED)) == 5
    assert few.output_hash("data") == run.output_hash("data"), "other parts do not depend on how many are taken"


def test_a_transfer_asks_none_of_them(tmp_path: Path) -> None:
    run = made(tmp_path, queries=5)
    unlabelled_stage(run)
    data = run.recipe.data.model_copy(update={"fold": "1/1"})
    transfer = RunDirectory(tmp_path / "transfer", run.recipe.model_copy(update={"data": data}), trained=run)
    index_stage(transfer)
    data_stage(transfer)
    asked = load_examples(transfer, "evaluation")
    assert asked and not {e.cluster for e in asked} & {e.cluster for e in load_examples(run, UNLABELLED)}


def test_what_the_source_holds_out_is_not_trained_on_where_the_run_asks_training_queries(tmp_path: Path) -> None:
    run = made(tmp_path, held_out="training")
    unlabelled_stage(run)
    assert "leak" not in ids(load_examples(run, UNLABELLED))


def test_rounds_share_them_out_and_use_no_gold(tmp_path: Path) -> None:
    run = made(tmp_path)
    unlabelled_stage(run)
    counts: list[Counter[str]] = [Counter(), Counter()]
    parts = [
        ground(run, UNLABELLED, counts[i], part=(i, 2), gold_only=0.5, seed=3) for i in range(2)
    ]  # fmt: skip
    assert not {g.example.id for g in parts[0]} & {g.example.id for g in parts[1]}
    every = len(load_examples(run, UNLABELLED))
    assert sum(c["queries read"] for c in counts) == sum(map(len, parts)) == every
    assert all(g.questions == () and 1 <= len(g.passages) <= 2 for part in parts for g in part)
    assert all(c["queries whose D is the best 2 passages alone"] > 0 for c in counts)
    assert counts[0]["queries whose D is the gold passages alone"] == 0


def test_unlabelled_rounds_follow_the_others() -> None:
    own = Recipe.model_validate({"preference": {"rounds": 2, "unlabelled_rounds": 2}})
    assert rounds_of(own) == ["rac", "rac-2", "rac-3", "rac-4"]
    assert [(v.split, v.part, v.start) for v in round_variants(own)] == [
        ("pairs", (0, 1), "grounded"), ("pairs", (0, 1), "rac"),
        ("unlabelled", (0, 2), "rac-2"), ("unlabelled", (1, 2), "rac-3"),
    ]  # fmt: skip
    labelled = Recipe.model_validate({"preference": {"rounds": 2}, "data": {"unlabelled_queries": 7}})
    assert round_variant(own, 2) == round_variant(labelled, 2)
    assert own.digest("data", "preference") == labelled.digest("data", "preference"), "finished rounds are kept"
    # The first round is a system of its own as soon as any other follows.
    Recipe.model_validate({"preference": {"unlabelled_rounds": 1}, "evaluation": {"systems": ["rac-round-1", "rac"]}})


def test_too_few_queries_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"preference.unlabelled_rounds: 8 rounds need .* has 4 training queries"):
        unlabelled_stage(made(tmp_path, rounds=8, train=40))
    with pytest.raises((DataError, ValueError), match="unlabelled_rounds"):
        Recipe.model_validate({"preference": {"unlabelled_rounds": -1}})
