"""Folds, joint training, transfer and pooling, on runs that need no model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rac.errors import UserError
from rac.files import read_json, read_records
from rac.pipeline.crossfit import crossfit
from rac.pipeline.data import data_stage, index_stage, load_examples, load_retrieved, retrieve_stage
from rac.pipeline.pooling import pool
from rac.pipeline.predictions import predict_stages
from rac.pipeline.run_directory import RunDirectory
from rac.pipeline.sources import corpus_passages, read_examples
from rac.pipeline.splitting import evaluation_only, split_examples
from rac.records import ClarificationExample, Passage, Prediction
from sources_support import examples, ids, recipe, source


def asked(run: RunDirectory) -> RunDirectory:
    index_stage(run)
    data_stage(run)
    retrieve_stage(run)
    predict_stages(run)
    return run


def test_folds_hold_every_query_out_once_and_keep_groups_together() -> None:
    everything = {"train": examples("a", 30), "dev": examples("b", 10), "test": examples("c", 8)}
    held: list[str] = []
    for number in range(1, 4):
        parts = split_examples(everything, recipe({"source": "x", "fold": f"{number}/3"}))
        held += [e.id for e in parts["evaluation"]]
        clusters = [{e.cluster for e in part} for part in parts.values()]
        for one in range(4):
            for other in range(one):
                assert not clusters[one] & clusters[other]
        assert sum(map(len, parts.values())) == 48
    assert sorted(held) == sorted(e.id for part in everything.values() for e in part)


def test_groups_stay_in_one_part_where_the_source_has_splits_of_its_own() -> None:
    shared = examples("s", 3, group="shared")
    everything = {
        "train": [*examples("a", 20), shared[0]], "validation": [*examples("b", 6), shared[1]],
        "test": [*examples("c", 6), shared[2]],
    }  # fmt: skip
    parts = split_examples(everything, recipe({"source": "x"}))
    where = [name for name, part in parts.items() for e in part if e.cluster == shared[0].cluster]
    assert where == ["evaluation"]


def test_a_transfer_asks_nothing_that_the_models_know() -> None:
    by_split = {"train": examples("a", 10), "validation": examples("b", 6)}
    known = [
        by_split["validation"][0],
        ClarificationExample(id="z", query="Who  made B5", questions=("x",), group="elsewhere"),
    ]
    parts, left_out = evaluation_only(by_split, recipe({"source": "x"}), known)
    # b0 by itself, b1 by its group, b5 by its query.
    assert ids(parts["evaluation"]) == {"b2", "b3", "b4"}
    assert left_out == 3
    assert not parts["train"] and not parts["pairs"] and not parts["validation"]
    every, _ = evaluation_only(by_split, recipe({"source": "x", "fold": "1/1"}), [])
    assert len(every["evaluation"]) == 16
    with pytest.raises(UserError, match="no query that the models were not trained on"):
        evaluation_only({"train": examples("a", 4)}, recipe({"source": "x"}), examples("a", 4))


def test_joint_training_retrieves_from_each_sources_own_corpus_and_evaluates_the_main_one(tmp_path: Path) -> None:
    main = source(tmp_path / "main.jsonl", examples("a", 40, "train"), examples("b", 6, "validation"))
    shared = examples("d", 2, "train", group="b-group-0")
    other = source(tmp_path / "other.jsonl", examples("c", 30, "train"), examples("e", 6, "validation"), shared)
    alone, joint = (
        RunDirectory(tmp_path / name, recipe({"source": main, **more}))
        for name, more in (("alone", {}), ("joint", {"also": [other]}))
    )
    for run in (alone, joint):
        index_stage(run)
        data_stage(run)
        retrieve_stage(run)
    assert load_examples(joint, "evaluation") == load_examples(alone, "evaluation")
    train = ids(load_examples(joint, "train")) | ids(load_examples(joint, "pairs"))
    assert any(i.startswith("c") for i in train) and any(i.startswith("a") for i in train)
    # What the other source holds out stays out, and so does a group that is evaluated here.
    everything = train | ids(load_examples(joint, "validation"))
    assert not any(i.startswith(("e", "d")) for i in everything)
    counts = read_json(joint / "stages/data.json")["counts"]
    assert sum(v for k, v in counts.items() if "left out with groups that are evaluated" in k) == 2
    retrieved = load_retrieved(joint)
    for identity, passages in retrieved.items():
        corpus = "c" if identity.startswith("c") else "ab"
        assert all(p.id[0] in corpus for p in passages)
    evaluated = ids(load_examples(alone, "evaluation"))
    assert {i: retrieved[i] for i in evaluated} == {i: load_retrieved(alone)[i] for i in evaluated}


def test_parts_of_a_folder_that_number_their_own_passages_are_refused(tmp_path: Path) -> None:
    for name, text in (("train", "x"), ("test", "y")):
        passage = Passage(id="p1", text=text)
        source(tmp_path / f"{name}.jsonl", [ClarificationExample(id=name, query="q", passages=(passage,))])
    with pytest.raises(UserError, match="example 'test' and example 'train' have different passages with the id 'p1'"):
        corpus_passages(recipe({"source": str(tmp_path)}))
    # Over another corpus their passages are D of one example each, and ids need to differ nowhere else.
    parts = [read_records(tmp_path / f"{name}.jsonl", ClarificationExample) for name in ("train", "test")]
    both = source(tmp_path / "both.jsonl", *parts)
    with pytest.raises(UserError, match="have different passages with the id 'p1'"):
        corpus_passages(recipe({"source": both}))
    found, _ = read_examples(recipe({"source": both, "corpus": "wikipedia"}), None)
    assert [e.passages[0].text for part in found.values() for e in part] == ["x", "y"]


def test_two_sources_with_one_id_are_refused(tmp_path: Path) -> None:
    main = source(tmp_path / "main.jsonl", examples("a", 40, "train"))
    moved = [e.model_copy(update={"group": f"other {e.group}"}) for e in examples("a", 40, "train")]
    again = source(tmp_path / "again.jsonl", moved)
    run = RunDirectory(tmp_path / "run", recipe({"source": main, "also": [again]}))
    index_stage(run)
    with pytest.raises(UserError, match="ids must differ over all sources"):
        data_stage(run)


def test_pooled_runs_are_one_table_over_all_queries(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        data = source(tmp_path / f"{name}.jsonl", examples(name, 40, "train"), examples(f"{name}x", 6, "validation"))
        runs.append(asked(RunDirectory(tmp_path / name, recipe({"source": data}, name=name))))
    done = pool(runs, tmp_path / "pooled")
    metrics = read_json(done / "metrics.json")
    assert metrics["run"] == "a-b"
    (table,) = metrics["tables"]
    assert table["n"] == 12
    assert table["systems"]["gold"]["good"]["mean"] == 1.0
    assert [p.id for p in read_records(done / "predictions/retrieved/gold.jsonl", Prediction)] == [
        e.id for run in runs for e in load_examples(run, "evaluation")
    ]
    assert "pooled over 2 runs" in (done / "report.md").read_text()
    before = (done / "metrics.json").stat().st_mtime_ns
    pool(runs, tmp_path / "pooled")
    assert (done / "metrics.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="held out in more than one of the runs"):
        pool([runs[0], runs[0]], tmp_path / "twice")
    with pytest.raises(UserError, match="1 run was given"):
        pool(runs[:1], tmp_path / "one")


def test_runs_of_different_systems_or_d_are_not_pooled(tmp_path: Path) -> None:
    data = source(tmp_path / "a.jsonl", examples("a", 40, "train"))
    one = asked(RunDirectory(tmp_path / "one", recipe({"source": data})))
    other = recipe({"source": data})
    fewer = other.model_copy(update={"evaluation": other.evaluation.model_copy(update={"systems": ("gold",)})})
    with pytest.raises(UserError, match=r"evaluation.systems: \[gold\]"):
        pool([one, RunDirectory(tmp_path / "two", fewer)], tmp_path / "out")
    wider = other.model_copy(update={"prompt": other.prompt.model_copy(update={"top_k": 3})})
    with pytest.raises(UserError, match="retrieved 3 passages"):
        pool([one, RunDirectory(tmp_path / "three", wider)], tmp_path / "out")
    with pytest.raises(UserError, match="has not asked 'template' yet"):
        pool([one, RunDirectory(tmp_path / "four", other)], tmp_path / "out")


def test_crossfitting_refuses_what_cannot_be_crossed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the recipe sets"):
        crossfit(recipe({"source": "inscit", "fold": "1/5"}), tmp_path / "run")
    with pytest.raises(UserError, match="use at least 2"):
        crossfit(recipe({"source": "inscit"}), tmp_path / "run", folds=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty and not a run directory"):
        crossfit(recipe({"source": "inscit"}), tmp_path / "mine")


def test_a_run_that_asks_anothers_models_finds_them_and_trains_none(tmp_path: Path) -> None:
    data = source(tmp_path / "a.jsonl", examples("a", 40, "train"))
    trained = asked(RunDirectory(tmp_path / "trained", recipe({"source": data})))
    (trained / "stages/rac.json").write_text(json.dumps({"outputs": {"models/rac": {"sha256": "1", "bytes": 0}}}))
    other = source(tmp_path / "b.jsonl", examples("b", 10, "train"), examples("a", 4, "validation"))
    run = RunDirectory(tmp_path / "trained/transfer/b", recipe({"source": other}), trained=trained)
    again = RunDirectory(tmp_path / "trained/transfer/b")
    assert again.trained.path.resolve() == trained.path.resolve()
    assert again.output_hash("rac") == trained.output_hash("rac")
    index_stage(run)
    with pytest.raises(UserError, match="no query that the models were not trained on"):
        data_stage(run)
    assert trained.record("predict-gold") is not None
    assert again.record("predict-gold") is None, "what was asked there was not asked here"
