"""Stages ``index``, ``data`` and ``retrieve``: from a corpus and a source of examples to prompts' ingredients.

Examples of joint training (``data.also``) carry the number of their source in ``meta.also`` and are retrieved for from
that source's own corpus, so that what is evaluated sees the same D as without them.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from rac.config import Recipe
from rac.corpus.fingerprint import corpus_fingerprint
from rac.errors import UserError
from rac.files import read_json, read_records, write_json, write_records
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.sources import BySplit, corpus_name, corpus_passages, read_examples, source_fingerprint
from rac.pipeline.splitting import evaluation_only, split_examples, without_clusters_of
from rac.records import ClarificationExample, Passage

log = logging.getLogger(__name__)

SPLITS = ("train", "pairs", "validation", "evaluation")
"""``train`` is for stage 1, ``pairs`` for data generation and stage 2, ``validation`` (training side) for choosing,
``evaluation`` is held out. No query group is in two of them."""

UNLABELLED = "unlabelled"
"""Queries of further rounds of stage 2; no part of ``SPLITS``, since only recipes with such rounds have them."""

ALSO = "also"
"""Key of ``meta`` that says which further source an example is of, from 1."""


def _also_recipes(recipe: Recipe) -> list[Recipe]:
    """Return a recipe for each further source of joint training: as if it were the only one, over its own corpus."""
    found = []
    for source in recipe.data.also:
        data = recipe.data.model_copy(update={"source": source, "corpus": "", "columns": {}, "also": (), "fold": ""})
        found.append(recipe.model_copy(update={"data": data}))
    return found


def _index_names(recipe: Recipe) -> list[str]:
    return ["index", *(f"index-{ALSO}-{number}" for number in range(1, 1 + len(recipe.data.also)))]


def index_stage(run: RunDirectory) -> dict[str, Any]:
    """Read the corpus and index it into ``index/``; corpora of further sources into ``index-also-N/``."""
    records = [
        _index(run, name, recipe)
        for name, recipe in zip(_index_names(run.recipe), [run.recipe, *_also_recipes(run.recipe)], strict=True)
    ]
    return records[0]


def _index(run: RunDirectory, name: str, recipe: Recipe) -> dict[str, Any]:
    def work() -> Stage:
        from rac.retrieval import build_index

        passages = corpus_passages(recipe)
        build_index(passages, recipe.index, run / name)
        return Stage([name], {"passages": len(passages)})

    inputs = {"corpus": source_fingerprint(recipe), "index": recipe.index.model_dump(mode="json")}
    return run.run(name, inputs, work, label=f"reading and indexing the corpus ({corpus_name(recipe)})")


def data_stage(run: RunDirectory) -> dict[str, Any]:
    """Make or read the examples and write them by split to ``examples/``."""
    recipe = run.recipe
    also = _also_recipes(recipe)
    # Rounds without labels train on their queries, too.
    unlabelled = [UNLABELLED] if run.trained is not run and run.trained.record(UNLABELLED) else []

    def work() -> Stage:
        from rac.retrieval import open_index

        by_split, counts = read_examples(recipe, open_index(run / "index"))
        if run.trained is run:
            splits = split_examples(by_split, recipe)
        else:
            known = [e for name in (*SPLITS[:3], *unlabelled) for e in load_examples(run.trained, name)]
            splits, left_out = evaluation_only(by_split, recipe, known)
            counts["left out: the models were trained on the query or its group"] = left_out
        for number, extra in enumerate(also, start=1):
            _join(splits, number, extra, read_examples(extra, open_index(run / f"index-{ALSO}-{number}"))[0], counts)
        paths = []
        for name in SPLITS:
            paths.append(f"examples/{name}.jsonl")
            write_records(run / paths[-1], splits[name])
            counts[name] = len(splits[name])
        return Stage(paths, counts)

    inputs: dict[str, Any] = {
        "index": run.output_hash("index"),
        "recipe": recipe.digest("data", "bootstrap", "seed"),
        "source": [corpus_fingerprint(recipe.data.source), source_fingerprint(recipe)],
    }
    if also:
        inputs["also"] = [[corpus_fingerprint(r.data.source), source_fingerprint(r)] for r in also]
    if run.trained is not run:
        inputs["trained on"] = run.trained.output_hash("data", *unlabelled)
    return run.run(
        "data", inputs, work, label=f"making examples ({', '.join([recipe.data.source, *recipe.data.also])})"
    )


def _join(splits: BySplit, number: int, recipe: Recipe, by_split: BySplit, counts: dict[str, Any]) -> None:
    """Add the training parts of a further source; what it would hold out, or the main source holds out, stays out."""
    name = recipe.data.source
    taken = {e.id for examples in splits.values() for e in examples}
    parts = split_examples(by_split, recipe)
    for part in SPLITS[:3]:
        kept = without_clusters_of(parts[part], splits["evaluation"])
        counts[f"{part}: of {name}"] = len(kept)
        if len(kept) < len(parts[part]):
            counts[f"{part}: of {name}, left out with groups that are evaluated"] = len(parts[part]) - len(kept)
        for example in kept:
            if example.id in taken:
                raise UserError(
                    f"'{name}' has an example '{example.id}', and so has another source of data.also; ids must differ "
                    "over all sources: rename them, or leave one source out"
                )
            splits[part].append(example.model_copy(update={"meta": {**example.meta, ALSO: number}}))


def retrieve_stage(run: RunDirectory) -> dict[str, Any]:
    """Retrieve the best passages of every example's query into ``retrieved.json``; measure it where gold is known."""
    recipe = run.recipe

    def work() -> Stage:
        from rac.retrieval import open_index

        found: dict[str, list[str]] = {}
        passages: dict[str, Passage] = {}
        counts: Counter[str] = Counter()
        recall: list[float] = []
        by_source: dict[int, list[tuple[str, ClarificationExample]]] = {}
        for name in SPLITS:
            for example in load_examples(run, name):
                by_source.setdefault(int(example.meta.get(ALSO, 0)), []).append((name, example))
        for number, asked in sorted(by_source.items()):
            index = open_index(run / _index_names(recipe)[number])
            hits = index.search_batch([e.query for _, e in asked], recipe.prompt.top_k)
            for (name, example), own in zip(asked, hits, strict=True):
                found[example.id] = [hit.passage.id for hit in own]
                for hit in own:
                    if passages.setdefault(hit.passage.id, hit.passage) != hit.passage:
                        raise UserError(
                            f"two corpora of this run have different passages with the id '{hit.passage.id}': rename "
                            "them in one of the sources of data.also"
                        )
                counts["queries"] += 1
                counts["without any hit"] += not own
                if example.gold_ids and name == "evaluation":
                    got = set(found[example.id])
                    recall.append(sum(i in got for i in example.gold_ids) / len(example.gold_ids))
        write_json(run / "retrieved.json", found)
        write_records(run / "passages.jsonl", passages.values())
        figures: dict[str, Any] = dict(counts)
        if recall:
            figures[f"gold recall@{recipe.prompt.top_k} (evaluation)"] = sum(recall) / len(recall)
            figures[f"all gold in top {recipe.prompt.top_k} (evaluation)"] = sum(r == 1 for r in recall) / len(recall)
        return Stage(["retrieved.json", "passages.jsonl"], figures)

    inputs = {
        "upstream": run.output_hash(*_index_names(recipe)[:1], "data", *_index_names(recipe)[1:]),
        "top_k": recipe.prompt.top_k,
    }
    return run.run("retrieve", inputs, work, label=f"retrieving the top {recipe.prompt.top_k} passages of each query")


def load_examples(run: RunDirectory, split: str) -> list[ClarificationExample]:
    """Read the examples of one part of the run."""
    return read_records(run / f"examples/{split}.jsonl", ClarificationExample)


def load_retrieved(run: RunDirectory, suffix: str = "") -> dict[str, list[Passage]]:
    """Read what was retrieved: example id -> passages, best first; ``suffix`` names the files of other queries."""
    passages = {p.id: p for p in read_records(run / f"passages{suffix}.jsonl", Passage)}
    return {id_: [passages[p] for p in ids] for id_, ids in read_json(run / f"retrieved{suffix}.json").items()}
