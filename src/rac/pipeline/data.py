"""Stages ``index``, ``data`` and ``retrieve``: from a corpus and a source of examples to prompts' ingredients."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.config import Recipe
from rac.corpus.fingerprint import corpus_fingerprint
from rac.errors import UserError
from rac.files import read_json, read_records, write_json, write_records
from rac.pipeline.context import seeded
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.records import ClarificationExample, Passage

if TYPE_CHECKING:
    from rac.benchmarks import ColumnMap

log = logging.getLogger(__name__)

SPLITS = ("train", "pairs", "validation", "evaluation")
"""``train`` is for stage 1, ``pairs`` for data generation and stage 2, ``validation`` (training side) for choosing,
``evaluation`` is held out. No query group is in two of them."""


def corpus_name(recipe: Recipe) -> str:
    """Return the corpus that the recipe means: a name, a path, or the benchmark's own."""
    if recipe.data.corpus:
        return recipe.data.corpus
    return "wikipedia" if recipe.data.source == "bootstrap" else f"benchmark:{recipe.data.source}"


def _benchmark(recipe: Recipe) -> Any:
    from rac.benchmarks import load

    return load(recipe.data.source, directory=recipe.data.directory or None, columns=_columns(recipe))


def _columns(recipe: Recipe) -> ColumnMap | None:
    from rac.benchmarks import make_column_map

    return make_column_map(recipe.data.columns) if recipe.data.columns else None


def _is_file_source(source: str) -> bool:
    from rac.benchmarks.resolve import is_file_source

    return is_file_source(source)


def _corpus_passages(recipe: Recipe) -> list[Passage]:
    from rac.corpus import read_corpus

    name = corpus_name(recipe)
    if not name.startswith("benchmark:"):
        return list(read_corpus(name))
    if _is_file_source(recipe.data.source):
        # Without a corpus, the passages that the examples carry are the corpus.
        examples = _read_example_source(Path(recipe.data.source), _columns(recipe))
        passages = {p.id: p for split in examples.values() for example in split for p in example.passages}
        if not passages:
            raise UserError(
                f"{recipe.data.source} has no passages and the recipe names no corpus; set data.corpus to "
                "'wikipedia', a file or a folder of documents"
            )
        return list(passages.values())
    data = _benchmark(recipe)
    if not data.corpus:
        raise UserError(
            f"the benchmark '{recipe.data.source}' comes without passages; set data.corpus to a corpus of yours, or to "
            "'wikipedia' to try things out (such a table carries no claim about faithfulness)"
        )
    return list(data.corpus)


def index_stage(run: RunDirectory) -> dict[str, Any]:
    """Read the corpus and index it into ``index/``."""
    recipe = run.recipe

    def work() -> Stage:
        from rac.retrieval import build_index

        passages = _corpus_passages(recipe)
        build_index(passages, recipe.index, run / "index")
        return Stage(["index"], {"passages": len(passages)})

    inputs = {"corpus": _source_fingerprint(recipe), "index": recipe.index.model_dump(mode="json")}
    return run.run("index", inputs, work, label=f"reading and indexing the corpus ({corpus_name(recipe)})")


def _source_fingerprint(recipe: Recipe) -> Any:
    name = corpus_name(recipe)
    return corpus_fingerprint(recipe.data.source if name.startswith("benchmark:") else name)


def data_stage(run: RunDirectory) -> dict[str, Any]:
    """Make or read the examples and write them by split to ``examples/``."""
    recipe = run.recipe

    def work() -> Stage:
        counts: dict[str, Any] = {}
        if recipe.data.source == "bootstrap":
            from rac.corpus.bootstrap import bootstrap
            from rac.metrics.selection import SelectionScorer
            from rac.retrieval import open_index

            check = SelectionScorer(min_options=2).problem
            result = bootstrap(
                _corpus_passages(recipe), open_index(run / "index"), recipe.bootstrap, recipe.seed, check=check
            )
            counts["bootstrap"] = result.counts
            by_split = _by_split(result.examples)
        elif _is_file_source(recipe.data.source):
            by_split = _read_example_source(Path(recipe.data.source), _columns(recipe))
        else:
            data = _benchmark(recipe)
            counts["benchmark"] = data.counts
            by_split = _by_split(data.examples)
        splits = split_examples(by_split, recipe)
        paths = []
        for name in SPLITS:
            paths.append(f"examples/{name}.jsonl")
            write_records(run / paths[-1], splits[name])
            counts[name] = len(splits[name])
        return Stage(paths, counts)

    inputs = {
        "index": run.output_hash("index"),
        "recipe": recipe.digest("data", "bootstrap", "seed"),
        "source": [corpus_fingerprint(recipe.data.source), _source_fingerprint(recipe)],
    }
    return run.run("data", inputs, work, label=f"making examples ({recipe.data.source})")


def _by_split(examples: list[ClarificationExample]) -> dict[str, list[ClarificationExample]]:
    found: dict[str, list[ClarificationExample]] = {}
    for example in examples:
        found.setdefault(example.split or "train", []).append(example)
    return found


def _read_example_source(path: Path, columns: ColumnMap | None) -> dict[str, list[ClarificationExample]]:
    if path.is_file():
        from rac.benchmarks.resolve import read_source

        data, _ = read_source(str(path), columns=columns)
        if not data.examples:
            raise UserError(f"{path} holds no example; each one needs at least a query")
        return _by_split(data.examples)
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise UserError(f"{path} holds no .jsonl file of examples; make one with rac bootstrap CORPUS -o {path}")
    examples = [example for file in files for example in read_records(file, ClarificationExample)]
    if not examples:
        raise UserError(f"{path} holds no example; each line is one JSON object with at least id and query")
    return _by_split(examples)


def split_examples(
    by_split: dict[str, list[ClarificationExample]], recipe: Recipe
) -> dict[str, list[ClarificationExample]]:
    """Split examples by cluster (query group, topic, document) into the run's four parts.

    Training examples without a gold question are left out. Where the source has no held-out split, a fifth of the
    clusters is held out; where it has no validation split, a tenth of the training clusters is.

    Raises:
        UserError: if nothing is left to train on or to evaluate.
    """
    train = [e for e in by_split.get("train", []) if e.questions]
    held_out = by_split.get("test", []) + by_split.get("evaluation", [])
    validation = by_split.get("validation", []) + by_split.get("dev", [])
    if not held_out:
        # Benchmarks here have no test split: their validation split is what is held out.
        held_out, validation = validation, []
    if not held_out:
        train, held_out = _split_off(train, 0.2, recipe.seed, "evaluation")
    held_groups = {e.cluster for e in held_out}
    train = [e for e in train if e.cluster not in held_groups]
    if not validation:
        train, validation = _split_off(train, 0.1, recipe.seed, "validation")
    train = _limit(train, recipe.data.train_queries, recipe.seed, "train")
    stage1, pairs = _split_off(train, recipe.data.stage2_share, recipe.seed, "pairs")
    evaluation = _limit(held_out, recipe.data.evaluation_queries, recipe.seed, "evaluation")
    parts = {"train": stage1, "pairs": pairs, "validation": validation, "evaluation": evaluation}
    for name, needed in (("train", "to train on"), ("pairs", "to make pairs from"), ("evaluation", "to evaluate")):
        if not parts[name]:
            raise UserError(
                f"the source '{recipe.data.source}' leaves no query {needed} after splitting by query group; it needs "
                "at least about ten queries with gold questions"
            )
    return parts


def _split_off(
    examples: list[ClarificationExample], share: float, seed: int, name: str
) -> tuple[list[ClarificationExample], list[ClarificationExample]]:
    """Return (the rest, about ``share`` of the examples), whole clusters in either."""
    groups: dict[str, list[ClarificationExample]] = {}
    for example in examples:
        groups.setdefault(example.cluster, []).append(example)
    order = sorted(groups)
    seeded(seed, "split", name).shuffle(order)
    taken: set[str] = set()
    count = 0
    for cluster in order:
        if count >= share * len(examples):
            break
        taken.add(cluster)
        count += len(groups[cluster])
    return [e for e in examples if e.cluster not in taken], [e for e in examples if e.cluster in taken]


def _limit(examples: list[ClarificationExample], limit: int | None, seed: int, name: str) -> list[ClarificationExample]:
    if limit is None or limit >= len(examples):
        return examples
    chosen = set(seeded(seed, "limit", name).sample(range(len(examples)), limit))
    return [e for number, e in enumerate(examples) if number in chosen]


def retrieve_stage(run: RunDirectory) -> dict[str, Any]:
    """Retrieve the best passages of every example's query into ``retrieved.json``; measure it where gold is known."""
    recipe = run.recipe

    def work() -> Stage:
        from rac.retrieval import open_index

        index = open_index(run / "index")
        found: dict[str, list[str]] = {}
        passages: dict[str, Passage] = {}
        counts: Counter[str] = Counter()
        recall: list[float] = []
        for name in SPLITS:
            examples = load_examples(run, name)
            hits = index.search_batch([e.query for e in examples], recipe.prompt.top_k)
            for example, own in zip(examples, hits, strict=True):
                found[example.id] = [hit.passage.id for hit in own]
                passages.update((hit.passage.id, hit.passage) for hit in own)
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

    inputs = {"upstream": run.output_hash("index", "data"), "top_k": recipe.prompt.top_k}
    return run.run("retrieve", inputs, work, label=f"retrieving the top {recipe.prompt.top_k} passages of each query")


def load_examples(run: RunDirectory, split: str) -> list[ClarificationExample]:
    """Read the examples of one part of the run."""
    return read_records(run / f"examples/{split}.jsonl", ClarificationExample)


def load_retrieved(run: RunDirectory) -> dict[str, list[Passage]]:
    """Read what was retrieved: example id -> passages, best first."""
    passages = {p.id: p for p in read_records(run / "passages.jsonl", Passage)}
    return {identity: [passages[p] for p in ids] for identity, ids in read_json(run / "retrieved.json").items()}
